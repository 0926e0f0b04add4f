"""Each fault of a page is named from the inputs alone, and a right page is never blamed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pycheck.preprocessing import find_causes

from ...conftest import more
from ..table import missed
from .faults import FAULTS, RIGHT, TABLE, inputs
from .photos import write_photos

EVERY = TABLE.cases()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Half the size, which is quick."""
    return write_photos(tmp_path_factory.mktemp("photos") / "photos", 0.5)


def test_the_yardstick_has_faults_of_every_kind_alone_and_in_pairs() -> None:
    assert len(FAULTS) >= 40
    assert len({code for fault in FAULTS for code in fault.codes}) == 10
    assert sum(len(case.faults) == 2 for case in EVERY) >= 40


@pytest.mark.parametrize(
    "title",
    [
        "stretch: BGR",
        "crop: 7/8",
        "stretch: lying",
        *more("letterbox: 0 to 255", "stretch: plain", "letterbox: half turn"),
    ],
)
def test_a_fault_is_named_exactly(files: list[Path], title: str) -> None:
    found = TABLE.outcome(TABLE.case(title), files)
    assert found.exact, str(found)


@pytest.mark.exhaustive
def test_at_least_95_percent_of_all_faults_are_named_exactly(files: list[Path]) -> None:
    outcomes = [TABLE.outcome(case, files) for case in EVERY if case.faults]
    assert np.mean([each.exact for each in outcomes]) >= 0.95, missed(outcomes)


#: Of the kinds that TF.js and browsers have functions for.
REAL = ("stretch: BGR", "crop: nearest", "letterbox: 0 to 255", "stretch: right")


@pytest.mark.real
@pytest.mark.parametrize(
    ("engine", "some"), [("chromium", REAL), *more(*((engine, None) for engine in ("chromium", "firefox", "webkit")))]
)
def test_faults_of_a_real_page_are_named_and_a_right_page_is_not_blamed(
    files: list[Path], tmp_path: Path, engine: str, some: tuple[str, ...] | None
) -> None:
    chosen = [case for case in EVERY if some is None or case.title in some]
    outcomes = list(TABLE.outcomes_in(engine, chosen, files, tmp_path))
    assert len(outcomes) == len(some) if some else len(outcomes) > 40
    assert not [str(each) for each in outcomes if not each.case.faults and each.explained.causes]
    assert np.mean([each.exact for each in outcomes]) >= 0.95, missed(outcomes)


def test_undoing_all_causes_leaves_the_rounding_of_floats(files: list[Path]) -> None:
    found = TABLE.outcome(TABLE.case("stretch: BGR"), files).explained
    (cause,) = found.causes
    assert cause.before > 0.1 > 1e-5 > cause.after == found.unexplained_rms


@pytest.mark.parametrize("name", ["stretch", "letterbox"])
def test_noise_of_another_float_arithmetic_is_no_cause(files: list[Path], name: str) -> None:
    python = inputs(RIGHT[name], files)
    page = python + np.random.default_rng(0).normal(size=python.shape).astype(np.float32) * 1e-5
    assert find_causes(files, python, page).causes == ()


def test_a_jpeg_decoder_that_differs_by_few_bytes_is_only_that(files: list[Path]) -> None:
    python = inputs(RIGHT["stretch"], files)
    noise = np.random.default_rng(0).normal(size=python.shape) * 0.9
    page = python + np.stack([(file.suffix == ".jpg") * each for file, each in zip(files, noise, strict=True)]) / 127.5
    (cause,) = find_causes(files, python, page.astype(np.float32)).causes
    assert cause.code == "decoder-differs"


def test_without_a_file_that_says_more_python_and_page_explain_one_another(files: list[Path]) -> None:
    python = np.random.default_rng(0).uniform(size=(len(files), 64, 64, 3)).astype(np.float32)
    found = find_causes(files, python, python[..., ::-1] * 255)
    assert {cause.code: (cause.python, cause.page) for cause in found.causes} == {
        "channels-swapped": ("RGB", "BGR"),
        "pixel-scale": ("0 to 1", "0 to 255"),
    }
    assert found.unexplained_rms < 1e-4


def test_inputs_that_have_nothing_in_common_have_no_cause(files: list[Path]) -> None:
    random = np.random.default_rng(0)
    python, page = (random.uniform(size=(len(files), 64, 64, 3)).astype(np.float32) for _ in range(2))
    found = find_causes(files, python, page)
    assert found.causes == ()
    assert found.unexplained_rms == pytest.approx(np.sqrt(1 / 6), rel=0.01)


@pytest.mark.parametrize("channels", [slice(None), slice(1)])
def test_a_constant_page_has_no_cause(files: list[Path], channels: slice) -> None:
    python = inputs(RIGHT["stretch"], files)
    page = python.copy()
    page[..., channels] = 0
    assert find_causes(files, python, page).causes == ()
    assert find_causes(files, page, python).causes == ()
