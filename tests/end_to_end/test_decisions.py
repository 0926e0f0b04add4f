"""From files to decisions, for real: what an application in Python and its page make of the outputs of a model."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest

import pycheck
from pycheck.types import PipelineRow

from ..conftest import Cli, more
from ..shared import session

pytestmark = pytest.mark.real

CPU = "chromium:cpu"
PYTHON = """
import numpy as np

LABELS = ["ant", "bee", "cat", "dog"]

def label(logits):
    scores = np.exp(logits[0]) / np.exp(logits[0]).sum()
    return LABELS[scores.argmax()] if scores.max() > 0.3 else "unsure"

def boxes(outputs):
    found = zip(outputs["box"][0].tolist(), outputs["score"][0].tolist())
    return [{"box": [x, y, x + 1, y + 1], "label": "cat", "score": s} for (x, y), s in found if s > 0.5]
"""
PAGE = """
import {labelOf} from './labels.js';

const decided = (threshold, order) => async (logits, tf) => {
  const tensor = tf.softmax(logits);
  const scores = await tensor.data();
  tensor.dispose();
  const best = scores.indexOf(Math.max(...scores));
  return scores[best] > threshold ? labelOf(order ? order[best] : best) : 'unsure';
};
export default decided(0.3);
export const strict = decided(0.4);
export const reordered = decided(0.3, [0, 2, 1, 3]);
export async function logitsAsScores(logits) {
  const scores = await logits.data();
  const best = scores.indexOf(Math.max(...scores));
  return scores[best] > 0.3 ? labelOf(best) : 'unsure';
}
const throwsFor = (wanted) => {
  let calls = 0;
  return async (logits, tf) => {
    calls += 1;
    if (calls % 6 === wanted) throw new RangeError('no label');
    tf.zeros([1]);
    return decided(0.3)(logits, tf);
  };
};
export const refuses = throwsFor(3);

const boxes = (threshold) => async ({box, score}) => {
  const [corners, scores] = await Promise.all([box.array(), score.array()]);
  const found = corners[0].map(([x, y], index) => ({x, y, width: 1, height: 1, class: 'cat', score: scores[0][index]}));
  return found.filter((each) => each.score > threshold).reverse();
};
export const sameBoxes = boxes(0.5);
export const fewerBoxes = boxes(0.6);
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Has label.keras, boxes.keras, photos of 0.png to 5.png, app/post.py and web/post.js with an import."""
    folder = tmp_path_factory.mktemp("decisions")
    keras.utils.set_random_seed(2)
    image = keras.Input((8, 8, 3), name="image")
    features = keras.layers.Flatten()(keras.layers.Conv2D(4, 3, strides=2, activation="relu")(image))
    keras.Model(image, keras.layers.Dense(4, name="logits")(features)).save(folder / "label.keras")
    box = keras.layers.Reshape((5, 2), name="box")(keras.layers.Dense(10)(features))
    score = keras.layers.Dense(5, "sigmoid", name="score")(features)
    keras.Model(image, {"box": box, "score": score}).save(folder / "boxes.keras")
    (folder / "photos").mkdir()
    for number in range(6):
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3))
        keras.utils.save_img(folder / "photos" / f"{number}.png", pixels, scale=False)
    for name, text in {
        "app/post.py": PYTHON,
        "web/post.js": PAGE,
        "web/labels.js": "export const labelOf = (index) => ['ant', 'bee', 'cat', 'dog'][index];",
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


def _compare(folder: Path, js: str, model: str = "label", **options: object) -> pycheck.Report:
    given = {
        "preprocess": "tf",
        "postprocess": f"{folder / 'app' / 'post.py'}:{model}",
        "js_postprocess": f"{folder / 'web' / 'post.js'}{js}",
        "runtimes": CPU,
        "power": False,
        **options,
    }
    return session.compare(folder / f"{model}.keras", folder / "photos", **given)  # type: ignore[arg-type]


def _row(report: pycheck.Report) -> PipelineRow:
    assert report.pipeline is not None
    (row,) = report.pipeline.rows
    return row


@pytest.mark.parametrize(
    ("model", "export", "runtime"),
    [
        ("label", "", CPU),
        ("boxes", ":sameBoxes", CPU),
        *more(
            ("label", "", "chromium:webgl"),
            ("label", "", "firefox:wasm"),
            ("boxes", ":sameBoxes", "webkit:cpu"),
            ("boxes", ":sameBoxes", "chromium:litert-wasm"),
            ("label", "", "chromium:webgpu"),
        ),
    ],
)
def test_right_code_makes_the_same_decisions(folder: Path, model: str, export: str, runtime: str) -> None:
    report = _compare(folder, export, model, runtimes=runtime, js_preprocess="tf")
    assert report.passed, report.findings
    row = _row(report)
    counts = (row.changed_count, row.changed_by_preprocessing, row.changed_by_runtime, row.changed_by_postprocessing)
    assert (row.decided_count, counts) == (6, (0, 0, 0, 0))
    assert report.pipeline is not None and not report.pipeline.failed
    assert not report.pipeline.leaks
    assert len({file.decision for file in row.files}) > 1  # a comparison of constants would notice nothing


@pytest.mark.parametrize(
    ("model", "export"),
    [("label", ":reordered"), ("boxes", ":fewerBoxes"), *more(("label", ":strict"), ("label", ":logitsAsScores"))],
)
def test_a_page_that_decides_otherwise_is_found_and_its_postprocessing_is_blamed(
    folder: Path, model: str, export: str
) -> None:
    report = _compare(folder, export, model)
    row = _row(report)
    assert not report.passed and all(c.passed for c in report.comparisons if not c.is_noise_floor)
    assert row.changed_count == row.changed_by_postprocessing > 0  # type: ignore[operator]
    assert (row.changed_by_preprocessing, row.changed_by_runtime) == (0, 0)
    first = row.files[0]
    assert first.by == ("postprocessing",) and first.decision != first.page_decision
    assert (
        ("lost" in first.change) if model == "boxes" else (first.change == f"{first.decision} -> {first.page_decision}")
    )
    (found,) = [finding for finding in report.findings if finding.severity == "error"]
    assert found.code == "decisions-differ" and f"give both functions the outputs of {first.name}" in str(found.advice)


def test_a_page_that_throws_for_one_file_is_named_and_the_others_go_on(
    folder: Path, command: Cli, tmp_path: Path
) -> None:
    postprocess = ["--postprocess", f"{folder / 'app/post.py'}:label"]
    js_postprocess = ["--js-postprocess", f"{folder / 'web/post.js'}:refuses"]
    told = command(
        "compare", folder / "label.keras", folder / "photos", "--preprocess", "tf", "--runtime", CPU, "--no-power",
        *postprocess, *js_postprocess,
        "--json", tmp_path / "r.json", "--html", tmp_path / "r.html", "--markdown", tmp_path / "r.md",
    )  # fmt: skip
    report = json.loads((tmp_path / "r.json").read_text())["pipeline"]
    assert told.code == 1
    (failed,) = report["failed"]
    assert (failed["name"], failed["runtime"], failed["step"]) == ("2.png", CPU, "postprocess")
    assert "RangeError: no label (post.js:" in failed["message"]
    assert (report["rows"][0]["decided_count"], report["rows"][0]["changed_count"]) == (5, 0)
    assert [(leak["module"], leak["file"], leak["tensors"]) for leak in report["leaks"]] == [("post.js", "0.png", 1)]
    assert f"{CPU} gives the same decision for 5 of 6 files" in told.out
    assert f"2.png: {CPU} cannot postprocess its outputs" in " ".join(told.out.split())
    for name in ("r.html", "r.md"):
        assert "other decision" in (tmp_path / name).read_text()


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("export default () => undefined;", "decides of no file on chromium:cpu: the function returned undefined"),
        *more(
            ("export default () => { for (;;); }", "post.js gave no result for 3 files in sequence"),
            ("export default () => fetch('https://example.com/');", "https://example.com/"),
        ),
    ],
)
def test_a_function_that_decides_of_no_file_is_one_error_of_its_page(
    folder: Path, tmp_path: Path, code: str, told: str
) -> None:
    (tmp_path / "post.js").write_text(code)
    report = _compare(folder, "", js_postprocess=tmp_path / "post.js", timeout_s=4 if "for (" in code else 60)
    assert not report.passed and all(c.passed for c in report.comparisons if not c.is_noise_floor)
    (found,) = [finding for finding in report.findings if finding.code == "file-fails"]
    assert told in found.summary


def test_a_module_that_cannot_be_used_ends_the_run(folder: Path) -> None:
    with pytest.raises(pycheck.PycheckError, match="it has no export 'lable'; the functions that it exports are: "):
        _compare(folder, ":lable")
    with pytest.raises(pycheck.PycheckError, match=r"There is no file missing\.js"):
        _compare(folder, "", js_postprocess="missing.js")
