"""Lists every key of the configuration beyond the common settings, with its type and meaning.

The reader takes its types from here, and docs/check.md its tables.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..options.table import OPTIONS


@dataclass(frozen=True, slots=True)
class Key:
    """One key. `kind` is the type that pydantic checks, `shown` its name in the documentation."""

    kind: Any
    shown: str
    text: str
    required: bool = False


_TEXTS = tuple[str, ...]

_SELECTOR: Mapping[str, Key] = {
    "model": Key(str, "pattern", "The models or variants that it applies to; `*` fits anything. Default: all."),
    "runtime": Key(str, "pattern", "The runtimes that it applies to, such as `*:webgl-f16`. Default: all."),
    "output": Key(str, "pattern", "The outputs that it applies to. Default: all."),
}

TOP: Mapping[str, Key] = {
    "formats": Key(
        _TEXTS, "list", "Artifact formats: `auto`, `layers`, `graph`; `tflite` for LiteRT.js. Each is a variant."
    ),
    "quantizations": Key(
        _TEXTS,
        "list",
        "Weight quantizations: `none`, `float16`, `uint16` and `uint8` (TF.js), `dynamic` (LiteRT.js). Each is a "
        "variant too, on the runtimes that have it.",
    ),
    "tfjs_versions": Key(
        _TEXTS, "list", "Releases of TF.js: versions such as `4.21.0`, or npm folders. Each is a variant too."
    ),
    "litert_versions": Key(
        _TEXTS, "list", "Releases of LiteRT.js: versions such as `2.5.2`, or npm folders. Each is a variant too."
    ),
}

#: The common settings that a model may also have.
MODEL_SETTINGS = tuple(option.setting for option in OPTIONS if option.in_model)

MODEL: Mapping[str, Key] = {
    "path": Key(str, "path", "The model, as `pycheck compare` takes it.", required=True),
    "name": Key(str, "text", "The name in reports. Default: the file's name without its ending."),
    "inputs": Key(str, "path", "Its inputs. Default: generated, see `samples`, `seed`, `range` and `size`."),
    **TOP,
}

TOLERANCE: Mapping[str, Key] = {
    **_SELECTOR,
    "rtol": Key(float, "number", "Relative tolerance, with NumPy's meaning."),
    "atol": Key(float, "number", "Absolute tolerance, with NumPy's meaning."),
    "max_ulp": Key(float, "number", "Largest error in units in the last place."),
}

BUDGET: Mapping[str, Key] = {
    **_SELECTOR,
    "max_abs_error": Key(float, "number", "Largest absolute error of any element."),
    "rms_error": Key(float, "number", "Largest root mean square error."),
    "max_ulp_error": Key(float, "number", "Largest error in units in the last place."),
    "error_of_scale": Key(float, "share", "Largest absolute error as a share of the output's largest magnitude."),
    "top1_agreement": Key(float, "share", "Smallest top-1 agreement with Python."),
    "decisions_changed": Key(
        float, "share", "Largest share of files that get another class or decision in the page; 0 allows none."
    ),
    "artifact_size": Key(int | str, "size", "Largest artifact that a runtime loads: bytes, or text such as `5MB`."),
    "latency": Key(float, "number", "Largest latency, as a multiple of that of the runtime `against`."),
    "against": Key(str, "runtime", "The runtime that `latency` is a multiple of."),
}

KNOWN: Mapping[str, Key] = {
    "code": Key(str, "code", "The finding's code, see `pycheck explain`.", required=True),
    "reason": Key(str, "text", "Why it is accepted; the report shows it.", required=True),
    "expires": Key(datetime.date, "date", "The last day on which it is accepted, such as `2027-06-30`.", required=True),
    **_SELECTOR,
}

BASELINE: Mapping[str, Key] = {
    "file": Key(str, "path", "The file. Default: `pycheck-baseline.toml`. A file that is named here must exist."),
    "margin": Key(float, "number", "Largest error, as a multiple of the baseline's. Default: 2."),
    "top1_margin": Key(float, "share", "Largest fall of top-1 agreement. Default: 0."),
}

#: Sections by name, and whether a file may have several.
SECTIONS: Mapping[str, tuple[Mapping[str, Key], bool]] = {
    "models": (MODEL, True),
    "tolerances": (TOLERANCE, True),
    "budgets": (BUDGET, True),
    "known": (KNOWN, True),
    "baseline": (BASELINE, False),
}

LEVELS = ("off", "warn", "error")
