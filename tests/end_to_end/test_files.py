"""From files to answers, for real: the same bytes in Python and in a page, each with code of its own."""

from __future__ import annotations

import builtins
import json
import threading
from pathlib import Path
from typing import Any

import keras
import numpy as np
import PIL.Image
import pytest

import pycheck
from pycheck.workflow.files import prepared

from ..conftest import Cli, more
from ..shared import session

pytestmark = pytest.mark.real

CPU = "chromium:cpu"
RIGHT = """
export default async function (blob, tf) {
  const image = await createImageBitmap(blob);
  return tf.tidy(() => tf.browser.fromPixels(image).toFloat().resizeBilinear([16, 16], false, true).div(127.5).sub(1));
}
export async function swapped(blob, tf) {
  const image = await createImageBitmap(blob);
  const right = tf.browser.fromPixels(image).toFloat().resizeBilinear([16, 16], false, true);
  return right.reverse(2).div(255);
}
export async function whole(blob, tf) {
  const image = await createImageBitmap(blob);
  return tf.tidy(() => tf.browser.fromPixels(image).slice([0, 0, 0], [16, 16, 3]));
}
export async function refuses(blob, tf) {
  if (blob.name.endsWith('1.png')) throw new Error('no such picture');
  return tf.tidy(() => tf.zeros([16, 16, 3]));
}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Has m.keras, prep.js, and photos: 0.png to 5.png."""
    folder = tmp_path_factory.mktemp("files")
    keras.utils.set_random_seed(1)
    image = keras.Input((16, 16, 3), name="image")
    features = keras.layers.Flatten()(keras.layers.Conv2D(6, 3, strides=2, activation="relu")(image))
    keras.Model(image, keras.layers.Dense(5, activation="softmax", name="kind")(features)).save(folder / "m.keras")
    (folder / "photos").mkdir()
    random = np.random.default_rng(0)
    for number in range(6):
        small = PIL.Image.fromarray(random.integers(0, 256, (5, 6, 3)).astype(np.uint8))
        small.resize((48, 40), PIL.Image.Resampling.BICUBIC).save(folder / "photos" / f"{number}.png")
    (folder / "prep.js").write_text(RIGHT)
    return folder


def _compare(folder: Path, js: str | None = "", **options: object) -> pycheck.Report:
    page = {} if js is None else {"js_preprocess": f"{folder / 'prep.js'}{js}"}
    given = {"preprocess": "tf", "runtimes": CPU, "power": False, **page, **options}
    return session.compare(folder / "m.keras", folder / "photos", **given)  # type: ignore[arg-type]


def test_the_same_preprocessing_on_both_sides_passes(folder: Path) -> None:
    report = _compare(folder)
    assert report.passed, report.findings
    assert report.pipeline is not None
    (row,) = report.pipeline.rows
    assert row.passed and (row.decided_count, row.changed_count) == (6, 0)
    assert row.inputs[0].max_abs < 1e-5  # both resize in float32
    assert row.outputs[0].both_max < 1e-5


def test_the_blame_is_split_between_input_and_runtime(folder: Path) -> None:
    report = _compare(folder, ":swapped")
    assert not report.passed
    assert all(c.passed for c in report.comparisons if not c.is_noise_floor)  # the model itself is right
    assert report.pipeline is not None
    (row,) = report.pipeline.rows
    (kind,) = row.outputs
    assert row.passed is False
    assert kind.preprocessing_max > 0.01 > 1e-5 > kind.runtime_max
    assert kind.both_max == pytest.approx(kind.preprocessing_max, rel=1e-3)
    assert row.changed_count == row.changed_by_preprocessing
    assert [file.name for file in row.decoded] == sorted(file.name for file in row.files[:4])
    assert not any(file.largest for file in row.decoded)  # PNG
    assert {cause.code for cause in row.causes} == {"channels-swapped", "pixel-scale"}
    assert [(leak.file, leak.tensors, leak.file_count) for leak in report.pipeline.leaks] == [
        ("0.png", 4, 6)
    ]  # all but the last
    assert "tensor-leak" in {finding.code for finding in report.findings}
    assert [file.both_max for file in row.files] == sorted(
        (file.both_max for file in row.files), reverse=True
    ) or row.changed_count
    (found,) = [finding for finding in report.findings if finding.code == "preprocessing-differs"]
    assert found.severity == "error" and row.files[0].name in str(found.advice)


def test_a_file_that_one_side_refuses_is_left_out_on_both(folder: Path) -> None:
    report = _compare(folder, ":refuses")
    assert report.pipeline is not None
    assert [(failed.name, str(failed.runtime)) for failed in report.pipeline.failed] == [("1.png", CPU)]
    assert report.pipeline.rows[0].decided_count == 5 == report.inputs.sample_count
    (found,) = [finding for finding in report.findings if finding.code == "file-fails"]
    assert found.severity == "error" and "no such picture" in found.summary


@pytest.mark.parametrize("runtime", ["chromium:litert-wasm", *more("firefox:wasm", "webkit:cpu", "chromium:webgl")])
def test_each_runtime_has_its_own_input(folder: Path, runtime: str) -> None:
    report = _compare(folder, runtimes=[runtime])
    assert report.passed, report.findings
    assert report.pipeline is not None
    assert [str(row.runtime) for row in report.pipeline.rows] == [runtime]


def test_integers_for_an_input_of_floats_are_what_each_library_gets(folder: Path) -> None:
    graph, litert = CPU, "chromium:litert-wasm"
    report = _compare(folder, ":whole", runtimes=[graph, litert], format="graph")
    assert report.pipeline is not None and not report.passed
    failed = {str(failed.runtime): failed.message for failed in report.pipeline.failed}
    assert all("which is int32 for 'image'" in message for message in failed.values())
    assert "must be float32, but was int32" in failed[graph] and "expected ranked tensor type Float32" in failed[litert]
    layers = _compare(folder, ":whole").pipeline  # tfjs-layers converts as Keras does
    assert layers is not None and layers.rows[0].outputs[0].runtime_max < 1e-5


def test_files_without_a_page_are_only_inputs(folder: Path) -> None:
    report = _compare(folder, None)
    assert report.passed and report.inputs.sample_count == 6
    assert report.pipeline is not None and not report.pipeline.rows


def test_the_command_takes_files_one_by_one_and_its_report_repeats_it(
    folder: Path, command: Cli, tmp_path: Path
) -> None:
    photos = [folder / "photos" / f"{number}.png" for number in (3, 1)]
    options = ["--preprocess", "tf", "--js-preprocess", f"{folder / 'prep.js'}:swapped", "--runtime", CPU]
    told = command(
        "compare", folder / "m.keras", *photos, *options, "--json", tmp_path / "r.json", "--save-run", tmp_path / "run",
        "--html", tmp_path / "r.html",
    )  # fmt: skip
    assert told.code == 1
    assert "From the file to the answer" in told.out
    report = json.loads((tmp_path / "r.json").read_text())
    assert [file["name"] for file in report["pipeline"]["rows"][0]["files"]] in (["3.png", "1.png"], ["1.png", "3.png"])
    assert all(str(photo) in report["command"] for photo in photos)
    page = (tmp_path / "r.html").read_text()
    for alt in ("3.png as the model gets it in Python", f"1.png as the model gets it in the page of {CPU}"):
        assert f'alt="{alt}"' in page
    assert "--js-preprocess" in report["command"]


@pytest.mark.parametrize(
    ("preprocess", "js", "what"),
    [
        (None, None, "does not know how such a file"),
        ("prep.py:load", None, "gives an input for none of the 6 files"),
        ("tf", ":missing", "missing"),
    ],
)
def test_code_that_cannot_be_used_ends_the_run_with_what_is_wrong(
    folder: Path, tmp_path: Path, command: Cli, preprocess: str | None, js: str | None, what: str
) -> None:
    (tmp_path / "prep.py").write_text("def load(path): raise ValueError('not today')\n")
    options = ["--preprocess", str(tmp_path / preprocess) if preprocess != "tf" else "tf"] if preprocess else []
    options += [] if js is None else ["--js-preprocess", f"{folder / 'prep.js'}{js}"]
    told = command("compare", folder / "m.keras", folder / "photos", "--runtime", CPU, *options)
    assert told.code in (2, 3) and what in f"{told.out} {told.err}".replace("\n", " ")


def test_a_page_that_blocks_is_named_and_the_model_is_compared_nevertheless(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pycheck.runtimes.browser.preparing._LEAST_GRACE_S", 0.5)
    (tmp_path / "prep.js").write_text("export default () => { for (;;); }")
    report = _compare(folder, js_preprocess=tmp_path / "prep.js", timeout_s=4)
    assert not report.passed and report.pipeline is not None and not report.pipeline.rows
    assert all(c.passed for c in report.comparisons if not c.is_noise_floor)
    (found,) = [finding for finding in report.findings if finding.code == "file-fails"]
    assert "prep.js" in found.summary and "made no input to compare" in found.summary


def test_a_trace_and_fixes_read_the_samples_again(folder: Path) -> None:
    report = session.trace(
        folder / "m.keras", folder / "photos", preprocess="tf", js_preprocess=f"{folder / 'prep.js'}:swapped",
        runtimes=CPU, atol=1e-12, rtol=0, try_remedies=True,
    )  # fmt: skip
    assert report.trace is not None and report.pipeline is not None and report.remedies


@pytest.mark.parametrize(
    ("recipe", "runtime"),
    [
        ("center-crop+torch", CPU),
        *more(
            *((name, CPU) for name in ("tf", "rescale", "raw", "letterbox+caffe", "letterbox+tf", "center-crop+raw")),
            ("letterbox+torch", "firefox:cpu"), ("center-crop+caffe", "webkit:cpu"), ("tf", "chromium:webgl"),
        ),
    ],
)  # fmt: skip
def test_a_recipe_gives_the_same_input_in_python_and_in_javascript(
    folder: Path, tmp_path: Path, recipe: str, runtime: str
) -> None:
    half = PIL.Image.open(folder / "photos" / "0.png").convert("RGBA")
    half.putalpha(PIL.Image.linear_gradient("L").resize(half.size))
    (tmp_path / "photos").mkdir()
    half.save(tmp_path / "photos" / "half.png")
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    photo = PIL.Image.open(folder / "photos" / "1.png")  # WebKit turns a JPEG, but no PNG
    photo.save(tmp_path / "photos" / "turned.jpg", exif=exif, quality=100, subsampling=0)
    report = session.compare(
        folder / "m.keras", [folder / "photos", tmp_path / "photos"], preprocess=recipe, js_preprocess=recipe,
        runtimes=runtime, power=False,
    )  # fmt: skip
    assert report.pipeline is not None and not report.pipeline.failed
    (row,) = report.pipeline.rows
    step = {"tf": 1 / 127.5, "rescale": 1 / 255, "torch": 1 / 255 / 0.224}.get(recipe.rpartition("+")[2], 1.0)
    # A canvas rounds where it lays transparent pixels on black, and decoders of JPEG differ a little.
    assert row.inputs[0].max_abs < 4.0 * step
    assert row.inputs[0].rms < 0.5 * step


def test_python_and_the_page_preprocess_at_the_same_time(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's function waits for the page to begin: one after the other, it would wait in vain."""
    began, real = threading.Event(), prepared.in_page

    async def in_page(*arguments: Any) -> Any:
        began.set()
        return await real(*arguments)

    monkeypatch.setattr(prepared, "in_page", in_page)
    monkeypatch.setattr(builtins, "page_began", began, raising=False)
    (tmp_path / "waits.py").write_text(
        "import builtins, numpy\n\ndef load(path):\n    assert builtins.page_began.wait(30)\n"
        "    return numpy.zeros((16, 16, 3), 'float32')\n"
    )
    report = _compare(folder, preprocess=f"{tmp_path / 'waits.py'}:load")
    assert report.pipeline is not None and not report.pipeline.failed


def test_a_page_whose_input_does_not_fit_the_model_is_an_error_of_that_page(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "prep.js").write_text("export default (blob, tf) => tf.zeros([8, 8, 3]);")
    report = _compare(folder, js_preprocess=tmp_path / "prep.js")
    assert not report.passed and report.pipeline is not None and not report.pipeline.rows
    (found,) = [finding for finding in report.findings if finding.code == "file-fails"]
    assert found.severity == "error" and "does not fit the model" in found.summary and "8, 8, 3" in found.summary


def test_a_model_that_fails_on_the_input_of_a_page_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def failed(*_: object) -> str:
        return "the GPU is gone"

    monkeypatch.setattr("pycheck.workflow.files.comparing._run_on", failed)
    report = _compare(folder, ":swapped")
    assert not report.passed
    (found,) = [finding for finding in report.findings if finding.code == "file-fails"]
    assert "the GPU is gone" in found.summary
