"""What `import pycheck` gives, and what it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.real

HEAVY = ("numpy", "tensorflow", "keras", "playwright", "aiohttp", "pydantic", "rich")


def _run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    ).stdout.strip()


def test_importing_the_package_imports_nothing_that_takes_time() -> None:
    assert _run(f"import sys, pycheck; print(*[name for name in {HEAVY} if name in sys.modules])") == ""


def test_every_public_name_is_there_and_none_is_also_a_package_which_python_would_set_in_its_place() -> None:
    said = _run(
        "import pathlib, pycheck\n"
        "print([name for name in pycheck.__all__ if not hasattr(pycheck, name)])\n"
        "modules = {path.stem for path in pathlib.Path(pycheck.__file__).parent.iterdir()}\n"
        "print(modules & set(pycheck.__all__))"
    )
    assert said.splitlines() == ["[]", "set()"]


def test_a_name_that_is_not_public_is_not_there() -> None:
    said = _run("import pycheck\ntry: pycheck.np\nexcept AttributeError as error: print(error)")
    assert said == "module 'pycheck' has no attribute 'np'"


def test_the_modules_of_training_leave_tensorflow_to_the_loading_of_a_model_which_does_it_quietly() -> None:
    modules = "pycheck.training, pycheck.training.recipe, pycheck.training.compiled"
    assert _run(f"import sys, {modules}; print('tensorflow' in sys.modules)") == "False"


def test_a_run_whose_answers_are_kept_imports_no_web_server() -> None:
    said = _run("import sys, pycheck.workflow.pipeline, pycheck.cli.commands; print(*sys.modules)").split()
    assert "pycheck.workflow.run" in said
    assert not {"aiohttp", "pycheck.protocol", "playwright"} & set(said)
