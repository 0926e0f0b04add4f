"""The table of all options: name, kind, default, help, the places that can set it, and the commands that take it.

From here come the command line, ``PYCHECK_*``, the keys of pycheck.toml and their JSON schema, the keywords of the
functions, the reproducing command, and docs/options.md. After a change: ``python docs/make_options.py``.

Imported for ``pycheck --help``, and so without NumPy and pydantic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .by_name import Addresses, BrowserArguments, BrowserPaths, Limits, RangesOfInputs, SizesOfInputs
from .kinds import (
    Assignments,
    Bytes,
    Choice,
    Code,
    DaskCluster,
    FilePath,
    Kind,
    Number,
    Origin,
    Policy,
    Runtimes,
    Seconds,
    ShardOfCheck,
    Share,
    Switch,
    Texts,
    Whole,
)

FORMATS = ("auto", "layers", "graph", "tflite")
CONVERTERS = ("pycheck", "tensorflowjs")
QUANTIZATIONS = ("none", "float16", "uint16", "uint8", "dynamic", "int8")
#: The quantizations that only one of both libraries has.
TFJS_QUANTIZATIONS = ("uint16", "uint8")
LITERT_QUANTIZATIONS = ("dynamic", "int8")

#: Groups of commands.
_COMPARED = ("compare", "trace")
_MIGRATED = ("migrate",)
_TRAINED = ("train", "gradients")
_RUN = (*_COMPARED, *_MIGRATED, *_TRAINED, "check", "baseline")
#: The command that writes the code of the other side.
_EMITTED = ("preprocess",)
_LOADED = (*_COMPARED, *_MIGRATED, *_TRAINED, "convert", *_EMITTED)
_PREPARED = (*_COMPARED, *_EMITTED)
_SENT = (*_RUN, "convert", "decoders", *_EMITTED)
_STARTED = (*_SENT, "doctor")
_CONVERTED = (*_COMPARED, "convert")
_MADE_FOR = (*_COMPARED, *_MIGRATED, "convert")
_JUDGED = (*_COMPARED, *_MIGRATED, "convert", "report")

#: Headings, in the order of the help.
_RUNTIMES = "Runtimes"
_ARTIFACT = "Artifact"
_MODEL = "Model"
_MADE = "Generated inputs (without INPUTS)"
_FILES = "Files as INPUTS"
_PASSES = "Tolerances"
_TRACING = "Tracing and fixes"
_HANDED = "Exports"
_TRAINING = "Training"
_BROWSERS = "Browsers"
_KEPT = "Cache and saved runs"


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    `name` is the field of `Options` and the keyword in Python. `doc` replaces `help` in Python's documentation.
    `in_file`: a settings file and a variable can set it. `in_model`: it can be set for one model of a check.
    `common`: ``--help`` shows it; ``--help-all`` shows all options.
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
        """Return the option as written on the command line."""
        return self.flag or "--" + self.name.replace("_", "-")

    @property
    def setting(self) -> str:
        """Return the key in a settings file; in upper case, the variable after ``PYCHECK_``."""
        return self.key or self.name

    @property
    def explained(self) -> str:
        """Return the help text with the default."""
        default = f"{self.default:g}" if isinstance(self.default, float) else self.default
        return f"{self.help} (default: {default})." if self.shows_default else f"{self.help}."


OPTIONS = (
    Option(
        "runtimes", Runtimes(),
        "Runtime to test, such as chromium:webgpu. Repeatable (default: cpu, webgl, wasm; of migrate: wasm, webgl; of "
        "preprocess and decoders: cpu in each browser)",
        _RUNTIMES, (*_RUN, *_EMITTED, "decoders"), ("chromium:cpu", "chromium:webgl", "chromium:wasm"), "ID",
        'Runtimes to test, such as ``"chromium:webgl"``; default: cpu, webgl and wasm in Chromium; of `migrate` wasm '
        "and webgl.",
        flag="--runtime", in_model=True, common=True,
    ),
    Option(
        "flags", Assignments(), "Set a TF.js flag. Repeatable", _RUNTIMES, (*_COMPARED, *_MIGRATED, *_TRAINED),
        (), "NAME=VALUE", "TF.js flags to set, by name.", flag="--flag", in_model=True,
    ),
    Option(
        "batch_size", Whole(), "Samples in a batch (default: 32, fewer if they are large; of migrate: 1)", _RUNTIMES,
        (*_COMPARED, *_MIGRATED, *_TRAINED), 32, "N",
        "Samples in a batch; default: 32, fewer if one sample takes much memory; of `migrate` 1.",
        in_model=True,
    ),
    Option(
        "cpu_kernels", Texts(),
        "On webgl and wasm, run this kernel, such as Relu, on TF.js's CPU backend. Repeatable", _RUNTIMES, _COMPARED,
        (), "NAME", 'TF.js kernels, such as "Relu", to run on its CPU backend instead of webgl or wasm.',
        flag="--cpu-kernel", in_model=True,
    ),
    Option(
        "power", Switch(), "Measure how many weight errors of 1 % the comparison would detect (default: yes)",
        _RUNTIMES, (*_COMPARED, *_MIGRATED), True, "",
        "Whether to measure how many weight errors of 1 % the comparison would detect: `Report.power`.",
        in_model=True,
    ),
    Option(
        "format", Choice(FORMATS), "Artifact format for TF.js. auto selects layers if tfjs-layers has every layer, and "
        "graph if not. tflite: only for LiteRT.js",
        _ARTIFACT, _MADE_FOR, "auto", "",
        'Artifact format for TF.js: "auto", "layers" or "graph"; "tflite" is only for LiteRT.js.',
        in_model=True, common=True,
    ),
    Option(
        "converter", Choice(CONVERTERS),
        "Converter: pycheck, or the published Python package tensorflowjs 4.22, unmodified",
        _ARTIFACT, _MADE_FOR, "pycheck", "",
        'Converter: "pycheck", or "tensorflowjs" for the published Python package of that name.', in_model=True,
    ),
    Option(
        "quantize", Choice(QUANTIZATIONS),
        "Quantization of the artifact: none, float16, uint16 or uint8 (TF.js), dynamic or int8 (LiteRT.js)",
        _ARTIFACT, _CONVERTED, "none", "TYPE",
        'Quantization: "none", "float16", "uint16" or "uint8" (TF.js), "dynamic" (LiteRT.js: weights in int8) or '
        '"int8" (LiteRT.js: also activations, calibrated with the inputs).',
        in_model=True, common=True,
    ),
    Option(
        "keep_float", Texts(),
        "Do not quantize this layer, weight or pattern of weights (*/moving_variance). Repeatable",
        _ARTIFACT, _CONVERTED, (), "NAME",
        'Layers, weights or patterns of weights ("*/moving_variance") that stay float32.', in_model=True,
    ),
    Option(
        "tfjs_model", FilePath(), "Check this model.json instead of converting", _ARTIFACT,
        (*_COMPARED, *_MIGRATED), None, "PATH",
        "An existing ``model.json`` to check instead of converting.", in_file=False, in_model=True, common=True,
    ),
    Option(
        "tflite_model", FilePath(), "Check this .tflite file on LiteRT.js instead of converting", _ARTIFACT, _COMPARED,
        None, "PATH", "An existing ``.tflite`` file to check on LiteRT.js instead of converting.", in_file=False,
        in_model=True,
    ),
    Option(
        "map_output", Assignments(), "Pair an output of the artifact with an output of MODEL. Repeatable", _ARTIFACT,
        (*_COMPARED, *_MIGRATED), (), "TFJS=MODEL",
        "Output name in the artifact to output name in the model, for `tfjs_model` or `tflite_model`.", in_file=False,
        in_model=True,
    ),
    Option(
        "signature", Kind(), "Signature of a SavedModel (default: serving_default, or the only one)", _MODEL,
        _LOADED, None, "NAME", "Signature of a SavedModel; default: ``serving_default``, or the only one.",
        in_model=True,
    ),
    Option(
        "custom_objects", Texts(), "Custom layer or function that the model uses. Repeatable", _MODEL, _LOADED, (),
        "MODULE:ATTR", "Custom layers and functions that the model uses, as ``module:attr``.", in_model=True,
    ),
    Option(
        "trust_model", Switch(), "Run code from the model file, such as Lambda layers", _MODEL, _LOADED, False, "",
        "Whether to run code from the model file, such as Lambda layers.", in_model=True,
    ),
    Option(
        "preprocess", Code(),
        "How a file of INPUTS becomes an input in Python: a function of its path, or a recipe for images (tf, caffe, "
        "torch, rescale or raw, perhaps after center-crop+ or letterbox+), sounds (waveform, log-mel, spectrogram, "
        "yamnet, whisper, librosa or speech-commands, perhaps with parameters) or texts (vocabulary(FILE))",
        _FILES, (*_PREPARED, *_MIGRATED), None, "FILE.py:NAME",
        'How a file becomes an input in Python: a function of its path, ``"FILE.py:NAME"`` or ``"module:name"``, or a '
        'recipe for images ("tf", "caffe", "torch", "rescale" or "raw", perhaps after "center-crop+" or "letterbox+"), '
        'sounds ("waveform(rate=16000)", "log-mel(mels=64)", "yamnet" and others) or texts ("vocabulary(words.txt)").',
        in_model=True, common=True,
    ),
    Option(
        "js_preprocess", Code(),
        "How your page makes an input of the same file: an ES module whose default export, or NAME, takes (blob, tf); "
        "or a recipe",
        _FILES, _PREPARED, None, "FILE.js[:NAME]",
        "How your page makes an input of the same file: an ES module whose default export, or ``NAME``, takes "
        "``(blob, tf)`` and gives a tensor of one sample, or named ones; or a recipe.",
        in_model=True, common=True,
    ),
    Option(
        "postprocess", Code(),
        "What your application decides from the outputs of one file or sample, in Python: a function of the array, or "
        "of a dict of arrays, with a batch axis of 1. It returns a label, boxes, a text or other JSON",
        _FILES, _COMPARED, None, "FILE.py:NAME",
        "What your application decides from the outputs of one file or sample, in Python: a function of the array, or "
        "of a dict of arrays by output name, with a batch axis of 1. It returns a label, boxes, a text or other JSON.",
        in_model=True, common=True,
    ),
    Option(
        "js_postprocess", Code(),
        "The same of your page: an ES module whose default export, or NAME, takes (outputs, tf) (default: the function "
        "of --postprocess)",
        _FILES, _COMPARED, None, "FILE.js[:NAME]",
        "The same of your page: an ES module whose default export, or ``NAME``, takes ``(outputs, tf)``; default: the "
        "function of `postprocess`.",
        in_model=True, common=True,
    ),
    Option(
        "samples", Whole(), "Number of samples to generate", _MADE, _MADE_FOR, 32, "N",
        "Number of samples to generate, if `inputs` is None.", in_model=True, common=True, shows_default=True,
    ),
    Option(
        "seed", Whole(None), "Seed of the generated inputs", _MADE, _MADE_FOR, 0, "S", "Seed of the generated inputs.",
        in_model=True, shows_default=True,
    ),
    Option(
        "range", RangesOfInputs(),
        "Range of all generated inputs, or of INPUT (default: read from the model, or 0:1). Repeatable", _MADE,
        _MADE_FOR, {}, "[INPUT:]LO:HI",
        "Lowest and highest value of the generated inputs: of all, or by input name, ``{\"kinds\": (0, 12)}``.",
        in_model=True, common=True,
    ),
    Option(
        "size", SizesOfInputs(),
        "Free dimensions of generated inputs, such as 224x224 or audio:16000 (default: the size that the model needs). "
        "Repeatable", _MADE, _MADE_FOR, {}, "[INPUT:]N[xN]",
        "Free dimensions of the generated inputs: of all, or by input name, ``{\"audio\": 16000, \"image\": (224, "
        "224)}``. "
        "None selects the size that the model needs.", in_model=True,
    ),
    Option(
        "rtol", Limits(), "Relative tolerance as in NumPy, instead of the automatic one", _PASSES, _JUDGED,
        {}, "[OUTPUT:]X",
        "Relative tolerance as in NumPy, ``|c - r| <= atol + rtol * |r|``; replaces the automatic one.",
        in_model=True, common=True,
    ),
    Option(
        "atol", Limits(), "Absolute tolerance as in NumPy, instead of the automatic one", _PASSES, _JUDGED, {},
        "[OUTPUT:]X",
        "Absolute tolerance as in NumPy; replaces the automatic one.", in_model=True, common=True,
    ),
    Option(
        "max_ulp", Limits(), "Largest error in units in the last place (ULP)", _PASSES, _JUDGED, {}, "[OUTPUT:]N",
        "Largest error in units in the last place (ULP) of the candidate's precision.", in_model=True,
    ),
    Option(
        "decisions_changed", Share(),
        "Largest share of files that may get another class or decision, from 0 to 1", _PASSES, (*_COMPARED, "report"),
        0.0, "SHARE",
        "Largest share of files that may get another class or decision, from 0 to 1.",
        in_model=True, shows_default=True,
    ),
    Option(
        "box_overlap", Share(),
        "Overlap (intersection over union) from which on two boxes of one label are the same, from 0 to 1", _PASSES,
        _COMPARED, 0.5, "IOU",
        "Overlap (intersection over union) from which on two boxes of one label are the same, from 0 to 1.",
        in_model=True, shows_default=True,
    ),
    Option(
        "nan", Policy(("fail", "warn", "ignore")), "How to judge a NaN or Inf that only one side has", _PASSES,
        (*_JUDGED, *_TRAINED), "fail", "", 'How to judge a NaN or Inf that only one side has: "fail", "warn" or '
        '"ignore".',
        in_model=True, shows_default=True,
    ),
    Option(
        "trace", Switch(), "If a runtime fails, find the operation that introduces the difference", _TRACING,
        ("compare",), False,
        "", "Whether to trace the runtimes that fail, in the same browser: see `trace`. If all pass, the report has no "
        "trace.", in_model=True, common=True, replayed=False,
    ),
    Option(
        "layers", Texts(), "Trace only this layer or node and its inputs. Repeatable", _TRACING, _COMPARED, (), "NAME",
        "Names of layers or nodes: only these and their inputs are traced.", flag="--layer", in_file=False,
    ),
    Option(
        "trace_samples", Whole(),
        "Number of samples to trace, failing ones first (default: 8; fewer if large; more if TF.js would run so few "
        "on its CPU backend)", _TRACING, _COMPARED, None, "N",
        "Number of samples to trace, failing ones first; default: 8, fewer if they are large, and more if TF.js would "
        "run so few on its CPU backend.", in_model=True,
    ),
    Option(
        "trace_memory", Bytes(),
        "Memory for traced values, such as 512MiB (default: 400MiB, up to 1GiB if one value needs it). "
        "Each page holds half as much", _TRACING, _COMPARED, None, "SIZE",
        'Memory for traced values, in bytes or as text such as "512MiB"; default: 400 MiB, up to 1 GiB if one '
        "value needs it. The page of each runtime holds half as much.", in_model=True,
    ),
    Option(
        "try_remedies", Switch(), "If a runtime fails, try fixes and report which of them work",
        _TRACING, (*_COMPARED, "train"), False, "",
        "Whether to try fixes on the runtimes that fail. `Report.remedies`, or `training.cures` after a training, has "
        "each change and its result. The verdict is that of the run without fixes.",
        common=True,
    ),
    Option(
        "bundle", FilePath(), "Write the first faulty operation, cut out with its inputs, as a page for a bug report",
        _HANDED, ("trace",), None, "DIR",
        "New or empty folder for the first faulty operation, cut out with the inputs on which it fails: a page that "
        "needs only TF.js or LiteRT.js, the tensors, and a text for an issue. `trace.bundle` of the report describes "
        "it.",
        in_file=False, common=True, replayed=False,
    ),
    Option(
        "bundle_point", Kind(), "Node or layer to write (default: the first that also fails in isolation)",
        _HANDED, ("trace",), None, "NAME", "Node or layer to write, instead of the first that also fails in isolation.",
        in_file=False, replayed=False,
    ),
    Option(
        "model_explorer", FilePath(), "Write the graph and its errors for Google's Model Explorer", _HANDED,
        ("trace",), None,
        "DIR", "New or empty folder for the graph and the errors of its nodes, for Google's Model Explorer.",
        in_file=False, replayed=False,
    ),
    Option(
        "timeout_s", Seconds(), "Seconds to wait for each answer of a browser", _BROWSERS,
        _STARTED, 300.0, "S", "Seconds to wait for each answer of a browser.",
        flag="--timeout", key="timeout", shows_default=True,
    ),
    Option(
        "headed", Switch(), "Show the browser's window", _BROWSERS, _STARTED, False, "",
        "Whether to show the browser's window.",
    ),
    Option(
        "browser_path", BrowserPaths(),
        "Executable of Chromium, or of another engine as in firefox=PATH, webkit=PATH. Repeatable", _BROWSERS,
        _STARTED, (), "[ENGINE=]PATH",
        'Executable of Chromium, or of several engines: ``{"firefox": "/usr/bin/firefox"}``.',
    ),
    Option(
        "browser_args", BrowserArguments(), "Argument for Chromium, or for another engine as in firefox=--width=800. "
        "Repeatable", _BROWSERS,
        _STARTED, (), "[ENGINE=]ARG",
        'Arguments for Chromium, or for another engine as in ``"firefox=--width=800"``.', flag="--browser-arg",
    ),
    Option(
        "connect", Addresses(),
        "Use a running browser: ws:// of a Playwright server, http:// of Chromium's DevTools, webdriver+http:// of a "
        "WebDriver end (webdriver=http:// for every engine), or by-hand to open the page yourself. Repeatable",
        _BROWSERS, _STARTED, (), "ENGINE=ADDRESS",
        "Addresses of running browsers, by engine: of a Playwright server (``ws://``), of Chromium's DevTools "
        "(``http://``), of a WebDriver end (``webdriver+http://``; with the key ``webdriver``, ``http://`` for every "
        'engine), or "by-hand" to open the page yourself.',
    ),
    Option(
        "capabilities", BrowserPaths(),
        "JSON file with the capabilities of the browser that a WebDriver end is asked for. Repeatable",
        _BROWSERS, _STARTED, (), "[ENGINE=]FILE",
        "JSON file with the capabilities of the browser that a WebDriver end is asked for, or of several engines.",
    ),
    Option(
        "isolated", Switch(),
        "Make the page cross-origin isolated (COOP and COEP), which gives WebAssembly threads", _BROWSERS, _STARTED,
        False, "", "Whether the page is cross-origin isolated, so that WebAssembly has threads.", in_model=True,
    ),
    Option(
        "public_url", Origin(), "Address at which a browser elsewhere reaches --public-port of this machine",
        _BROWSERS, _STARTED, None, "URL",
        "Origin, such as ``https://pc.example``, at which a browser elsewhere reaches `public_port` of this machine.",
    ),
    Option(
        "public_port", Whole(), "Port of this machine to which the tunnel or proxy of --public-url leads", _BROWSERS,
        _STARTED, None, "N", "Port of this machine to which the tunnel or proxy of `public_url` leads.",
    ),
    Option(
        "allow_remote", Switch(), "Let the model and the inputs leave this machine, for a browser elsewhere",
        _BROWSERS, _SENT, False, "",
        "Whether the model and the inputs may leave this machine, for a browser elsewhere.",
    ),
    Option(
        "save_run", FilePath(),
        "Save the raw outputs, for pycheck report DIR; of check: the results, for pycheck merge DIR",
        _KEPT, (*_COMPARED, "check"), None, "DIR",
        "Folder to save the raw outputs in, for `rejudge`; of `check` the results, for `merge`.", in_file=False,
        common=True, replayed=False,
    ),
    Option(
        "shard", ShardOfCheck(),
        "Run only part K of the N parts of the matrix, such as 2/5; --save-run saves it for pycheck merge",
        _KEPT, ("check",), None, "K/N",
        'The part of the matrix to run, such as ``"2/5"``; `save_run` saves it, and `merge` puts all parts together.',
        in_file=False, common=True, replayed=False,
    ),
    Option(
        "dask", DaskCluster(),
        "Run on the workers of a Dask cluster: the address of its scheduler, or local for all cores of this machine",
        _KEPT, ("check", "baseline"), None, "ADDRESS|local",
        'The Dask cluster to run on: the address of its scheduler, such as ``"tcp://10.0.0.5:8786"``, or ``"local"`` '
        "for all cores of this machine.",
        common=True, replayed=False,
    ),
    Option(
        "cache", Switch(), "Read earlier artifacts and Python results from the cache, and add new ones (default: yes)",
        _KEPT, (*_RUN, "convert", *_EMITTED), True, "",
        "Whether to read artifacts and Python results from the cache, and to add new ones.",
    ),
    Option(
        "fresh", Switch(), "Run every runtime, also where nothing changed since an earlier run", _KEPT,
        ("compare", "check", "baseline"), False, "",
        "Whether to run every runtime, also where nothing changed since an earlier run.", replayed=False,
    ),
    Option(
        "recheck", Share(), "Share of the runtimes to run although nothing changed, from 0 to 1", _KEPT,
        ("compare", "check", "baseline"), 0.02, "SHARE",
        "Share of the runtimes to run although nothing changed since an earlier run, from 0 to 1: drawn at random, to "
        "find answers that vary.",
        shows_default=True, replayed=False,
    ),
    Option(
        "cache_dir", FilePath(), "Folder of the cache", _KEPT, (), None, "DIR", "Folder of the cache.",
        replayed=False,
    ),
)  # fmt: skip

#: Options of a training, which settings files cannot contain.
RECIPE = (
    Option(
        "loss", Kind(),
        "Loss that Keras and TF.js have, such as mse or binary_crossentropy:from_logits, or a formula of the targets y "
        "and the output p, such as 'mean(-y * log(p))' (default: the model's own)", _TRAINING, _TRAINED, None,
        "NAME|FORMULA",
        'Loss such as ``"mse"``, or a formula of the targets ``y`` and the output ``p``; default: the model\'s own.',
        common=True,
    ),
    Option(
        "regularize", Kind(), "Penalty on all kernels, in Python and in TF.js", _TRAINING, _TRAINED, None,
        "l2:X[,l1:X]", 'Penalty on all kernels, such as ``"l2:0.01"``.', common=True,
    ),
    Option(
        "optimizer", Kind(),
        "sgd, momentum, rmsprop, adagrad, adadelta, adam or adamax, as in adam:0.001,epsilon=1e-7 (default: the "
        "model's own)", _TRAINING, ("train",), None, "NAME[:RATE][,ARG=X]",
        'Optimizer such as ``"adam:0.001"`` or ``"adam:0.001,epsilon=1e-7"``; default: the model\'s own.', common=True,
    ),
    Option(
        "steps", Whole(), "Training steps, one batch each", _TRAINING, ("train",), 50, "N", "Training steps, one "
        "batch each.",
        common=True, shows_default=True,
    ),
    Option(
        "clipnorm", Number(), "Gradient clipping: largest norm of each gradient", _TRAINING, ("train",), None, "X",
        "Gradient clipping: largest norm of each gradient, as in Keras. Give at most one kind of clipping.",
    ),
    Option(
        "global_clipnorm", Number(), "Gradient clipping: largest norm of all gradients together", _TRAINING,
        ("train",), None, "X",
        "Gradient clipping: largest norm of all gradients together, as in Keras.", flag="--global-clipnorm",
    ),
    Option(
        "clipvalue", Number(), "Gradient clipping: largest element of a gradient", _TRAINING, ("train",), None, "X",
        "Gradient clipping: largest element of a gradient, as in Keras.",
    ),
)  # fmt: skip

BY_NAME: Mapping[str, Option] = {option.name: option for option in (*OPTIONS, *RECIPE)}
BY_SETTING: Mapping[str, Option] = {option.setting: option for option in OPTIONS if option.in_file}
#: Options that only affect generated inputs.
MADE = tuple(option.name for option in OPTIONS if option.group == _MADE)


def of_command(command: str) -> tuple[Option, ...]:
    """Return the options that a command takes."""
    return tuple(option for option in (*OPTIONS, *RECIPE) if command in option.commands)
