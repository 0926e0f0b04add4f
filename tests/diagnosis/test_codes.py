"""One list of codes: nothing that rules make is outside of it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from pycheck.diagnosis.codes import CODES, finding, nearest
from pycheck.types import Severity

PACKAGE = Path(__file__).parents[2] / "pycheck"


def test_a_finding_with_an_unknown_code_cannot_be_made() -> None:
    with pytest.raises(ValueError, match=r"nan-somewhere.*docs/findings/nan-somewhere\.md"):
        finding("nan-somewhere", Severity.ERROR, summary="", advice="")


def test_every_finding_is_made_where_its_code_is_checked() -> None:
    makers = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if "Finding(" in (source := path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding"
    }
    assert makers == {"diagnosis/codes.py"}


def test_every_code_of_the_list_is_given_by_some_rule() -> None:
    rules = [path for path in PACKAGE.rglob("*.py") if path.name != "codes.py" and path.parent.name != "report"]
    given = {text for path in rules for text in re.findall(r'"([a-z0-9]+(?:-[a-z0-9]+)*)"', path.read_text("utf-8"))}
    assert set(CODES) <= given


@pytest.mark.parametrize(
    ("typed", "first"),
    [("f16overflow", "f16-overflow"), ("nan", "nan-masked"), ("DRIFT", "drift"), ("log-zero", "log-of-zero")],
)
def test_a_code_that_is_mistyped_has_a_nearest(typed: str, first: str) -> None:
    assert nearest(typed)[0] == first


def test_nothing_is_near_to_nonsense() -> None:
    assert nearest("zzzzzz") == ()
