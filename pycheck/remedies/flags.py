"""Fix: the smallest set of TF.js flags to turn off."""

from __future__ import annotations

from collections.abc import Mapping

from ..types import Outcome, Remedy
from .failure import Failure
from .searching import Found, smallest
from .trial import Trial
from .trials import Trials

Flag = tuple[str, str]


def _ops(names: str) -> frozenset[str]:
    return frozenset(names.split())


#: The operations (of a graph) and layers that compute differently if a flag of packed shaders is off.
_PACKED: Mapping[str, frozenset[str]] = {
    "WEBGL_PACK_UNARY_OPERATIONS": _ops(
        "Abs Ceil Cos Elu Exp Expm1 Floor Log Log1p Neg Relu Relu6 Round Rsqrt Selu Sigmoid Sin Softplus Sqrt Square "
        "Tanh Activation ELU ReLU"
    ),
    "WEBGL_PACK_BINARY_OPERATIONS": _ops(
        "Add AddV2 BiasAdd Div LeakyRelu Maximum Minimum Mul Pow Prelu RealDiv Select SelectV2 SquaredDifference Sub "
        "LeakyReLU Multiply PReLU Subtract"
    ),
    "WEBGL_PACK_CLIP": _ops("ClipByValue"),
    "WEBGL_PACK_NORMALIZATION": _ops("FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 LRN BatchNormalization"),
    "WEBGL_PACK_DEPTHWISECONV": _ops(
        "DepthwiseConv2dNative FusedDepthwiseConv2dNative DepthwiseConv2D SeparableConv2D"
    ),
    "WEBGL_PACK_REDUCE": _ops("All Any Max Mean Min Prod Sum GlobalAveragePooling2D"),
    "WEBGL_PACK_ARRAY_OPERATIONS": _ops("ConcatV2 GatherV2 MirrorPad Pad PadV2 Slice Transpose"),
    "WEBGL_PACK_IMAGE_OPERATIONS": _ops("ResizeBilinear UpSampling2D"),
    "WEBGL_PACK_CONV2DTRANSPOSE": _ops("Conv2DBackpropInput Conv2DTranspose"),
    "WEBGL_CONV_IM2COL": _ops("Conv2D _FusedConv2D"),
    "WEBGL_LAZILY_UNPACK": _ops(""),
}
#: TF.js's message if the GPU does not support a texture.
_TOO_LARGE = "greater than WebGL maximum"
_OFF, _ON = "false", "true"
_WEBGL = (
    tuple((name, _OFF) for name in _PACKED),
    (("WEBGL_PACK", _OFF),),
    (("WEBGL_CPU_FORWARD", _OFF),),
    (("WEBGL_EXP_CONV", _OFF), ("WEBGL_USE_SHAPES_UNIFORMS", _OFF)),
    (("WEBGL2_ISNAN_CUSTOM", _ON),),
)
#: Sets of flags by kind of runtime. Each is tried whole, then reduced; a later one only if the earlier ones fail.
_FAMILIES: Mapping[str, tuple[tuple[Flag, ...], ...]] = {
    "webgl": _WEBGL,
    "webgl-f16": _WEBGL,
    "webgpu": (
        (("WEBGPU_USE_NAIVE_CONV2D_TRANSPOSE", _OFF), ("WEBGPU_CPU_FORWARD", _OFF)),
        (("WEBGPU_CONV_SEPARATE_IM2COL_SHADER", _ON),),
    ),
    "wasm": ((("WASM_HAS_MULTITHREAD_SUPPORT", _OFF), ("WASM_HAS_SIMD_SUPPORT", _OFF)),),
}


def families(failure: Failure) -> list[tuple[Flag, ...]]:
    """Return the sets of flags, without flags that already have the value."""
    in_force = failure.environment.flags if failure.environment else {}
    wanted = _FAMILIES.get(failure.runtime.kind, ())
    changed = [tuple((n, v) for n, v in family if n in in_force and in_force[n] is not (v == _ON)) for family in wanted]
    return [family for family in changed if family]


def fits(failure: Failure) -> bool:
    """Accept a backend that has such flags and started."""
    return bool(families(failure))


async def cure(failure: Failure, trials: Trials) -> Remedy:
    """Return the smallest subset of the first set that works."""
    runtime = failure.runtime

    def trial(flags: tuple[Flag, ...]) -> Trial:
        return Trial((runtime,), flags=flags)

    async def passes(flags: tuple[Flag, ...]) -> bool:
        return await trials.passes(trial(flags), runtime)

    for family in families(failure):
        found = await smallest(family, passes, _likely(failure, family))
        if found:
            return _remedy(failure, found, await trials.outcome(trial(found.value), runtime), trials.count)
    first, *others = families(failure)
    tried = sum(map(len, (first, *others)))
    return failure.remedy(
        "flags",
        f"flags, {first[0][0]}{f' and {tried - 1} more' if tried > 1 else ''}",
        await trials.outcome(trial(first), runtime),
        trial_count=trials.count,
    )


def _likely(failure: Failure, family: tuple[Flag, ...]) -> list[Flag]:
    if _TOO_LARGE in (failure.before.error or ""):  # a convolution's windows copied to one matrix
        return [flag for flag in family if flag[0] == "WEBGL_CONV_IM2COL"]
    return [flag for flag in family if _PACKED.get(flag[0], frozenset()).intersection(failure.source_ops)]


def _remedy(failure: Failure, found: Found[tuple[Flag, ...]], gave: Outcome, trial_count: int) -> Remedy:
    lines = [f"tf.env().set('{name}', {value});" for name, value in found.value]
    backend = failure.runtime.kind.removesuffix("-f16")
    return failure.remedy(
        "flags",
        f"flag{'s' if len(found.value) > 1 else ''} " + ", ".join(f"{name}={value}" for name, value in found.value),
        gave,
        trial_count=trial_count,
        options=tuple(text for name, value in found.value for text in ("--flag", f"{name}={value}")),
        code="\n".join([*lines, f"await tf.setBackend('{backend}');"]),
        note="" if found.complete else "fewer may suffice: the trials ended first",
    )
