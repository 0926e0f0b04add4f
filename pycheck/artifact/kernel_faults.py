"""Lists the operations of TF.js 4.22 that are missing or wrong, by backend.

The converter rewrites these nodes, and `graph_faults` reports them in a given artifact. Each fault was found by
running the operation on cpu, WASM, WebGL and WebGPU and in TensorFlow on the same inputs. These kernels return a
result without an error, some of them with foreign memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: Kernels that a backend of TF.js 4.22 lacks, by the operation of the graph.
WITHOUT_KERNEL: Mapping[str, frozenset[str]] = {
    "wasm": frozenset(
        {"Complex", "ComplexAbs", "Einsum", "FFT", "IFFT", "IRFFT", "Imag", "RFFT", "RaggedGather", "RaggedRange"}
        | {"RaggedTensorToTensor", "Real", "StaticRegexReplace"}
    ),
    "webgpu": frozenset(
        {"BitwiseAnd", "NonMaxSuppressionV4", "RaggedGather", "RaggedRange", "RaggedTensorToTensor"}
        | {"SparseFillEmptyRows", "SparseReshape", "StaticRegexReplace", "StringSplit", "StringToHashBucketFast"}
        | {"Unique", "UniqueV2"}
    ),
}
#: Measured for kernels of 1 to 5 and strides of 1 to 3 on sizes of 7 to 10; a kernel of 1 by 1 is correct.
NO_PADDING = 'TF.js\'s wasm kernel returns only zeros if "same" padding is negative, as for strides beyond the kernel'
OTHER_BACKEND = "Use another backend for this model, or run this kernel on the CPU."
_NOT_ON_WASM = "Use another backend for this model."
_OR_ELSEWHERE = "Or use another backend for this model, or run this kernel on the CPU."
PAD_CURE = (
    f"Give the model inputs of fixed sizes: pycheck convert MODEL FOLDER then writes the padding out. {_OR_ELSEWHERE}"
)
PAD_CURE_OF_FIXED = (
    f"Convert the model with pycheck convert MODEL FOLDER, which writes the padding out. {_OR_ELSEWHERE}"
)
#: Backends whose kernels the CPU can run instead, and TF.js's names of kernels with a different name in graphs.
_READABLE = frozenset({"wasm", "webgl"})
#: Kernels of complex numbers, which the wasm backend does not support, so that CPU kernels do not help.
_COMPLEX = frozenset({"Complex", "ComplexAbs", "FFT", "IFFT", "IRFFT", "Imag", "RFFT", "Real"})
_KERNELS = {"ReverseV2": "Reverse", "SelectV2": "Select"}
_CONVERT = (
    "Convert the model with pycheck convert MODEL FOLDER, which writes it in operations that all backends agree on"
)


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """The facts about a node that these rules read.

    `types` are dtype names (``float32``) by attribute, `attributes` all others with plain values. `constants` and
    `ranks` are those of its inputs, None if unknown.
    """

    op: str
    types: Mapping[str, str]
    attributes: Mapping[str, Any]
    constants: tuple[Array | None, ...] = ()
    ranks: tuple[int | None, ...] = ()

    def constant(self, index: int) -> Array | None:
        """Return the value of an input, if it is constant."""
        return self.constants[index] if index < len(self.constants) else None

    def rank(self, index: int) -> int | None:
        """Return the number of axes of an input, if it is known."""
        return self.ranks[index] if index < len(self.ranks) else None


@dataclass(frozen=True, slots=True)
class KernelFault:
    """A fault of an operation on these backends (none: on all), and the fix.

    `fault` is a clause whose subject is the kernel; `rewritten` says what to write instead, empty if nothing is known.
    """

    op: str
    backends: tuple[str, ...]
    fault: str
    concerns: Callable[[NodeFacts], bool]
    rewritten: str = ""
    otherwise: str = OTHER_BACKEND  # the fix without a rewrite
    if_sizes_are_fixed: str = ""  # the fix in that case, if it differs

    def cure(self, *, sizes_are_fixed: bool) -> str:
        """Return the fix, in a sentence or two; `sizes_are_fixed`: only the batch of the inputs is free."""
        if not self.rewritten:
            return (sizes_are_fixed and self.if_sizes_are_fixed) or self.otherwise
        kernel = _KERNELS.get(self.op, self.op)
        on_cpu = (
            f" Or run the kernel on the CPU: --cpu-kernel {kernel} here, and in the page the function runOnCpu, which "
            "--try-remedies prints."
        )
        return f"{_CONVERT}: {self.rewritten}.{on_cpu if _READABLE.intersection(self.backends) else ''}"


def cure_of_missing(operations: Collection[str], backend: str) -> str:
    """Return the fix for kernels that a backend does not have."""
    if backend not in _READABLE or not _COMPLEX.isdisjoint(operations):
        return _NOT_ON_WASM
    return OTHER_BACKEND if len(operations) == 1 else OTHER_BACKEND.replace("this kernel", "these kernels")


def _always(_: NodeFacts) -> bool:
    return True


def _is(key: str, *dtypes: str) -> Callable[[NodeFacts], bool]:
    return lambda node: node.types.get(key) in dtypes


_NUMBERS = ("float32", "int32", "int64")
_INTEGERS = ("int8", "uint8", "int16", "int32", "int64")


def _to_bool(node: NodeFacts) -> bool:
    return node.types.get("DstT") == "bool" and node.types.get("SrcT") in _NUMBERS


def _bool_to_float(node: NodeFacts) -> bool:
    return (node.types.get("SrcT"), node.types.get("DstT")) == ("bool", "float32")


def _integer_to_float(node: NodeFacts) -> bool:
    return node.types.get("SrcT") in _INTEGERS and node.types.get("DstT") == "float32"


def _is_bincount(node: NodeFacts) -> bool:
    weights = node.constant(2)
    return weights is not None and not weights.size


def _is_batched_gather(node: NodeFacts) -> bool:
    return bool(node.attributes.get("batch_dims", 0) > 0)


def _channels_last_3d(node: NodeFacts) -> bool:
    return node.attributes.get("data_format", "NDHWC") in ("", "NDHWC")


def _is_strided_slice_of_no_floats(node: NodeFacts) -> bool:
    return node.types.get("T") not in ("float32", "string") and _skips(node)


def _skips(node: NodeFacts) -> bool:
    strides = node.constant(3)
    return strides is not None and bool((strides != 1).any())


def _holds_text(node: NodeFacts) -> bool:
    return "string" in (node.types.get("T"), node.types.get("Tparams"))


def _is_tile_of_five_axes(node: NodeFacts) -> bool:
    counts = node.constant(1)
    return (node.rank(0) or (0 if counts is None else counts.size)) > 4


def _is_transpose_of_no_floats(node: NodeFacts) -> bool:
    order = node.constant(1)
    return order is not None and order.size >= 3 and node.types.get("T") in ("bool", "int32", "int64")


def _reduces_inner_axes_of_no_floats(node: NodeFacts) -> bool:
    rank, axes = node.rank(0), node.constant(1)
    if rank is None or rank < 3 or axes is None or node.types.get("T") == "float32":
        return False
    reduced = sorted(int(axis) % rank for axis in np.reshape(axes, -1))
    return reduced != list(range(rank - len(reduced), rank))


def _broadcasts_a_vector(node: NodeFacts) -> bool:
    ranks = sorted(rank for rank in node.ranks if rank is not None)
    return len(ranks) == 2 and ranks[0] == 1 and ranks[1] > 4


def _counts_from_the_end(node: NodeFacts) -> bool:
    axis = node.constant(1)
    return axis is not None and int(axis) < 0


def _is_no_float(node: NodeFacts) -> bool:
    return node.types.get("T") not in (None, "float32")


def _is_no_int32(node: NodeFacts) -> bool:
    return node.types.get("T") not in (None, "int32")


def _has_another_axis(node: NodeFacts) -> bool:
    axis, rank = node.attributes.get("axis", -1), node.rank(0)
    return axis != -1 and rank is not None and axis != rank


def explicit_padding(
    sizes: Sequence[int | None], window: Sequence[int], strides: Sequence[int]
) -> list[tuple[int, int]] | None:
    """Return the zeros that "same" padding adds before and after each axis, if it may be negative: see `NO_PADDING`.

    None for strides within the window, and if a size is not known. A valid convolution of the padded input is exact:
    if padding is negative, the last window ends within the input.
    """
    known = [size for size in sizes if size is not None]
    if tuple(window) == (1, 1) or len(known) < len(sizes) or not _beyond(strides, window):
        return None
    totals = [
        max((math.ceil(size / stride) - 1) * stride + width - size, 0)
        for size, width, stride in zip(known, window, strides, strict=True)
    ]
    return [(total // 2, total - total // 2) for total in totals]


def _beyond(strides: Sequence[int], window: Sequence[int]) -> bool:
    return any(stride > size for stride, size in zip(strides, window, strict=True))


def _leaves_no_padding(node: NodeFacts) -> bool:
    """Tell whether a stride is larger than the kernel, so that "same" padding is negative for some sizes."""
    kernel, strides = node.constant(1), node.attributes.get("strides") or ()
    if node.attributes.get("padding") != "SAME" or kernel is None or kernel.ndim != 4 or len(strides) != 4:
        return False
    window = kernel.shape[:2]
    return window != (1, 1) and _beyond(strides[1:3], window)


def _is_nearest(node: NodeFacts) -> bool:
    return node.attributes.get("method") == "nearest"


_MOVED = "its webgpu kernel transposes integers and booleans incorrectly"
_VECTOR = "its webgpu kernel reads wrong elements of a vector if the other operand has five or more axes"
_FOREIGN = "TF.js's wasm kernel does not support text: it logs a warning and returns uninitialized memory"
#: The operations for which TF.js 4.22 accepts only numeric tensors, and TensorFlow also texts.
OPS_WITHOUT_TEXT = (
    "BroadcastTo", "Gather", "GatherV2", "MirrorPad", "PadV2", "ReverseV2", "ScatterNd", "Select", "SelectV2", "Split",
    "SplitV", "Transpose", "ZerosLike",
)  # fmt: skip
NO_TEXT = "TF.js does not support text here"
_NUMBERS_OF_TEXT = "Look the texts up, or hash them, before this operation, so that it takes numbers."
FAULTS: tuple[KernelFault, ...] = (
    # Faults of one backend, with a rewrite.
    KernelFault(
        "Cast",
        ("wasm",),
        "TF.js's wasm kernel truncates a number to a byte instead of comparing it with 0: 0.4 and 256 become false",
        _to_bool,
        "x != 0 (NotEqual) instead of the cast",
    ),
    KernelFault("Cast", ("webgpu",), "its webgpu kernel returns the bits of booleans", _bool_to_float, "SelectV2"),
    KernelFault("DenseBincount", ("webgpu",), "its webgpu kernel counts in uncleared memory", _is_bincount, "Sum"),
    KernelFault(
        "GatherV2", ("wasm",), "its wasm kernel mixes up the batches for some shapes", _is_batched_gather, "GatherNd"
    ),
    KernelFault(
        "MaxPool3D",
        ("wasm",),
        "its wasm kernel starts from the smallest positive float, so it loses negative maxima",
        _channels_last_3d,
        "MaxPool over height and width, then over depth",
    ),
    KernelFault(
        "Prod",
        ("webgpu",),
        "its webgpu kernel does not keep the axes",
        lambda node: bool(node.attributes.get("keep_dims", False)),
        "Prod, then Reshape",
    ),
    KernelFault(
        "ReverseV2", ("wasm",), "its wasm kernel reads four bytes for each boolean", _is("T", "bool"), "floats"
    ),
    KernelFault("SelectV2", ("wasm",), "its wasm kernel reads four bytes for each boolean", _is("T", "bool"), "logic"),
    KernelFault(
        "StridedSlice",
        ("wasm",),
        "its wasm kernel always declares the result as float32",
        _is_strided_slice_of_no_floats,
        "GatherV2",
    ),
    KernelFault(
        "Tile",
        ("webgpu", "webgl"),
        "its webgpu kernel returns zeros for five axes or more, its webgl kernel does not support six",
        _is_tile_of_five_axes,
        "Reshape to three axes, then Tile",
    ),
    KernelFault("Transpose", ("webgpu",), _MOVED, _is_transpose_of_no_floats, "Transpose of floats, or GatherV2"),
    *(
        KernelFault(op, ("webgpu",), _MOVED, _reduces_inner_axes_of_no_floats, "the same over the last axes")
        for op in ("All", "Any", "Max", "Min", "Sum")
    ),
    *(
        KernelFault(op, ("webgpu",), _VECTOR, _broadcasts_a_vector, "the same with both operands of one rank")
        for op in ("AddV2", "BiasAdd", "Maximum", "Minimum", "Mul", "RealDiv", "SquaredDifference", "Sub")
    ),
    # Faults of all backends.
    *(
        KernelFault(
            op, (), "TF.js does not count a negative axis from the end", _counts_from_the_end, "a positive axis"
        )
        for op in ("Cumprod", "Cumsum")
    ),
    *(
        KernelFault(
            op, ("webgpu",), "its webgpu kernel adds integers incorrectly", _is_no_float, "the same over floats"
        )
        for op in ("Cumprod", "Cumsum")
    ),
    KernelFault("FloorDiv", (), "TF.js always returns int32", _is("T", "float32"), "Floor(x / y)"),
    KernelFault(
        "MatrixBandPart", (), "TF.js reads the upper limit from the input of the lower one", _always, "SelectV2"
    ),
    KernelFault(
        "LookupTableFindV2",
        (),
        "TF.js always returns one axis, whatever the shape of the keys",
        lambda node: node.rank(1) not in (None, 1),
        "LookupTableFindV2 of keys in one axis, then Reshape",
    ),
    KernelFault("Mean", (), "TF.js converts integers to floats", _is("T", "int32", "int64"), "Sum // count"),
    KernelFault(
        "OneHot", (), "TF.js ignores the axis and takes the last one", _has_another_axis, "a Transpose behind it"
    ),
    KernelFault("OneHot", ("wasm",), "its wasm kernel always writes integers", _is_no_int32, "SelectV2"),
    KernelFault("ShapeN", (), "TF.js converts the sizes to floats", _always, "Shape of each"),
    KernelFault("FakeQuantWithMinMaxVars", (), "TF.js returns its input unquantized", _always, "clip, scale, round"),
    KernelFault("Mod", (), "TF.js computes FloorMod instead", _always, "sign(x) FloorMod(|x|, |y|)"),
    # Faults with a rewrite only for known sizes.
    *(
        KernelFault(
            op, ("wasm",), NO_PADDING, _leaves_no_padding, otherwise=PAD_CURE, if_sizes_are_fixed=PAD_CURE_OF_FIXED
        )
        for op in ("Conv2D", "DepthwiseConv2dNative", "FusedDepthwiseConv2dNative", "_FusedConv2D")
    ),
    # Faults without a rewrite.
    *(KernelFault(op, ("wasm",), _FOREIGN, _holds_text, otherwise=_NOT_ON_WASM) for op in ("Equal", "NotEqual")),
    *(
        KernelFault(op, ("wasm",), "TF.js's wasm kernel does not support text", _holds_text, otherwise=_NOT_ON_WASM)
        for op in ("Fill", "GatherNd", "Tile")
    ),
    KernelFault(
        "StridedSlice",
        ("wasm",),
        "TF.js's wasm kernel does not support text if it skips elements",
        lambda node: _holds_text(node) and _skips(node),
        otherwise=_NOT_ON_WASM,
    ),
    *(KernelFault(op, (), NO_TEXT, _holds_text, otherwise=_NUMBERS_OF_TEXT) for op in OPS_WITHOUT_TEXT),
    KernelFault("CropAndResize", ("cpu",), "its cpu kernel selects different pixels", _is_nearest),
    KernelFault(
        "ImageProjectiveTransformV3",
        ("cpu",),
        "its cpu kernel returns the fill value for all samples except the first",
        _always,
    ),
    KernelFault("Dilation2D", ("wasm",), "its wasm kernel returns wrong values", _always),
    KernelFault("IFFT", ("webgl", "webgpu"), "its kernel flattens all axes but the last", _always),
    KernelFault(
        "Cast",
        ("webgpu",),
        "its webgpu kernel reads integers as the bits of floats, except in tensors of less than 1000 elements",
        _integer_to_float,
    ),
)


#: The operations with a fault on any backend.
FAULTY = frozenset(fault.op for fault in FAULTS)


def kernel_faults(node: NodeFacts, *, rewritten: bool | None = None) -> list[KernelFault]:
    """Return the faults of a node's kernels; `rewritten` selects those with, or without, a rewrite."""
    return [
        fault
        for fault in FAULTS
        if fault.op == node.op and rewritten in (None, bool(fault.rewritten)) and fault.concerns(node)
    ]
