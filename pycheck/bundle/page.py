"""Writes the files of a bundle: a page that needs only TF.js, the tensors, the environment, and an issue text."""

from __future__ import annotations

import base64
import html
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np

from .. import tensors
from ..artifact.cut import Cut
from ..report.codec import encode
from ..report.wording import printable
from ..types import Array, Comparison, Environment, RuntimeId, TracePoint
from .operation import Outcome

PAGE_FILE = "index.html"
TENSORS_FILE = "tensors.safetensors"
ENVIRONMENT_FILE = "environment.json"
ISSUE_FILE = "issue.md"

CDN = "https://cdn.jsdelivr.net/npm/@tensorflow/"
#: GitHub accepts issues of up to 65,536 characters.
_MOST_INLINE = 50_000
_MOST_LISTED = 8


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a bundle. `on_gpu` are the operands that an earlier kernel computed, and which are on the GPU."""

    pycheck_version: str
    point: TracePoint
    runtime: RuntimeId
    environment: Environment
    python: Environment
    cut: Cut
    outcome: Outcome
    on_gpu: tuple[str, ...]

    @property
    def tfjs_version(self) -> str:
        """Return the version of TF.js, such as 4.22.0."""
        return self.environment.library.rpartition(" ")[2]


@dataclass(frozen=True, slots=True)
class Names:
    """The names in a page: of the library, in full and in tables, and of its reference in Python."""

    library: str
    short: str
    reference: str


TFJS = Names("TensorFlow.js", "TF.js", "TensorFlow")


def bundle_files(content: Content) -> dict[str, bytes]:
    """Return all files by name."""
    page = _page(content)
    outcome = content.outcome
    named = {f"input/{content.cut.inputs[name]}": value for name, value in outcome.operands.items()}
    named |= {"tensorflow_float32": outcome.single, "tfjs": outcome.given}
    if outcome.double is not None:
        named["tensorflow_float64"] = outcome.double
    return {
        PAGE_FILE: page.encode(),
        TENSORS_FILE: tensors.encode(named).tobytes(),
        ENVIRONMENT_FILE: (json.dumps(_environment(content), indent=2, allow_nan=False) + "\n").encode(),
        ISSUE_FILE: _issue(content, page).encode(),
        **content.cut.files(),
    }


def scripts(content: Content) -> list[str]:
    """Return the addresses of the scripts of TF.js, relative to the CDN."""
    backend = content.runtime.kind.removesuffix("-f16")
    loader = "layers" if content.cut.format == "layers" else "converter"
    packages = ("core", f"backend-{backend}", loader)
    return [f"tfjs-{package}@{content.tfjs_version}/dist/tf-{package}.min.js" for package in packages]


def filled(title: str, scripts: str, data: Mapping[str, Any], run: str, names: Names) -> str:
    """Fill the page: the tags of its scripts, the data, and the file with its functions start and run."""
    folder = files(__package__)
    page = (folder / "page.html").read_text(encoding="utf-8")
    for mark, text in (
        ("%TITLE%", html.escape(title)),
        ("%SCRIPTS%", scripts),
        ("%RUN%", (folder / run).read_text(encoding="utf-8").rstrip()),
        ("%LIBRARY%", names.library),
        ("%SHORT%", names.short),
        ("%REFERENCE%", names.reference),
        ("%DATA%", json.dumps(data, allow_nan=False).replace("<", "\\u003c")),
    ):
        page = page.replace(mark, text)
    return page


def _page(content: Content) -> str:
    tags = ["<!-- Without a network: put these files of the npm packages beside this page. -->"]
    for script in scripts(content):
        local = script.rpartition("/")[2]
        tags.append(f'<script src="{CDN}{script}"></script>')
        tags.append(f"<script>{_loaded(local)} || document.write('<script src=\"{local}\"><\\/script>');</script>")
    return filled(_title(content), "\n".join(tags), _data(content), "run_tfjs.js", TFJS)


def _loaded(script: str) -> str:
    """Return a JavaScript expression that tells whether a script was loaded."""
    if script == "tf-core.min.js":
        return "window.tf"
    if "backend" in script:
        backend = script.removeprefix("tf-backend-").removesuffix(".min.js")
        return f"(window.tf && tf.findBackendFactory('{backend}'))"
    return "(window.tf && tf.loadGraphModel)" if "converter" in script else "(window.tf && tf.loadLayersModel)"


def _data(content: Content) -> dict[str, Any]:
    cut, outcome = content.cut, content.outcome
    inputs = []
    for name, value in outcome.operands.items():
        given, _ = tensors.to_tfjs(name, value)
        inputs.append({"name": cut.inputs[name], "from": name, "onGpu": name in content.on_gpu, **tensor_data(given)})
    precise = outcome.double if outcome.double is not None and outcome.double.shape == outcome.single.shape else None
    tolerance = outcome.comparison.tolerance
    limit = tolerance.max_abs if tolerance and tolerance.max_abs is not None else 0.0
    return {
        "operation": content.point.op,
        "node": content.point.name,
        "layer": content.point.layer,
        "attributes": cut.attributes,
        "runtime": str(content.runtime),
        "backend": content.runtime.kind.removesuffix("-f16"),
        "flags": dict(content.environment.flags_set),
        "format": cut.format,
        "modelTopology": cut.topology,
        "signature": cut.signature,
        "weightSpecs": cut.entries,
        "weightData": base64.b64encode(cut.data).decode(),
        "inputs": inputs,
        "output": cut.output,
        "limit": limit if math.isfinite(limit) else None,
        "tensorflow": tensor_data(outcome.single, wide=True),
        "tensorflowFloat64": None if precise is None else tensor_data(precise, wide=True),
        "reported": tensor_data(outcome.given, wide=True),
    }


def tensor_data(value: Array, *, wide: bool = False) -> dict[str, Any]:
    """Return shape, dtype and little-endian bytes; `wide` ones are float64, which holds all compared values."""
    stored = np.ascontiguousarray(value, dtype=np.float64 if wide else value.dtype)
    data = stored.astype(stored.dtype.newbyteorder("<"), copy=False).tobytes()
    return {"shape": list(value.shape), "dtype": stored.dtype.name, "data": base64.b64encode(data).decode()}


def _environment(content: Content) -> dict[str, Any]:
    """Return the environment, without any part of the user's model except this operation, since it is published."""
    data: dict[str, Any] = encode(
        {
            "pycheck_version": content.pycheck_version,
            "operation": content.point.op,
            "node": content.point.name,
            "attributes": dict(content.cut.attributes),
            "tfjs": {"runtime": str(content.runtime), **encode(content.environment)},
            "tensorflow": encode(content.python),
            "comparison": encode(content.outcome.comparison),
        }
    )
    return data


def title(point: TracePoint, runtime: RuntimeId, comparison: Comparison, names: Names = TFJS) -> str:
    """Return a sentence on the divergence, without a full stop."""
    what = "has a different shape" if comparison.shape_mismatch else f"differs from {names.reference}"
    if comparison.nonfinite.introduced:
        what = f"gives NaN or infinity, {names.reference} does not"
    elif comparison.nonfinite.changed:
        what = f"gives different NaN or infinity than {names.reference}"
    return f"{point.op} on {runtime.kind} {what}"


def _title(content: Content) -> str:
    return title(content.point, content.runtime, content.outcome.comparison)


def _issue(content: Content, page: str) -> str:
    """Format the issue in the order of the template of github.com/tensorflow/tfjs."""
    environment = content.environment
    flags = ", ".join(f"{name}={value}" for name, value in environment.flags_set.items())
    inline = len(page) <= _MOST_INLINE
    where = "the page below" if inline else f"`{PAGE_FILE}` of the attached folder"
    lines = [
        f"# {_title(content)}",
        "",
        "**System information**",
        f"- TensorFlow.js: {content.tfjs_version}, script link, {content.runtime.kind} backend",
        f"- Browser: {environment.platform or '-'}",
        *([f"- Renderer: {environment.renderer}"] if environment.renderer else []),
        *([f"- Flags that are not the default: {flags}"] if flags else []),
        f"- Compared with: {content.python.library}, float32, {content.python.platform}",
        "",
        "**Describe the current behavior**",
        "",
        f"`{content.point.op}` with the attributes `{json.dumps(encode(dict(content.cut.attributes)))}`, on:",
        "",
        *(f"- `{printable(content.cut.inputs[n])}`: {described(v)}" for n, v in content.outcome.operands.items()),
        "",
        *table(content.outcome),
        "",
        "**Describe the expected behavior**",
        "",
        "The result of TensorFlow.",
        "",
        "**Standalone code to reproduce the issue**",
        "",
        f"Open {where}: it loads TensorFlow.js, runs this one operation and prints both results.",
        "",
    ]
    if inline:
        lines += [
            "<details><summary>index.html</summary>",
            "",
            "```html",
            page.rstrip("\n"),
            "```",
            "",
            "</details>",
            "",
        ]
    lines += [f"Found with pycheck {content.pycheck_version}.", ""]
    return "\n".join(lines)


def described(value: Array) -> str:
    """Format the type, the shape and the first values."""
    listed = ", ".join(number(v) for v in tensors.parts(value).reshape(-1)[:_MOST_LISTED])
    more = ", ..." if value.size > _MOST_LISTED else ""
    return f"{value.dtype.name} {list(value.shape)} = {listed}{more}"


def table(outcome: Outcome, names: Names = TFJS) -> list[str]:
    """Format the worst elements, or the shapes if these differ."""
    if outcome.comparison.shape_mismatch:
        return [f"The shape is {list(outcome.given.shape)} and should be {list(outcome.single.shape)}."]
    rows = []
    for element in outcome.comparison.worst[:_MOST_LISTED]:
        place = (element.sample, *element.index)[: outcome.single.ndim]
        rows.append(f"| {list(place)} | {number(outcome.single[place])} | {number(outcome.given[place])} |")
    return [f"| element | {names.reference} | {names.library} |", "| --- | --- | --- |", *rows]


def number(value: Any) -> str:
    """Format a number as JavaScript does."""
    if isinstance(value, np.bool_ | np.integer):
        return str(value)
    number = float(value)
    if math.isfinite(number):
        return f"{number:.9g}"
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
