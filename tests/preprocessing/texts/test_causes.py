"""Each fault of a page is named from token ids alone, and a right page is never blamed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pycheck.preprocessing import find_causes

from ...conftest import more
from ..table import missed
from .faults import FAULTS, RIGHT, TABLE, inputs, words_of, write_texts

EVERY = TABLE.cases()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_texts(tmp_path_factory.mktemp("texts") / "texts")


@pytest.mark.parametrize("most_faults", [1, *more(2)])
def test_faults_are_named_exactly_and_right_pages_are_not_blamed(files: list[Path], most_faults: int) -> None:
    assert len({code for fault in FAULTS for code in fault.codes}) == 7
    outcomes = [TABLE.outcome(case, files) for case in EVERY if len(case.faults) <= most_faults]
    assert not [str(each) for each in outcomes if not each.case.faults and each.explained.causes]
    assert np.mean([each.exact for each in outcomes]) >= 0.95, missed(outcomes)


@pytest.mark.real
@pytest.mark.parametrize("engine", ["chromium", *more("firefox", "webkit")])
def test_faults_of_a_real_page_are_named(files: list[Path], tmp_path: Path, engine: str) -> None:
    some = [case for case in EVERY if len(case.faults) < 2]
    outcomes = list(TABLE.outcomes_in(engine, some, files, tmp_path))
    assert not missed(outcomes)


def test_ids_that_follow_from_no_known_rule_are_compared_with_one_another(files: list[Path]) -> None:
    random = np.random.default_rng(0)
    python = np.zeros((len(files), 30), np.int32)
    for row in python:
        count = int(random.integers(5, 25))
        row[:count] = random.integers(5, 400, count)
    shifted = np.where(python > 0, python + 3, 0)
    (cause,) = find_causes(files, python, shifted).causes
    assert cause.code == "tokens-shifted" and "+3" in cause.page
    front = np.stack([np.roll(row, int((row == 0).sum())) for row in python])
    (cause,) = find_causes(files, python, front).causes
    assert cause.code == "padding-differs"


def test_ids_that_have_nothing_in_common_have_no_cause(files: list[Path]) -> None:
    python = inputs(RIGHT["keras"], files, words_of(RIGHT["keras"], files))
    page = np.random.default_rng(0).integers(0, 1000, python.shape)
    found = find_causes(files, python, page)
    assert found.causes == () and found.unexplained_rms > 100
