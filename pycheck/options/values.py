"""The options of a run, and the check for options that have no effect together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..gate import ToleranceOptions, ToleranceRule
from ..types import RuntimeId
from .settings import Settings
from .table import BY_NAME, LITERT_QUANTIZATIONS, MADE, TFJS_QUANTIZATIONS


@dataclass(frozen=True, slots=True)
class BrowserChoice:
    """The options of one engine's browser. `address` is that of a running browser, or "by-hand"."""

    path: Path | None = None
    address: str | None = None
    args: tuple[str, ...] = ()
    capabilities: Path | None = None


@dataclass(frozen=True, slots=True)
class Options(Settings):
    """The options of a run. Times are in seconds, sizes in bytes.

    `named` are those that were set at any level: `train` leaves out runtimes that cannot train the model unless they
    were named, and a batch size that was not named is smaller if a sample takes much memory. `rules` are tolerances
    for some outputs and runtimes. `page` is the folder of a page with a different release of TF.js; `command` is the
    command of the user.
    """

    named: frozenset[str] = field(default=frozenset(), compare=False)
    rules: tuple[ToleranceRule, ...] = ()
    page: Path | None = None
    command: str = ""

    @property
    def tolerance(self) -> ToleranceOptions:
        """Return the tolerances."""
        return ToleranceOptions(self.rtol, self.atol, self.max_ulp, self.rules)

    def browser(self, engine: str) -> BrowserChoice:
        """Return the options of one engine's browser."""
        args = tuple(arg for name, arg in self.browser_args if name == engine)
        capabilities = dict(self.capabilities).get(engine)
        return BrowserChoice(dict(self.browser_path).get(engine), dict(self.connect).get(engine), args, capabilities)


DEFAULT_RUNTIMES = Options().runtimes
#: The runtimes of ``--format tflite``.
LITERT_RUNTIMES = (RuntimeId("chromium", "litert-wasm"), RuntimeId("chromium", "litert-webgpu"))

#: Options of the conversion.
_CONVERSION = ("format", "converter", "quantize", "keep_float")
#: Options that have an effect only on INPUTS that are given: on files, or on the decisions of samples.
OF_FILES = ("preprocess", "js_preprocess", "postprocess", "js_postprocess", "decisions_changed", "box_overlap")
#: Options that have an effect on TF.js or its artifact only. A format may also be LiteRT.js's.
ONLY_TFJS = ("converter", "keep_float", "tfjs_model", "flags", "cpu_kernels")


def check(options: Options, given: Collection[str], *, has_inputs: bool = False) -> None:
    """Raise UsageError for options that have no effect together.

    `given` are the names in this call: a file and the environment hold defaults for all calls, of which each uses
    those that apply.
    """
    for _, message, advice in refused(options, given, has_inputs=has_inputs):
        raise UsageError(message, advice)


def refused(options: Options, given: Collection[str], *, has_inputs: bool = False) -> Iterator[tuple[str, str, str]]:
    """Yield each given option that has no effect: its name, the message and the advice."""
    for name in MADE if has_inputs else ():
        if name in given:
            yield (
                name,
                f"--{name} has no effect: it is for generated inputs, and inputs are given.",
                f"Remove --{name} or the inputs.",
            )
    yield from _of_files(options, given, has_inputs=has_inputs)
    for name in _CONVERSION if options.tfjs_model else ():
        if name in given:
            option = BY_NAME[name].option
            yield (
                name,
                f"{option} has no effect: --tfjs-model gives an artifact, so pycheck does not convert the model.",
                f"Remove {option} or --tfjs-model.",
            )
    if options.map_output and not (options.tfjs_model or options.tflite_model):
        told = "--map-output has no effect: it is for an existing artifact, and --tfjs-model is not given."
        yield "map_output", told, "Add --tfjs-model PATH or --tflite-model PATH."
    if "keep_float" in given and options.converter != "pycheck":
        yield (
            "keep_float",
            f"--keep-float has no effect: the converter {options.converter} quantizes all weights.",
            f"Remove --keep-float or --converter {options.converter}.",
        )
    if "keep_float" in given and options.quantize == "none" and not options.try_remedies:
        told = "--keep-float has no effect: without --quantize all weights stay float32."
        yield "keep_float", told, "Add --quantize uint8."
    for name in ("layers", "trace_samples", "trace_memory"):
        if name in given and not options.trace:
            told = f"{BY_NAME[name].option} has no effect: this run does not trace."
            yield name, told, "Add --trace, or use pycheck trace."
    if options.bundle_point and not options.bundle:
        told = "--bundle-point has no effect: --bundle is not given."
        yield "bundle_point", told, "Add --bundle DIR."
    yield from _between_libraries(options, given)
    for engine in dict(options.browser_path).keys() & dict(options.connect).keys():
        yield "connect", f"{engine} has both --browser-path and --connect.", "Remove one of the two."
    if (options.public_url is None) != (options.public_port is None):
        name, other = ("public_port", "public_url") if options.public_url is None else ("public_url", "public_port")
        told = f"{BY_NAME[name].option} has no effect without {BY_NAME[other].option}."
        yield name, told, "Give both: the tunnel or proxy at --public-url has to lead to --public-port of this machine."
    if options.public_url is not None:
        elsewhere = {runtime.engine for runtime in options.runtimes} & dict(options.connect).keys()
        if not elsewhere and "public_url" in given:
            told = "--public-url has no effect: every browser runs here."
            yield "public_url", told, "Add --connect ENGINE=ADDRESS, or remove --public-url and --public-port."
    for engine in dict(options.capabilities):
        if not dict(options.connect).get(engine, "").startswith("webdriver+"):
            told = f"--capabilities has no effect for {engine}: its browser does not come from a WebDriver end."
            yield "capabilities", told, f"Add --connect {engine}=webdriver+http://..."


def _of_files(options: Options, given: Collection[str], *, has_inputs: bool) -> Iterator[tuple[str, str, str]]:
    """Yield each option that is for given inputs without any, and the page's function without that of Python."""
    for name in OF_FILES if not has_inputs else ():
        if name in given:
            option = BY_NAME[name].option
            what = "files" if "preprocess" in name else "samples of yours"
            told = f"{option} has no effect: it is for {what}, and INPUTS are not given."
            yield (
                name,
                told,
                f"Give {'a folder of files' if what == 'files' else 'files or arrays'} as INPUTS, or remove {option}.",
            )
    if "js_postprocess" in given and not options.postprocess:
        told = "--js-postprocess has no effect: there is no decision of Python to compare with."
        yield "js_postprocess", told, "Add --postprocess FILE.py:FUNCTION."
    if "box_overlap" in given and not options.postprocess:
        told = "--box-overlap has no effect: only a postprocessing gives boxes."
        yield "box_overlap", told, "Add --postprocess FILE.py:FUNCTION."


def _between_libraries(options: Options, given: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """Yield each option that is for TF.js or for LiteRT.js only, if no runtime, or not each, is of that library."""
    of_tfjs = [str(runtime) for runtime in options.runtimes if not runtime.is_litert]
    of_litert = [str(runtime) for runtime in options.runtimes if runtime.is_litert]
    if options.format == "tflite" and of_tfjs:
        yield (
            "format",
            f"--format tflite has no effect on {of_tfjs[0]}: TF.js loads layers or graph.",
            "Name runtimes of LiteRT.js, such as --runtime chromium:litert-wasm, or remove --format.",
        )
    yield from _beside_a_tflite(options, given, of_tfjs, of_litert)
    own = () if options.tflite_model else ("map_output",)
    for name in ("format", *ONLY_TFJS, *own) if not of_tfjs else ():
        if name in given and not (name == "format" and options.format == "tflite"):
            option = BY_NAME[name].option
            yield (
                name,
                f"{option} has no effect: it is for TF.js, and all runtimes are of LiteRT.js.",
                f"Remove {option}, or add a runtime such as --runtime chromium:webgl.",
            )
    for known, others, library in (
        (LITERT_QUANTIZATIONS, of_tfjs, "LiteRT.js"),
        (TFJS_QUANTIZATIONS, of_litert, "TF.js"),
    ):
        if options.quantize in known and others:
            yield (
                "quantize",
                f"--quantize {options.quantize} is for {library} only, and {others[0]} is not of {library}.",
                "Use --quantize float16 or none, or remove this runtime.",
            )


def _beside_a_tflite(
    options: Options, given: Collection[str], of_tfjs: Sequence[str], of_litert: Sequence[str]
) -> Iterator[tuple[str, str, str]]:
    """Yield options that have no effect with --tflite-model, or --tflite-model itself."""
    if options.tflite_model and not of_litert:
        yield (
            "tflite_model",
            f"--tflite-model has no effect: {of_tfjs[0]} is of TF.js, and no runtime is of LiteRT.js.",
            "Add a runtime such as --runtime chromium:litert-wasm.",
        )
    for name in ("quantize", "format") if options.tflite_model and not of_tfjs else ():
        if name in given:
            option = BY_NAME[name].option
            yield (
                name,
                f"{option} has no effect: --tflite-model gives an artifact, so pycheck does not convert the model.",
                f"Remove {option} or --tflite-model.",
            )


def quantizes(runtime: RuntimeId, quantize: str) -> bool:
    """Tell whether the library of a runtime has this quantization."""
    return quantize not in (TFJS_QUANTIZATIONS if runtime.is_litert else LITERT_QUANTIZATIONS)


def fitting(values: Mapping[str, Any], given: Collection[str]) -> dict[str, Any]:
    """Return the values without defaults that contradict `given`."""
    kept = dict(values)
    if "runtimes" not in given:
        of_litert = tuple(runtime for runtime in kept.get("runtimes", DEFAULT_RUNTIMES) if runtime.is_litert)
        if kept.get("format") == "tflite":
            kept["runtimes"] = of_litert or LITERT_RUNTIMES
        elif kept.get("tflite_model") and not of_litert:
            kept["runtimes"] = LITERT_RUNTIMES
    if kept.get("converter", "pycheck") != "pycheck" and "keep_float" not in given:
        kept.pop("keep_float", None)
    for name, other in (("browser_path", "connect"), ("connect", "browser_path")):
        if name not in given and other in given and name in kept:
            engines = {engine for engine, _ in kept[other]}
            kept[name] = tuple(pair for pair in kept[name] if pair[0] not in engines)
    return kept
