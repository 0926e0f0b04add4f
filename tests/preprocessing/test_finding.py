"""Causes are named only if they explain most of the difference."""

from __future__ import annotations

import numpy as np
import pytest

from pycheck.preprocessing import find_causes, images
from pycheck.preprocessing.explained import Explained
from pycheck.types import PipelineCause


@pytest.mark.parametrize(("left", "is_named"), [(0.0, True), (0.4, True), (0.6, False), (1.0, False)])
def test_causes_that_leave_most_of_the_difference_are_not_named(
    left: float, is_named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    python, page = np.zeros((2, 4, 4, 3), np.float32), np.full((2, 4, 4, 3), 2.0, np.float32)
    told = Explained((PipelineCause("pixel-scale", "-1 to 1", "0 to 1", 2.0, 2.0 * left),), 2.0 * left)
    monkeypatch.setattr(images, "find_causes", lambda *_: told)
    found = find_causes([], python, page)
    assert found == (told if is_named else Explained((), 2.0))
