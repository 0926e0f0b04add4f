"""Reproduces one operation of a .tflite file in isolation, and writes the files of its bundle: a page of LiteRT.js."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .. import tensors
from ..artifact import Point
from ..errors import PycheckError
from ..gate import precision_bits
from ..report.codec import encode
from ..report.wording import printable
from ..runtimes.browser.litert_parts import LitertParts
from ..runtimes.native.litert_points import LitertPoints
from ..tracing.expecting import other_kernels
from ..tracing.measuring import Expected, allowed_error, compare_point
from ..types import Array, Environment, NanPolicy, RuntimeId, TracePoint
from .operation import Outcome
from .page import (
    ENVIRONMENT_FILE,
    ISSUE_FILE,
    PAGE_FILE,
    TENSORS_FILE,
    Names,
    described,
    filled,
    table,
    tensor_data,
    title,
)

MODEL_FILE = "model.tflite"
CDN = "https://cdn.jsdelivr.net/npm/@litertjs/"
NAMES = Names("LiteRT.js", "LiteRT.js", "TensorFlow Lite")


@dataclass(frozen=True, slots=True)
class LitertContent:
    """The content of a bundle. `model` is the file of the operation, whose inputs are named as the operands."""

    pycheck_version: str
    point: TracePoint
    runtime: RuntimeId
    environment: Environment
    python: Environment
    model: bytes
    outcome: Outcome

    @property
    def version(self) -> str:
        """Return the version of LiteRT.js, such as 2.5.3."""
        return self.environment.library.rpartition(" ")[2]


async def reproduced_litert(
    version: str, point: TracePoint, single: LitertPoints, feeds: Mapping[str, Array], parts: LitertParts
) -> LitertContent | None:
    """Return the content of the bundle, on one batch of the file; None if the operation does not err there."""
    operation = next(other for other in single.points if other.name == point.name)
    outcome = await _run(operation, single, await single.run(feeds, operation.inputs), parts)
    if outcome.comparison.passed is not False:
        return None
    outcome = await _run(operation, single, _one_batch(outcome, single, operation), parts)
    if outcome.comparison.passed is not False:
        return None
    model = single.graph.part(operation.inputs, [operation.name]).to_bytes()
    return LitertContent(version, point, parts.id, parts.environment, single.environment, model, outcome)


async def _run(point: Point, single: LitertPoints, operands: Mapping[str, Array], parts: LitertParts) -> Outcome:
    expected = (await single.run(operands, [point.name]))[point.name]
    also = await other_kernels(single, point.name, operands)
    (given,) = await parts.run_jobs(operands, [(point.inputs, (point.name,))])
    if isinstance(given, PycheckError):
        raise given
    comparison = compare_point(
        point.name,
        given[point.name],
        Expected(
            expected,
            None,
            reference=single.id,
            allowed=allowed_error(single.graph.coarse, point.name, expected),
            also=also.get(point.name),
        ),
        parts.id,
        precision_bits=precision_bits(parts.id, parts.environment),
        nan=NanPolicy.FAIL,
    )
    return Outcome(operands, expected, None, given[point.name], comparison)


def _one_batch(outcome: Outcome, single: LitertPoints, point: Point) -> dict[str, Array]:
    """Return the operands of the batch of the file that has the worst element."""
    shapes = {name: single.graph.shape_of(name) for name in (*point.inputs, point.name)}
    rows = shapes[point.name][0] if shapes[point.name] else 1
    batch = outcome.comparison.worst[0].sample // rows if outcome.comparison.worst else 0
    return {
        name: value if value.shape == shapes[name] else value[batch * shapes[name][0] : (batch + 1) * shapes[name][0]]
        for name, value in outcome.operands.items()
    }


def litert_files(content: LitertContent) -> dict[str, bytes]:
    """Return all files by name."""
    outcome = content.outcome
    heading = title(content.point, content.runtime, outcome.comparison, NAMES)
    page = filled(heading, _scripts(content), _data(content), "run_litert.js", NAMES)
    named = {f"input/{name}": value for name, value in outcome.operands.items()}
    named |= {"tensorflow_lite": outcome.single, "litert_js": outcome.given}
    return {
        PAGE_FILE: page.encode(),
        MODEL_FILE: content.model,
        TENSORS_FILE: tensors.encode(named).tobytes(),
        ENVIRONMENT_FILE: (json.dumps(_environment(content), indent=2, allow_nan=False) + "\n").encode(),
        ISSUE_FILE: _issue(content, heading).encode(),
    }


def _scripts(content: LitertContent) -> str:
    version = content.version
    imports = {f"@litertjs/{name}": f"{CDN}{name}@{version}/dist/index.js" for name in ("core", "wasm-utils")}
    return f'<script type="importmap">{json.dumps({"imports": imports})}</script>'


def _data(content: LitertContent) -> dict[str, Any]:
    outcome = content.outcome
    tolerance = outcome.comparison.tolerance
    limits = (tolerance.max_abs, tolerance.atol) if tolerance else ()
    limit = next((limit for limit in limits if limit is not None), 0.0)
    return {
        "operation": content.point.op,
        "node": content.point.name,
        "layer": content.point.layer,
        "attributes": {},
        "runtime": str(content.runtime),
        "accelerator": content.runtime.kind.removeprefix("litert-"),
        "version": content.version,
        "wasm": f"{CDN}core@{content.version}/wasm/",
        "model": base64.b64encode(content.model).decode(),
        "inputs": [{"name": name, **tensor_data(tensors.to_tfjs(name, v)[0])} for name, v in outcome.operands.items()],
        "output": content.point.name,
        "limit": limit if math.isfinite(limit) else None,
        "tensorflow": tensor_data(outcome.single, wide=True),
        "tensorflowFloat64": None,
        "reported": tensor_data(outcome.given, wide=True),
    }


def _environment(content: LitertContent) -> dict[str, Any]:
    """Return the environment, without any part of the user's model except this operation, since it is published."""
    data: dict[str, Any] = encode(
        {
            "pycheck_version": content.pycheck_version,
            "operation": content.point.op,
            "node": content.point.name,
            "litert": {"runtime": str(content.runtime), **encode(content.environment)},
            "tensorflow_lite": encode(content.python),
            "comparison": encode(content.outcome.comparison),
        }
    )
    return data


def _issue(content: LitertContent, heading: str) -> str:
    """Format an issue of github.com/google-ai-edge/LiteRT."""
    environment, outcome = content.environment, content.outcome
    lines = [
        f"# {heading}",
        "",
        f"- LiteRT.js: @litertjs/core {content.version}, {content.runtime.kind.removeprefix('litert-')}",
        f"- Browser: {environment.platform or '-'}",
        *([f"- Renderer: {environment.renderer}"] if environment.renderer else []),
        f"- Compared with: {content.python.backend} of {content.python.library}, {content.python.platform}",
        "",
        f"`{content.point.op}`, the only operation of the attached `{MODEL_FILE}`, on:",
        "",
        *(f"- `{printable(name)}`: {described(value)}" for name, value in outcome.operands.items()),
        "",
        *table(outcome, NAMES),
        "",
        f"Open `{PAGE_FILE}` of the attached folder: it loads LiteRT.js, runs this one operation, and prints both "
        "results.",
        "",
        f"Found with pycheck {content.pycheck_version}.",
        "",
    ]
    return "\n".join(lines)
