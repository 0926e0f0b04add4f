"""docs/check.md says what the code has."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

from pycheck.checks.reading import load

DOCS = Path(__file__).parents[2] / "docs"


def _maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_check", DOCS / "make_check.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_and_the_schema_are_those_of_the_code() -> None:
    maker = _maker()
    page = (DOCS / "check.md").read_text(encoding="utf-8")
    assert page == maker.with_reference(page), "python docs/make_check.py writes it anew"
    assert maker.SCHEMA.read_text(encoding="utf-8") == maker.schema(), "python docs/make_check.py writes it anew"
    assert maker.CONFIGURATION.read_text(encoding="utf-8") == maker.configuration(), "likewise"


def test_the_example_is_a_configuration(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", (DOCS / "check.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    (tmp_path / "pycheck.toml").write_text(example)
    config = load(tmp_path / "pycheck.toml")
    assert [model.name for model in config.models] == ["digits", "text"]


def test_the_sample_matrix_is_a_configuration_of_every_sample() -> None:
    folder = DOCS.parent / "models"
    config = load(folder / "pycheck.toml")
    assert {model.path.name for model in config.models} == {
        path.name for path in folder.iterdir() if path.suffix in (".keras", ".h5")
    }
