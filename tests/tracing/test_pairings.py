"""Heads of one shape that an artifact has in another order: compare and trace agree, and the options pair them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pycheck
from pycheck.types import Report, Verdict

from ..shared import session

pytestmark = pytest.mark.real

CPU = "chromium:cpu"
NAMES = ("zeta", "alpha", "mid", "beta")
#: Which head comes at the place of which: a cycle of three, and of four.
ORDERS = {"three": (0, 2, 3, 1), "four": (1, 2, 3, 0)}
OPTIONS: dict[str, Any] = {"runtimes": [CPU], "timeout_s": 120.0, "cache": False}


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, Path]:
    """A model with four heads, its inputs, and a folder with its artifact in both formats."""
    import keras

    keras.utils.set_random_seed(5)
    x = keras.Input((16,), name="x")
    model = keras.Model(x, [keras.layers.Dense(4, activation="softmax", name=name)(x) for name in NAMES])
    folder = tmp_path_factory.mktemp("heads")
    for format in ("layers", "graph"):
        pycheck.convert(model, folder / format, format=format, verify=False)
    return model, np.random.default_rng(0).normal(size=(8, 16)).astype(np.float32), folder


def rotated(folder: Path, format: str, order: tuple[int, ...]) -> Path:
    """The artifact with its outputs in another order, and without names that would tell."""
    target = folder / f"{format}-{''.join(map(str, order))}"
    target.mkdir()
    content = json.loads((folder / format / "model.json").read_text())
    if format == "layers":
        config = content["modelTopology"].get("model_config", content["modelTopology"])["config"]
        config["output_layers"] = [config["output_layers"][place] for place in order]
        renamed = {name: f"head_{place}" for place, name in enumerate(NAMES)}
        text = json.dumps(content)
        for name, other in renamed.items():
            text = text.replace(f'"{name}"', f'"{other}"').replace(f'"{name}/', f'"{other}/')
        content = json.loads(text)
    else:
        outputs = list(content["signature"]["outputs"].values())
        content["signature"]["outputs"] = {outputs[place]["name"]: outputs[place] for place in order}
        content.pop("userDefinedMetadata", None)
    (target / "model.json").write_text(json.dumps(content))
    for path in (folder / format).glob("*.bin"):
        (target / path.name).write_bytes(path.read_bytes())
    return target / "model.json"


def pairs_of(report: Report) -> dict[str, str]:
    (found,) = (f for f in report.findings if f.code == "output-pairing")
    words = shlex.split(found.advice.splitlines()[-1])
    assert words[::2] == ["--map-output"] * (len(words) // 2)
    return dict(word.split("=") for word in words[1::2])


@pytest.mark.exhaustive
@pytest.mark.parametrize(("format", "kind"), [("graph", "three"), ("layers", "four")])
def test_a_trace_explains_rotated_heads_once_and_what_it_says_makes_them_pass(
    heads: tuple[Any, Any, Path], format: str, kind: str
) -> None:
    model, inputs, folder = heads
    artifact = rotated(folder, format, ORDERS[kind])
    report = session.trace(model, inputs, tfjs_model=artifact, **OPTIONS)
    moved = sum(place != at for at, place in enumerate(ORDERS[kind]))
    pairs = pairs_of(report)
    assert len(pairs) == moved
    codes = {finding.code for finding in report.findings if finding.severity.value == "error"}
    assert codes == {"output-pairing", "drift"}
    assert all(f.explained_by for f in report.findings if f.code in ("drift", "top1-flip"))
    assert report.trace is not None
    assert all(split.conversion and split.conversion.passed for split in report.trace.splits)
    paired = session.compare(model, inputs, tfjs_model=artifact, map_output=pairs, **OPTIONS)
    assert paired.verdict is Verdict.PASS
