"""pycheck inputs: what a data file by itself tells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pycheck.cli import main as cli
from pycheck.errors import InputsFileError
from pycheck.workflow import hygiene


def save(folder: Path, array: object) -> Path:
    path = folder / "x.npy"
    np.save(path, np.asarray(array))
    return path


def table() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2000, 4)).astype(np.float32)


def codes(path: Path) -> dict[str, str]:
    return {found.code: found.summary for found in hygiene.examine(path).findings}


def test_a_clean_file_has_nothing_to_say_of_it(tmp_path: Path) -> None:
    found = hygiene.examine(save(tmp_path, table()))
    assert found.findings == ()
    assert found.clean


def test_nan_and_infinity_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    x = table()
    x[1500, 2], x[1700, 0] = np.nan, np.inf
    found = hygiene.examine(save(tmp_path, x))
    assert not found.clean
    assert "1 NaN and 1 infinite" in found.findings[0].summary
    assert "sample 1500 [2]" in found.findings[0].summary


def test_the_smallest_and_the_largest_magnitude_are_of_finite_values_that_are_not_0(tmp_path: Path) -> None:
    (array,) = hygiene.examine(save(tmp_path, [[0.0, -0.25], [np.inf, 0.5], [np.nan, 0.3]])).arrays
    assert (array.smallest, array.largest) == (0.25, 0.5)
    (array,) = hygiene.examine(save(tmp_path, np.zeros((3, 2)))).arrays
    assert (array.smallest, array.largest) == (None, None)


def test_an_outlier_and_unlike_columns_are_of_the_scale(tmp_path: Path) -> None:
    x = table()
    x[7, 1] = 1e6
    assert "robust standard deviations" in codes(save(tmp_path, x))["input-scale"]
    x = table() * np.array([1, 1, 1, 1e5], np.float32)
    assert "column 3 reaches" in codes(save(tmp_path, x))["input-scale"]


def test_constant_and_duplicated_columns_are_named(tmp_path: Path) -> None:
    x = table()
    x[:, 3] = 5.0
    x[:, 2] = x[:, 0]
    said = codes(save(tmp_path, x))["data-columns"]
    assert "column 3 has the same value" in said
    assert "columns 0 and 2 are identical" in said


def test_types_that_tfjs_lacks_and_numbers_that_half_floats_lack_are_named(tmp_path: Path) -> None:
    x = table().astype(np.float64)
    x[0, 0], x[1, 0] = 70000.0, 1e-9
    found = codes(save(tmp_path, x))
    assert "float64" in found["data-type"]
    assert "beyond 65504" in found["data-range"]
    assert "below 6e-8" in found["data-range"]


def test_the_command_prints_it_and_its_exit_code_says_whether_a_training_would_break(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(tmp_path, table())
    assert cli.run(["inputs", str(path)]) == 0
    assert "no problem found" in capsys.readouterr().out
    x = table()
    x[0, 0] = np.nan
    assert cli.run(["inputs", str(save(tmp_path, x)), "--json", "-"]) == 1
    assert '"code": "nan-in-data"' in capsys.readouterr().out


@pytest.mark.parametrize("array", [np.zeros((0, 3)), np.array(["a"]), np.zeros((2, 2), complex)])
def test_what_holds_no_numbers_is_refused(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(InputsFileError):
        hygiene.examine(save(tmp_path, array))
