"""Runs a model on TF.js and on LiteRT.js with the same inputs, one runtime at a time, and decides whether it can move.

The float32 run has the runtimes of both libraries: each library converts the model once, and Python computes the
references once. The quantized variants for LiteRT.js follow, on the same inputs and references. A library that cannot
convert the model is a part of the result.

Pages run one sample at a time, so the batch size is 1 if none is given. Runtimes start after all work in Python and run
in turn, so that their times can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ..errors import ConversionError, UsageError
from ..gate import decide_migration, decide_pair, judge_variant, quantized_limits, smallest_that_passes
from ..options.replay import command_line
from ..options.table import LITERT_QUANTIZATIONS
from ..options.values import Options
from ..types import (
    Decision,
    Migration,
    QuantizedVariant,
    Report,
    RuntimeId,
    RuntimeStatus,
    Unsupported,
)
from ..version import __version__
from .files.prepared import Prepared, as_inputs
from .pipeline import Workbench
from .run import Compared, Run
from .setting import Observer, Setting, silent

#: The counterpart in LiteRT.js of each kind of TF.js, and the reverse for LiteRT.js runtimes that are named alone.
COUNTERPARTS = {
    "wasm": "litert-wasm",
    "cpu": "litert-wasm",
    "webgl": "litert-webgpu",
    "webgl-f16": "litert-webgpu",
    "webgpu": "litert-webgpu",
}
_BACK = {"litert-wasm": "wasm", "litert-webgpu": "webgl"}
DEFAULT_PAIRS = (
    (RuntimeId("chromium", "wasm"), RuntimeId("chromium", "litert-wasm")),
    (RuntimeId("chromium", "webgl"), RuntimeId("chromium", "litert-webgpu")),
)
#: The quantizations of weights that are tried for LiteRT.js.
QUANTIZATIONS = ("float16", *LITERT_QUANTIZATIONS)

Pairs = tuple[tuple[RuntimeId, RuntimeId], ...]


async def migrate(bench: Workbench, model: Any, inputs: Any, options: Options, observe: Observer = silent) -> Migration:
    """Run everything once.

    `model` is a path or a live model; `inputs` is a path, arrays, files that are one sample each, or None to generate
    them. Errors are those of `compare`, except ConversionError: what a library cannot convert is in the result.
    """
    pairs = pairs_of(options)
    command = options.command or command_line("migrate", model, inputs, options)
    options = _of_migration(options, pairs)
    async with bench.opened(model, options, observe) as opened, bench.one_at_a_time():
        if await opened.setting.source.is_artifact():
            raise UsageError(
                f"{model} is already converted: pycheck migrate converts a model for both libraries.",
                "Give the Keras model or SavedModel as MODEL, and your model.json with --tfjs-model PATH.",
            )
        async with as_inputs(opened.setting, inputs) as given:
            if isinstance(given, Prepared):
                given = await given.for_python((await opened.setting.source.info()).signature)
            report, variants, unsupported = await _run_all(opened.setting, given)
    judged = tuple(decide_pair(report, tfjs, litert) for tfjs, litert in pairs)
    movable = {pair.litert for pair in judged if pair.decision is Decision.MOVE}
    return Migration(
        pycheck_version=__version__,
        report=report,
        pairs=judged,
        unsupported=tuple(unsupported),
        variants=tuple(variants),
        smallest=smallest_that_passes(report, variants, movable),
        decision=decide_migration(judged),
        command=command,
    )


async def _run_all(setting: Setting, inputs: Any) -> tuple[Report, list[QuantizedVariant], list[Unsupported]]:
    """Run in float32 on both libraries, and then with quantized weights on LiteRT.js."""
    unsupported = [found async for found in _unsupported(setting, inputs)]
    lacking = {found.library for found in unsupported}
    runtimes = tuple(runtime for runtime in setting.options.runtimes if _library(runtime) not in lacking)
    run = Run(replace(setting, options=replace(setting.options, runtimes=runtimes)), is_timed=True)
    try:
        compared = await run.compare(inputs)
    finally:
        await run.close()
    ran = [r.id for r in compared.report.runtimes if r.id.is_litert and r.status is RuntimeStatus.OK]
    return compared.report, [await _variant(compared, name, ran) for name in QUANTIZATIONS if ran], unsupported


def pairs_of(options: Options) -> Pairs:
    """Return each TF.js runtime with its counterpart of LiteRT.js on the same engine.

    A LiteRT.js runtime that is named is paired even if it is no counterpart: with the first TF.js runtime of its
    engine, or with the usual one if none is named.
    """
    if "runtimes" not in options.named:
        return DEFAULT_PAIRS
    pairs: list[tuple[RuntimeId, RuntimeId]] = []
    for engine in dict.fromkeys(runtime.engine for runtime in options.runtimes):
        own = [runtime for runtime in options.runtimes if runtime.engine == engine]
        pairs += _pairs_of_engine([r for r in own if not r.is_litert], [r for r in own if r.is_litert])
    return tuple(pairs)


def _pairs_of_engine(tfjs: Sequence[RuntimeId], litert: Sequence[RuntimeId]) -> Iterator[tuple[RuntimeId, RuntimeId]]:
    paired: set[RuntimeId] = set()
    for runtime in tfjs:
        counterpart = RuntimeId(runtime.engine, COUNTERPARTS[runtime.kind])
        chosen = counterpart if counterpart in litert or not litert else litert[0]
        paired.add(chosen)
        yield runtime, chosen
    for runtime in litert:
        if runtime not in paired:
            yield tfjs[0] if tfjs else RuntimeId(runtime.engine, _BACK[runtime.kind]), runtime


def _of_migration(options: Options, pairs: Pairs) -> Options:
    """Return the options of the float32 run; what a settings file says for other commands has no effect."""
    if options.format == "tflite":
        raise UsageError(
            "--format tflite has no effect: it is the format for LiteRT.js, and pycheck migrate always makes it.",
            "Remove --format, or name the format for TF.js: layers or graph.",
        )
    named = options.named
    if "batch_size" not in named:
        options = replace(options, batch_size=1, named=named | {"batch_size"})
    return replace(
        options,
        runtimes=tuple(dict.fromkeys(runtime for pair in pairs for runtime in pair)),
        quantize="none",
        keep_float=(),
        cpu_kernels=(),
        trace=False,
        try_remedies=False,
        save_run=None,
        js_preprocess=None,
        postprocess=None,
        js_postprocess=None,
    )


def _library(runtime: RuntimeId) -> str:
    return "LiteRT.js" if runtime.is_litert else "TF.js"


async def _unsupported(setting: Setting, inputs: Any) -> Any:
    """Yield the libraries into whose format the model cannot be converted; the artifacts of the others are made."""
    for library in ("TF.js", "LiteRT.js"):
        runtimes = tuple(runtime for runtime in setting.options.runtimes if _library(runtime) == library)
        run = Run(replace(setting, options=replace(setting.options, runtimes=runtimes)))
        setting.observe("convert", f"for {library}", 0, 0)
        try:
            await run.convert(inputs)
        except ConversionError as error:
            yield Unsupported(library, error.message, error.advice)
        finally:
            await run.close()


async def _variant(compared: Compared, quantization: str, runtimes: Sequence[RuntimeId]) -> QuantizedVariant:
    """Run the model with quantized weights on LiteRT.js, judged by the limits of quantized weights."""
    setting = compared.setting
    limits = quantized_limits(compared.report.comparisons, setting.options.tolerance)
    options = replace(
        setting.options,
        runtimes=tuple(runtimes),
        quantize=quantization,
        atol=dict(limits) or setting.options.atol,
        tfjs_model=None,
        map_output=(),
        power=False,
    )

    def observe(runtime: str, step: str, done: int, total: int) -> None:
        setting.observe(f"{runtime} {quantization}", step, done, total)

    source = setting.source.variant(options)
    of_variant = replace(setting, options=options, source=source, observe=observe)
    run = Run(of_variant, references=compared.references, is_timed=True)
    try:
        report = (await run.compare(compared.inputs)).report
    except ConversionError as error:
        return QuantizedVariant(quantization, None, Unsupported("LiteRT.js", error.message, error.advice))
    finally:
        await run.close()
        await source.close()
    return judge_variant(quantization, report, runtimes)
