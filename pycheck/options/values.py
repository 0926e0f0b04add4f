"""Everything that a run can be told, checked; and what of it cannot have an effect together."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import UsageError
from ..gate import ToleranceOptions, ToleranceRule
from .settings import Settings
from .table import BY_NAME, MADE


@dataclass(frozen=True, slots=True)
class BrowserChoice:
    """What was said about one engine's browser. `address` is where one runs already, or "by-hand"."""

    path: Path | None = None
    address: str | None = None
    args: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Options(Settings):
    """The settings of a run, and what else there is to know of it. Times are in seconds, sizes in bytes.

    `named` are those that somebody set, wherever: `train` leaves out runtimes that cannot train the model unless they
    were named, and a batch that was not named is smaller where a sample takes much memory. `rules` are tolerances for
    some outputs and runtimes. `page` is the folder of a page with another release of TF.js; `command` is what asked.
    """

    named: frozenset[str] = field(default=frozenset(), compare=False)
    rules: tuple[ToleranceRule, ...] = ()
    page: Path | None = None
    command: str = ""

    @property
    def tolerance(self) -> ToleranceOptions:
        """What passes."""
        return ToleranceOptions(self.rtol, self.atol, self.max_ulp, self.rules)

    def browser(self, engine: str) -> BrowserChoice:
        """What was said about an engine's browser."""
        args = tuple(arg for name, arg in self.browser_args if name == engine)
        return BrowserChoice(dict(self.browser_path).get(engine), dict(self.connect).get(engine), args)


DEFAULT_RUNTIMES = Options().runtimes

#: Of how an artifact is converted.
_CONVERSION = ("format", "converter", "quantize", "keep_float")


def check(options: Options, given: Collection[str], *, has_inputs: bool = False) -> None:
    """UsageError for what has no effect together.

    `given` are the names that this one call was given: a file and the environment hold defaults for all calls, of
    which each takes what fits.
    """
    for message, advice in _refused(options, given, has_inputs):
        raise UsageError(message, advice)


def _refused(options: Options, given: Collection[str], has_inputs: bool) -> Iterator[tuple[str, str]]:
    for name in MADE if has_inputs else ():
        if name in given:
            yield f"--{name} is for made inputs, and inputs are given", f"Leave out --{name} or the inputs."
    for name in _CONVERSION if options.tfjs_model else ():
        if name in given:
            yield (
                f"{BY_NAME[name].option} says how the model is converted, and --tfjs-model gives an artifact",
                "Leave out one.",
            )
    if options.map_output and not options.tfjs_model:
        yield "--map-output pairs the outputs of an existing artifact, and none is given", "Add --tfjs-model PATH."
    if options.keep_float and options.converter != "pycheck":
        yield (
            "--keep-float is of pycheck's own converter; the published one quantizes all weights",
            f"Leave out --keep-float or --converter {options.converter}.",
        )
    if "keep_float" in given and options.quantize == "none" and not options.try_remedies:
        yield "--keep-float leaves weights unquantized, and none is quantized", "Add --quantize uint8."
    for name in ("layers", "trace_samples", "trace_memory"):
        if name in given and not options.trace:
            option = BY_NAME[name].option
            yield f"{option} says what to trace, and nothing is traced", "Add --trace, or use pycheck trace."
    if options.bundle_point and not options.bundle:
        yield "--bundle-point says what to put into a bundle, and none is asked for", "Add --bundle DIR."
    for engine in dict(options.browser_path).keys() & dict(options.connect).keys():
        yield f"{engine} is given both --browser-path and --connect", "Leave out one of them."
