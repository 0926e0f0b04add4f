"""Every option, once: its name, kind, default and help, where it may be set, and which commands take it.

From here come the command line, ``PYCHECK_*``, the keys of pycheck.toml and their JSON schema, the keywords of the
functions, the reproducing command, and docs/options.md. After a change: ``python docs/make_options.py``.

Imported for ``pycheck --help``, and so without NumPy and pydantic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .by_name import Addresses, BrowserArguments, BrowserPaths, Limits, RangesOfInputs, SizesOfInputs
from .kinds import Assignments, Bytes, Choice, FilePath, Kind, Number, Policy, Runtimes, Seconds, Switch, Texts, Whole

FORMATS = ("auto", "layers", "graph")
CONVERTERS = ("pycheck", "tensorflowjs")
QUANTIZATIONS = ("none", "float16", "uint16", "uint8")

#: What one compares and traces; what one trains; what runs in browsers at all.
_COMPARED = ("compare", "trace")
_TRAINED = ("train", "gradients")
_RUN = (*_COMPARED, *_TRAINED, "check", "baseline")
_LOADED = (*_COMPARED, *_TRAINED, "convert")
_CONVERTED = (*_COMPARED, "convert")
_JUDGED = (*_COMPARED, "convert", "report")

#: Headings, in the order in which help has them.
_RUNTIMES = "Runtimes"
_ARTIFACT = "The artifact"
_MODEL = "The model"
_MADE = "Made inputs, where INPUTS is left out"
_PASSES = "What passes"
_TRACING = "Where it starts, and what cures it"
_HANDED = "What is handed out"
_TRAINING = "The training"
_BROWSERS = "Browsers"
_KEPT = "What is kept"


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    `name` is that of the field of `Options` and of the keyword in Python. `doc` is what Python's documentation says
    where the command line's `help` does not fit. `in_file` options are also set by a variable; `in_model` ones also
    for one model of a check. `common` ones are those that ``--help`` shows; ``--help-all`` shows the others too.
    """

    name: str
    kind: Kind
    help: str
    group: str
    commands: tuple[str, ...]
    default: Any = None
    metavar: str = ""
    doc: str = ""
    flag: str = ""
    key: str = ""
    in_file: bool = True
    in_model: bool = False
    common: bool = False
    replayed: bool = True
    shows_default: bool = False

    @property
    def option(self) -> str:
        """As the command line has it."""
        return self.flag or "--" + self.name.replace("_", "-")

    @property
    def setting(self) -> str:
        """As a file has it, and a variable after ``PYCHECK_``."""
        return self.key or self.name

    @property
    def explained(self) -> str:
        """The help, with the default."""
        default = f"{self.default:g}" if isinstance(self.default, float) else self.default
        return f"{self.help} (default {default})." if self.shows_default else f"{self.help}."


OPTIONS = (
    Option(
        "runtimes", Runtimes(), "A candidate, such as chromium:webgpu. Repeatable (default cpu, webgl, wasm)",
        _RUNTIMES, _RUN, ("chromium:cpu", "chromium:webgl", "chromium:wasm"), "ID",
        'Candidates such as ``"chromium:webgl"``; default cpu, webgl and wasm in Chromium.',
        flag="--runtime", in_model=True, common=True,
    ),
    Option(
        "flags", Assignments(), "A TF.js flag instead of its default. Repeatable", _RUNTIMES, (*_COMPARED, *_TRAINED),
        (), "NAME=VALUE", "TF.js flags that replace its defaults.", flag="--flag", in_model=True,
    ),
    Option(
        "batch_size", Whole(), "Samples at a time (default 32; fewer if they are large)", _RUNTIMES,
        (*_COMPARED, *_TRAINED), 32, "N", "Samples at a time; default 32, or fewer if one takes much memory.",
        in_model=True,
    ),
    Option(
        "cpu_kernels", Texts(),
        "Let TF.js's CPU backend run this kernel, such as Relu, on webgl and wasm. Repeatable", _RUNTIMES, _COMPARED,
        (), "NAME", 'Kernels of TF.js, such as "Relu", that its CPU backend runs instead of webgl or wasm.',
        flag="--cpu-kernel", in_model=True,
    ),
    Option(
        "power", Switch(), "Measure how many faults of 1 % in the weights the comparison would notice (default: yes)",
        _RUNTIMES, _COMPARED, True, "",
        "Whether to measure how many faults of 1 % in the weights the comparison would notice: `Report.power`.",
        in_model=True,
    ),
    Option(
        "format", Choice(FORMATS), "Artifact format. auto takes layers when tfjs-layers has every layer, else graph",
        _ARTIFACT, _CONVERTED, "auto", "", 'Artifact format: "auto", "layers" or "graph".', in_model=True, common=True,
    ),
    Option(
        "converter", Choice(CONVERTERS),
        "What converts the model: pycheck, or the published Python package tensorflowjs 4.22, as it is",
        _ARTIFACT, _CONVERTED, "pycheck", "",
        '"pycheck", or "tensorflowjs" for the published Python package of that name.', in_model=True,
    ),
    Option(
        "quantize", Choice(QUANTIZATIONS), "Weight quantization of the artifact", _ARTIFACT, _CONVERTED, "none", "",
        'Weight quantization: "none", "float16", "uint16" or "uint8".', in_model=True, common=True,
    ),
    Option(
        "keep_float", Texts(),
        "Leave this layer, weight or pattern of weights (*/moving_variance) unquantized. Repeatable",
        _ARTIFACT, _CONVERTED, (), "NAME",
        'Layers, weights or patterns of weights ("*/moving_variance") that stay float32 all the same.', in_model=True,
    ),
    Option(
        "tfjs_model", FilePath(), "Check this model.json instead of converting", _ARTIFACT, _COMPARED, None, "PATH",
        "An existing ``model.json`` to check instead of converting.", in_file=False, in_model=True, common=True,
    ),
    Option(
        "map_output", Assignments(), "Pair an output of the artifact. Repeatable", _ARTIFACT, _COMPARED, (),
        "TFJS=MODEL", "Artifact output name to model output name, for `tfjs_model`.", in_file=False, in_model=True,
    ),
    Option(
        "signature", Kind(), "Which signature of a SavedModel (default serving_default, or the only one)", _MODEL,
        _LOADED, None, "NAME", "Which signature of a SavedModel; default ``serving_default``, or the only one.",
        in_model=True,
    ),
    Option(
        "custom_objects", Texts(), "A custom layer or function that the model uses. Repeatable", _MODEL, _LOADED, (),
        "MODULE:ATTR", "``module:attr`` of custom layers and functions.", in_model=True,
    ),
    Option(
        "trust_model", Switch(), "Allow Lambda layers: they run code from the model file", _MODEL, _LOADED, False, "",
        "Whether Lambda layers, which run code from the model file, are allowed.", in_model=True,
    ),
    Option(
        "samples", Whole(), "How many made inputs", _MADE, _CONVERTED, 32, "N",
        "How many inputs to make, where `inputs` is None.", in_model=True, common=True, shows_default=True,
    ),
    Option(
        "seed", Whole(None), "Seed of made inputs", _MADE, _CONVERTED, 0, "S", "Seed of made inputs.",
        in_model=True, shows_default=True,
    ),
    Option(
        "range", RangesOfInputs(),
        "Range of made inputs, of all or of one (default: what the model says, else 0:1). Repeatable", _MADE,
        _CONVERTED, {}, "[INPUT:]LO:HI",
        "Lowest and highest value of made inputs: of all, or by input name, ``{\"kinds\": (0, 12)}``.",
        in_model=True, common=True,
    ),
    Option(
        "size", SizesOfInputs(),
        "Free dimensions of made inputs, such as 224x224 or audio:16000 (default: as long as the model needs). "
        "Repeatable", _MADE, _CONVERTED, {}, "[INPUT:]N[xN]",
        "Free dimensions of made inputs: of all, or by input name, ``{\"audio\": 16000, \"image\": (224, 224)}``. "
        "None makes them as long as the model needs.", in_model=True,
    ),
    Option(
        "rtol", Limits(), "Relative tolerance, with NumPy's meaning, instead of the automatic one", _PASSES, _JUDGED,
        {}, "[OUTPUT:]X",
        "Relative tolerance with NumPy's meaning, ``|c - r| <= atol + rtol * |r|``; replaces the automatic one.",
        in_model=True, common=True,
    ),
    Option(
        "atol", Limits(), "Absolute tolerance, likewise", _PASSES, _JUDGED, {}, "[OUTPUT:]X",
        "Absolute tolerance, likewise.", in_model=True, common=True,
    ),
    Option(
        "max_ulp", Limits(), "Largest error in units in the last place", _PASSES, _JUDGED, {}, "[OUTPUT:]N",
        "Largest error in units in the last place of the candidate's own precision.", in_model=True,
    ),
    Option(
        "nan", Policy(("fail", "warn", "ignore")), "What a NaN or Inf divergence does", _PASSES,
        (*_JUDGED, *_TRAINED), "fail", "", 'What a non-finite divergence does: "fail", "warn" or "ignore".',
        in_model=True, shows_default=True,
    ),
    Option(
        "trace", Switch(), "Where a runtime fails, say at which operation that starts", _TRACING, ("compare",), False,
        "", "Whether to trace, in the same browser, the runtimes that fail: see `trace`. The report of a run that "
        "passes has none.", in_model=True, common=True, replayed=False,
    ),
    Option(
        "layers", Texts(), "Trace this layer or node, and what it reads. Repeatable", _TRACING, _COMPARED, (), "NAME",
        "Names of layers or nodes; these alone are traced, and what they read.", flag="--layer", in_file=False,
    ),
    Option(
        "trace_samples", Whole(),
        "How many samples to trace, those that failed first (default 8, fewer of large ones; more where TF.js "
        "would compute so few elsewhere)", _TRACING, _COMPARED, None, "N",
        "How many samples to trace, those that failed first; default 8, fewer where they are large, and more where "
        "TF.js would compute so few elements elsewhere.", in_model=True,
    ),
    Option(
        "trace_memory", Bytes(),
        "Memory for traced values, such as 512MiB (default 400MiB, up to 1GiB if one value needs it); "
        "each page holds half as much", _TRACING, _COMPARED, None, "SIZE",
        'Memory for traced values, in bytes or as text such as "512MiB"; default 400 MiB, and up to 1 GiB if one '
        "value needs it. The page of every runtime holds half as much.", in_model=True,
    ),
    Option(
        "try_remedies", Switch(), "Where a runtime fails, try what may cure it, and say what was seen to help",
        _TRACING, (*_COMPARED, "train"), False, "",
        "Whether to try, on the runtimes that fail, what may cure them: `Report.remedies`, of a training "
        "`training.cures`, says what was changed, and what that gave. The verdict stays that of the run without them.",
        common=True,
    ),
    Option(
        "bundle", FilePath(), "Write the source operation, cut out with its inputs, as a page for a bug report",
        _HANDED, ("trace",), None, "DIR",
        "New or empty folder for the first source operation, cut out with the inputs on which it errs: a page that "
        "needs TF.js alone, the tensors, and a text for an issue. `trace.bundle` of the report tells of it.",
        in_file=False, common=True, replayed=False,
    ),
    Option(
        "bundle_point", Kind(), "Which source operation, by node or layer (default: the first that errs alone)",
        _HANDED, ("trace",), None, "NAME", "Node or layer that is to be in the bundle, instead of the first.",
        in_file=False, replayed=False,
    ),
    Option(
        "model_explorer", FilePath(), "Write graph and errors for Google's Model Explorer", _HANDED, ("trace",), None,
        "DIR", "New or empty folder for the graph and the errors of its nodes, for Google's Model Explorer.",
        in_file=False, replayed=False,
    ),
    Option(
        "timeout_s", Seconds(), "Seconds to wait for any one answer of a browser", _BROWSERS,
        (*_RUN, "convert", "doctor"), 300.0, "S", "Seconds to wait for any one answer of a browser.",
        flag="--timeout", key="timeout", shows_default=True,
    ),
    Option(
        "headed", Switch(), "Show the browser's window", _BROWSERS, (*_RUN, "convert", "doctor"), False, "",
        "Whether to show the browser's window.",
    ),
    Option(
        "browser_path", BrowserPaths(),
        "A browser's executable: Chromium's, or firefox=PATH, webkit=PATH. Repeatable", _BROWSERS,
        (*_RUN, "convert", "doctor"), (), "[ENGINE=]PATH",
        'Chromium\'s executable, or executables by engine: ``{"firefox": "/usr/bin/firefox"}``.',
    ),
    Option(
        "browser_args", BrowserArguments(), "An argument for a browser, likewise. Repeatable", _BROWSERS,
        (*_RUN, "convert", "doctor"), (), "[ENGINE=]ARG",
        'Arguments for the browser: Chromium\'s, or ``"firefox=--width=800"``.', flag="--browser-arg",
    ),
    Option(
        "connect", Addresses(),
        "Use a browser that runs already: a Playwright server's ws://, Chromium's DevTools http://, or by-hand to open "
        "the page yourself. Repeatable", _BROWSERS, (*_RUN, "convert", "doctor"), (), "ENGINE=ADDRESS",
        "Addresses of browsers that run already, by engine: a Playwright server's (``ws://``), Chromium's DevTools "
        '(``http://``), or "by-hand" for a page that a person opens.',
    ),
    Option(
        "save_run", FilePath(), "Keep the raw outputs, for pycheck report DIR", _KEPT, _COMPARED, None, "DIR",
        "Folder to keep the raw outputs in, for `rejudge`.", in_file=False, common=True, replayed=False,
    ),
    Option(
        "cache", Switch(), "Take from the cache what was computed before, and keep there what is new (default: yes)",
        _KEPT, (*_RUN, "convert"), True, "",
        "Whether artifacts and native results may come from and go to the cache.",
    ),
    Option(
        "cache_dir", FilePath(), "Where the cache lies", _KEPT, (), None, "DIR", "Where the cache lies.",
        replayed=False,
    ),
)  # fmt: skip

#: Those that say how to train; no file has them.
RECIPE = (
    Option(
        "loss", Kind(),
        "A loss of Keras that TF.js has too, such as mse or binary_crossentropy:from_logits, or a formula of the "
        "targets y and the output p, such as 'mean(-y * log(p))'", _TRAINING, _TRAINED, None, "NAME|FORMULA",
        'Such as ``"mse"``, or a formula of the targets ``y`` and the output ``p``; None for the model\'s own.',
        common=True,
    ),
    Option(
        "regularize", Kind(), "Penalty on every kernel, in Python and in TF.js", _TRAINING, _TRAINED, None,
        "l2:X[,l1:X]", 'A penalty on all kernels, such as ``"l2:0.01"``.', common=True,
    ),
    Option(
        "optimizer", Kind(),
        "sgd, momentum, rmsprop, adagrad, adadelta, adam or adamax, such as adam:0.001,epsilon=1e-7; left out: "
        "what the model was compiled with", _TRAINING, ("train",), None, "NAME[:RATE][,ARG=X]",
        'Such as ``"adam:0.001"`` or ``"adam:0.001,epsilon=1e-7"``; None for the model\'s own.', common=True,
    ),
    Option(
        "steps", Whole(), "Training steps, one batch each", _TRAINING, ("train",), 50, "N", "How many batches.",
        common=True, shows_default=True,
    ),
    Option(
        "clipnorm", Number(), "Largest norm of each gradient", _TRAINING, ("train",), None, "X",
        "Largest norm of each gradient, as in Keras; at most one of the three kinds of clipping.",
    ),
    Option(
        "global_clipnorm", Number(), "Largest norm of all gradients together", _TRAINING, ("train",), None, "X",
        "Largest norm of all gradients together, likewise.", flag="--global-clipnorm",
    ),
    Option(
        "clipvalue", Number(), "Largest element of a gradient", _TRAINING, ("train",), None, "X",
        "Largest element of a gradient, likewise.",
    ),
)  # fmt: skip

BY_NAME: Mapping[str, Option] = {option.name: option for option in (*OPTIONS, *RECIPE)}
BY_SETTING: Mapping[str, Option] = {option.setting: option for option in OPTIONS if option.in_file}
#: Options that have an effect on made inputs alone.
MADE = tuple(option.name for option in OPTIONS if option.group == _MADE)


def of_command(command: str) -> tuple[Option, ...]:
    """Those that a command takes."""
    return tuple(option for option in (*OPTIONS, *RECIPE) if command in option.commands)
