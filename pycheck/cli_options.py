"""Options that several commands take, each declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Format = Annotated[
    str | None,
    typer.Option(
        metavar="auto|layers|graph",
        help="Artifact format. auto takes layers when tfjs-layers has every layer, else graph.",
    ),
]
Quantize = Annotated[
    str | None, typer.Option(metavar="none|float16|uint16|uint8", help="Weight quantization of the artifact.")
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
BrowserArg = Annotated[
    list[str] | None, typer.Option(metavar="[ENGINE=]ARG", help="An argument for a browser, likewise. Repeatable.")
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
Verbose = Annotated[int, typer.Option("-v", "--verbose", count=True, help="Say more; -vv shows tracebacks.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Only the verdict.")]
NoColor = Annotated[bool, typer.Option("--no-color", help="No colour; NO_COLOR does the same.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Compute everything again and keep nothing.")]
InputsPath = Annotated[
    Path | None,
    typer.Argument(metavar="[INPUTS]", help=".npy, .npz or .safetensors; left out: seeded inputs are made."),
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
Range = Annotated[str | None, typer.Option(metavar="LO:HI", help="Range of made inputs (default 0:1).")]
SaveRun = Annotated[Path | None, typer.Option(metavar="DIR", help="Keep the raw outputs, for pycheck report DIR.")]
BatchSize = Annotated[int | None, typer.Option(metavar="N", help="Samples at a time (default 32).")]
Flag = Annotated[
    list[str] | None, typer.Option(metavar="NAME=VALUE", help="A TF.js flag instead of its default. Repeatable.")
]
CpuKernels = Annotated[
    list[str] | None,
    typer.Option(
        "--cpu-kernel",
        metavar="NAME",
        help="Let TF.js's CPU backend run this kernel, such as Relu, on webgl and wasm. Repeatable.",
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
Trace = Annotated[
    bool | None, typer.Option("--trace", help="Where a runtime fails, say at which operation that starts.")
]
Layers = Annotated[
    list[str] | None,
    typer.Option("--layer", metavar="NAME", help="Trace this layer or node, and what it reads. Repeatable."),
]
TraceMemory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE", help="Memory for traced values, such as 512MiB (default 1GiB); each page holds half as much."
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
    str | None, typer.Option(metavar="l2:X[,l1:X]", help="Penalty on every kernel, in both worlds alike.")
]
