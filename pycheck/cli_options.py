"""Options of the commands: each is declared once, and those that belong together are one group.

A command takes a group as one parameter; `grouped` shows typer its single options, and --help shows them in a box of
their own. A field has the name that `pycheck.config.build` knows it by.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, get_args, get_type_hints

import typer

Format = Annotated[
    str | None,
    typer.Option(
        metavar="auto|layers|graph",
        help="Artifact format. auto takes layers when tfjs-layers has every layer, else graph.",
    ),
]
Converter = Annotated[
    str | None,
    typer.Option(
        metavar="pycheck|tensorflowjs",
        help="What converts the model: pycheck, or the published Python package tensorflowjs 4.22, as it is.",
    ),
]
Quantize = Annotated[
    str | None, typer.Option(metavar="none|float16|uint16|uint8", help="Weight quantization of the artifact.")
]
KeepFloat = Annotated[
    list[str] | None,
    typer.Option(
        "--keep-float",
        metavar="NAME",
        help="Leave this layer, weight or pattern of weights (*/moving_variance) unquantized. Repeatable.",
    ),
]
SignatureName = Annotated[
    str | None,
    typer.Option(
        "--signature",
        metavar="NAME",
        help="Which signature of a SavedModel (default serving_default, or the only one).",
    ),
]
CustomObjects = Annotated[
    list[str] | None,
    typer.Option(metavar="MODULE:ATTR", help="A custom layer or function that the model uses. Repeatable."),
]
TrustModel = Annotated[
    bool | None, typer.Option("--trust-model", help="Allow Lambda layers: they run code from the model file.")
]
BrowserPath = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[ENGINE=]PATH", help="A browser's executable: Chromium's, or firefox=PATH, webkit=PATH. Repeatable."
    ),
]
BrowserArgs = Annotated[
    list[str] | None,
    typer.Option("--browser-arg", metavar="[ENGINE=]ARG", help="An argument for a browser, likewise. Repeatable."),
]
Connect = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ENGINE=ADDRESS",
        help="Use a browser that runs already: a Playwright server's ws://, Chromium's DevTools http://, or by-hand "
        "to open the page yourself. Repeatable.",
    ),
]
Headed = Annotated[bool | None, typer.Option("--headed", help="Show the browser's window.")]
Timeout = Annotated[
    float | None, typer.Option(metavar="S", help="Seconds to wait for any one answer of a browser (default 300).")
]
Rtol = Annotated[
    list[str] | None,
    typer.Option(metavar="[OUTPUT:]X", help="Relative tolerance, with NumPy's meaning, instead of the automatic one."),
]
Atol = Annotated[list[str] | None, typer.Option(metavar="[OUTPUT:]X", help="Absolute tolerance, likewise.")]
MaxUlp = Annotated[
    list[str] | None, typer.Option(metavar="[OUTPUT:]N", help="Largest error in units in the last place.")
]
Nan = Annotated[
    str | None, typer.Option(metavar="fail|warn|ignore", help="What a NaN or Inf divergence does (default fail).")
]
JsonPath = Annotated[
    str | None, typer.Option("--json", metavar="PATH", help="Write the report as JSON; - is standard output.")
]
HtmlPath = Annotated[str | None, typer.Option("--html", metavar="PATH", help="Write the report as one HTML page.")]
JunitPath = Annotated[str | None, typer.Option("--junit", metavar="PATH", help="Write the report as JUnit XML.")]
MarkdownPath = Annotated[str | None, typer.Option("--markdown", metavar="PATH", help="Write the report as Markdown.")]
Github = Annotated[
    bool | None,
    typer.Option(
        "--github/--no-github",
        help="Annotations in the log of GitHub Actions, and the summary of its step (default: where it runs).",
    ),
]
Verbose = Annotated[
    int, typer.Option("-v", "--verbose", count=True, show_default=False, help="Say more; -vv shows tracebacks.")
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Only the verdict.")]
NoColor = Annotated[bool, typer.Option("--no-color", help="No colour; NO_COLOR does the same.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Compute everything again and keep nothing.")]
InputsPath = Annotated[
    Path | None,
    typer.Argument(metavar="[INPUTS]", help=".npy, .npz, .safetensors or .json; left out: seeded inputs are made."),
]
Runtimes = Annotated[
    list[str] | None,
    typer.Option(
        "--runtime", metavar="ID", help="A candidate, such as chromium:webgpu. Repeatable (default cpu, webgl, wasm)."
    ),
]
TfjsModel = Annotated[Path | None, typer.Option(metavar="PATH", help="Check this model.json instead of converting.")]
MapOutput = Annotated[
    list[str] | None, typer.Option(metavar="TFJS=MODEL", help="Pair an output of the artifact. Repeatable.")
]
Samples = Annotated[int | None, typer.Option(metavar="N", help="How many made inputs (default 32).")]
Seed = Annotated[int | None, typer.Option(metavar="S", help="Seed of made inputs (default 0).")]
Range = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[INPUT:]LO:HI",
        help="Range of made inputs, of all or of one (default: what the model says, else 0:1). Repeatable.",
    ),
]
Size = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[INPUT:]N[xN]",
        help="Free dimensions of made inputs, such as 224x224 or audio:16000 (default: as long as the model needs). "
        "Repeatable.",
    ),
]
SaveRun = Annotated[Path | None, typer.Option(metavar="DIR", help="Keep the raw outputs, for pycheck report DIR.")]
BatchSize = Annotated[
    int | None, typer.Option(metavar="N", help="Samples at a time (default 32; fewer if they are large).")
]
Flags = Annotated[
    list[str] | None,
    typer.Option("--flag", metavar="NAME=VALUE", help="A TF.js flag instead of its default. Repeatable."),
]
CpuKernels = Annotated[
    list[str] | None,
    typer.Option(
        "--cpu-kernel",
        metavar="NAME",
        help="Let TF.js's CPU backend run this kernel, such as Relu, on webgl and wasm. Repeatable.",
    ),
]
Power = Annotated[
    bool | None,
    typer.Option(
        "--power/--no-power",
        help="Measure how many faults of 1 % in the weights the comparison would notice (default: yes).",
    ),
]
TryRemedies = Annotated[
    bool | None,
    typer.Option("--try-remedies", help="Where a runtime fails, try what may cure it, and say what was seen to help."),
]
TraceSamples = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="How many samples to trace, those that failed first (default 8, fewer of large ones; more where TF.js "
        "would compute so few elsewhere).",
    ),
]
#: The box of what a trace looks at; for compare, whether it traces at all stands first there.
_TRACING = "Where it starts, and what cures it"
Trace = Annotated[
    bool | None,
    typer.Option(
        "--trace", rich_help_panel=_TRACING, help="Where a runtime fails, say at which operation that starts."
    ),
]
Layers = Annotated[
    list[str] | None,
    typer.Option("--layer", metavar="NAME", help="Trace this layer or node, and what it reads. Repeatable."),
]
TraceMemory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Memory for traced values, such as 512MiB (default 400MiB, up to 1GiB if one value needs it); "
        "each page holds half as much.",
    ),
]
ConfigPath = Annotated[
    Path | None,
    typer.Option("--config", metavar="PATH", help="The configuration (default pycheck.toml here, or pyproject.toml)."),
]
TfjsVersions = Annotated[
    list[str] | None,
    typer.Option(
        "--tfjs-version",
        metavar="X.Y.Z|DIR",
        help="Run under this release of TF.js, from npm or from a folder that npm filled. Repeatable.",
    ),
]
VariantNames = Annotated[
    list[str] | None,
    typer.Argument(metavar="[MODEL]...", help="Names of models or variants, * for anything; left out: all of them."),
]
Bundle = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Write the source operation, cut out with its inputs, as a page for a bug report."
    ),
]
BundlePoint = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Which source operation, by node or layer (default: the first that errs alone)."),
]
ModelExplorer = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Write graph and errors for Google's Model Explorer.")
]
ModelPath = Annotated[Path, typer.Argument(metavar="MODEL", help=".h5, .hdf5, .keras or a SavedModel folder.")]
TargetsPath = Annotated[
    Path, typer.Argument(metavar="TARGETS", help=".npy, .npz or .safetensors: what the outputs should be.")
]
TrainInputsPath = Annotated[
    Path, typer.Argument(metavar="INPUTS", help=".npy, .npz or .safetensors; the first axis is the sample.")
]
Optimizer = Annotated[
    str | None,
    typer.Option(
        metavar="NAME[:RATE][,ARG=X]",
        help="sgd, momentum, rmsprop, adagrad, adadelta, adam or adamax, such as adam:0.001,epsilon=1e-7; left out: "
        "what the model was compiled with.",
    ),
]
Loss = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FORMULA",
        help="A loss of Keras that TF.js has too, such as mse or binary_crossentropy:from_logits, or a formula of the "
        "targets y and the output p, such as 'mean(-y * log(p))'.",
    ),
]
Steps = Annotated[int, typer.Option(metavar="N", help="Training steps, one batch each.")]
ClipNorm = Annotated[float | None, typer.Option("--clipnorm", metavar="X", help="Largest norm of each gradient.")]
GlobalClipNorm = Annotated[
    float | None, typer.Option("--global-clipnorm", metavar="X", help="Largest norm of all gradients together.")
]
ClipValue = Annotated[float | None, typer.Option("--clipvalue", metavar="X", help="Largest element of a gradient.")]
Regularize = Annotated[
    str | None, typer.Option(metavar="l2:X[,l1:X]", help="Penalty on every kernel, in Python and in TF.js.")
]


@dataclass(frozen=True, slots=True)
class Group:
    """Options that belong together."""

    title: ClassVar[str]

    def given(self) -> dict[str, Any]:
        """By name; what was not given is None."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True)
class Candidates(Group):
    """Where it runs."""

    title = "Runtimes"
    runtimes: Runtimes = None
    flags: Flags = None
    batch_size: BatchSize = None


@dataclass(frozen=True, slots=True)
class Predictors(Candidates):
    """Where it runs, for predictions, whose kernels can be moved."""

    title = Candidates.title
    cpu_kernels: CpuKernels = None
    power: Power = None


@dataclass(frozen=True, slots=True)
class Conversion(Group):
    """What the browser loads, made from the model."""

    title = "The artifact"
    format: Format = None
    converter: Converter = None
    quantize: Quantize = None
    keep_float: KeepFloat = None


@dataclass(frozen=True, slots=True)
class Artifact(Conversion):
    """What the browser loads, made or given."""

    title = Conversion.title
    tfjs_model: TfjsModel = None
    map_output: MapOutput = None


@dataclass(frozen=True, slots=True)
class ModelCode(Group):
    """Which part of a model, and the code that it needs."""

    title = "The model"
    signature: SignatureName = None
    custom_objects: CustomObjects = None
    trust_model: TrustModel = None


@dataclass(frozen=True, slots=True)
class MadeInputs(Group):
    """Inputs that are made from the model's signature."""

    title = "Made inputs, where INPUTS is left out"
    samples: Samples = None
    seed: Seed = None
    range: Range = None
    size: Size = None


@dataclass(frozen=True, slots=True)
class Judgement(Group):
    """What passes."""

    title = "What passes"
    rtol: Rtol = None
    atol: Atol = None
    max_ulp: MaxUlp = None
    nan: Nan = None


@dataclass(frozen=True, slots=True)
class Tracing(Group):
    """Where a difference starts, and what cures it."""

    title = _TRACING
    layers: Layers = None
    trace_samples: TraceSamples = None
    trace_memory: TraceMemory = None
    try_remedies: TryRemedies = None


@dataclass(frozen=True, slots=True)
class Handing(Group):
    """What a trace hands out."""

    title = "What is handed out"
    bundle: Bundle = None
    bundle_point: BundlePoint = None
    model_explorer: ModelExplorer = None


@dataclass(frozen=True, slots=True)
class Objective(Group):
    """What a gradient is of."""

    title = "The training"
    loss: Loss = None
    regularize: Regularize = None


@dataclass(frozen=True, slots=True)
class Recipe(Objective):
    """The objective, and how it is descended."""

    title = Objective.title
    optimizer: Optimizer = None
    steps: Steps = 50
    clipnorm: ClipNorm = None
    global_clipnorm: GlobalClipNorm = None
    clipvalue: ClipValue = None


@dataclass(frozen=True, slots=True)
class Browsers(Group):
    """Which browsers, how they start, and how long they may take."""

    title = "Browsers"
    timeout: Timeout = None
    headed: Headed = None
    browser_path: BrowserPath = None
    browser_args: BrowserArgs = None
    connect: Connect = None


@dataclass(frozen=True, slots=True)
class Reports(Group):
    """Where reports go."""

    title = "Reports"
    json: JsonPath = None
    html: HtmlPath = None
    junit: JunitPath = None
    markdown: MarkdownPath = None
    github: Github = None


@dataclass(frozen=True, slots=True)
class Screen(Group):
    """How much is said at the terminal."""

    title = "The terminal"
    verbose: Verbose = 0
    quiet: Quiet = False
    no_color: NoColor = False


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """The command as typer reads it: every parameter that is a group stands there as the options of that group."""
    signature = inspect.signature(command, eval_str=True)
    groups: dict[str, type[Group]] = {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if isinstance(parameter.annotation, type) and issubclass(parameter.annotation, Group)
    }
    single: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        single += _options_of(groups[parameter.name]) if parameter.name in groups else [parameter]

    @functools.wraps(command)
    def flat(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        command(**values)

    flat.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in single]
    )
    return flat


def _options_of(group: type[Group]) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    options = []
    for field in fields(group):
        kind, option = get_args(hints[field.name])
        boxed = copy(option)
        boxed.rich_help_panel = group.title
        annotation = Annotated[kind, boxed]  # type: ignore[valid-type]
        options.append(
            inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=annotation)
        )
    return options
