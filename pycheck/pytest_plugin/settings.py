"""The options of a test: the call overrides the mark, the mark the command line, and that the ini file.

Below these come the environment, pycheck.toml or [tool.pycheck], and the defaults, as for every other command.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ..errors import PycheckError, UsageError
from ..options.reading import build
from ..options.table import of_command
from ..options.values import Options
from ..types import RuntimeId

_OWN = "allow_unavailable"
#: The arguments of `pycheck.compare` besides the model and the inputs.
_KEYWORDS = (*dict.fromkeys(option.name for name in ("compare", "trace") for option in of_command(name)), _OWN)


@dataclass(frozen=True, slots=True)
class Asked:
    """All options of one call."""

    options: Options
    allow_unavailable: bool
    report_dir: Path | None
    baseline: Path | None
    update_baseline: bool


def check(config: pytest.Config) -> None:
    """Raise pytest.UsageError for an invalid option of the command line."""
    try:
        options = _of_command_line(config)
        build({name: value for name, value in options.items() if name != _OWN}, folder=config.rootpath)
    except PycheckError as error:
        raise pytest.UsageError(str(error).replace("--runtime ", "--pycheck-runtimes ", 1)) from error
    if config.getoption("pycheck_update_baseline") and not baseline(config):
        raise pytest.UsageError("--pycheck-update-baseline has no file to write. Add --pycheck-baseline=FILE.")
    folder = _path(config, "pycheck_report_dir")
    try:
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise pytest.UsageError(f"--pycheck-report-dir {folder}: cannot make this folder: {error.strerror}.") from error


def parametrizes(node: pytest.Item | pytest.Function, name: str) -> bool:
    """Tell whether a test has its own `parametrize` for an argument."""
    for mark in node.iter_markers("parametrize"):
        names = mark.kwargs.get("argnames", mark.args[0] if mark.args else ())
        if name in (re.split(r"\s*,\s*", names.strip()) if isinstance(names, str) else names):
            return True
    return False


def matrix(node: pytest.Item) -> tuple[RuntimeId, ...]:
    """Return the runtimes that a test runs on, for the format tflite those of LiteRT.js; CollectError if not valid."""
    try:
        keywords = _keywords(node)
        told = {name: value for name, value in keywords.items() if name in ("runtimes", "format")}
        return build({}, beneath=told, folder=node.config.rootpath).runtimes
    except PycheckError as error:
        raise pytest.Collector.CollectError(f"{node.nodeid}: {error}") from error


def asked(request: pytest.FixtureRequest, what: str, given: Mapping[str, Any], inputs: Any) -> Asked:
    """Return all options of a call; UsageError names the wrong one and the nearest valid one."""
    beneath = _keywords(request.node)
    own = _checked(f"pycheck.{what}", given, (*(option.name for option in of_command(what)), _OWN))
    if "pycheck_runtime" in request.fixturenames:
        own.setdefault("runtimes", (request.getfixturevalue("pycheck_runtime"),))
    if what == "trace":
        own["trace"] = True
    allow_unavailable = bool(own.pop(_OWN, beneath.pop(_OWN, False)))
    beneath.pop(_OWN, None)
    if isinstance(own.get("runtimes"), str):
        own["runtimes"] = _split([own["runtimes"]])
    options = build(own, beneath=beneath, folder=request.config.rootpath, has_inputs=inputs is not None)
    config = request.config
    return Asked(
        options,
        allow_unavailable,
        _path(config, "pycheck_report_dir"),
        baseline(config),
        config.getoption("pycheck_update_baseline"),
    )


def baseline(config: pytest.Config) -> Path | None:
    """Return the path of the baseline."""
    return _path(config, "pycheck_baseline")


def _keywords(node: pytest.Item) -> dict[str, Any]:
    config = node.config
    keywords: dict[str, Any] = {
        name: value
        for name in ("runtimes", "headed", _OWN)
        if (value := config.getini(f"pycheck_{name}")) not in (None, [])
    }
    keywords |= _of_command_line(config)
    for mark in reversed(list(node.iter_markers("pycheck"))):  # the closest mark comes last
        if mark.args:
            raise UsageError(f"@pytest.mark.pycheck: {mark.args[0]!r} has no name.", "Write runtimes=[...], atol=1e-4.")
        keywords |= _checked("@pytest.mark.pycheck", mark.kwargs)
    if isinstance(keywords.get("runtimes"), list | str):
        found = keywords["runtimes"]
        keywords["runtimes"] = _split([found] if isinstance(found, str) else map(str, found))
    return keywords


def _of_command_line(config: pytest.Config) -> dict[str, Any]:
    options = {name: config.getoption(f"pycheck_{name}") for name in ("runtimes", "headed", _OWN)}
    if options["runtimes"]:
        options["runtimes"] = _split(options["runtimes"])
    return {name: value for name, value in options.items() if value}


def _checked(where: str, given: Mapping[str, Any], known: Sequence[str] = _KEYWORDS) -> dict[str, Any]:
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Use one of {', '.join(known)}."
            raise UsageError(f"{where}: unknown option {name!r}.", hint)
    return dict(given)


def _split(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(word for text in texts for word in re.split(r"[,\s]+", text) if word)


def _path(config: pytest.Config, name: str) -> Path | None:
    """Return a path relative to the current folder if it is on the command line, else to the folder of the ini file."""
    if given := config.getoption(name):
        return config.invocation_params.dir / str(given)
    if given := config.getini(name):
        return (config.inipath.parent if config.inipath else config.rootpath) / str(given)
    return None
