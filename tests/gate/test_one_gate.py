"""What passes is decided in pycheck/gate and nowhere else: held by the syntax trees of all other modules.

What is searched for:

- a `Verdict` that is made: `Verdict.X` that is neither compared with something nor the key of a table of words, and
  `Verdict(...)`;
- what the gate sets on a measurement (`GATES_OWN`), given to a call by keyword, as `replace(c, passed=True)` does, or
  assigned to an attribute;
- a division whose divisor names a limit (`LIMIT`), and NumPy's functions for the same.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pycheck

ROOT = Path(pycheck.__file__).parent
GATES_OWN = {"passed", "drifted", "excused", "limit_use"}
LIMIT = re.compile(r"limit|tolerance|allowed|max_abs\b|\brms\b|atol|rtol|max_ulp\b|budget")
#: `Rule(passed=...)` is about arguments of layers that tfjs-layers is passed.
OTHERS = {"Rule"}
#: Each element under `rtol` has a limit of its own, and the elements are there only while they are measured.
MEASURED = {("measure.py", "errors[wrong] / allowed[wrong]")}


def decisions(source: str, name: str = "") -> Iterator[str]:
    """What a module decides or computes that only the gate may."""
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    parents = {child: node for node in nodes for child in ast.iter_child_nodes(node)} if "Verdict" in source else {}
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Verdict":
            parent = parents[node]
            words = isinstance(parent, ast.Dict) and node in parent.keys
            if not isinstance(parent, ast.Compare) and not words:
                yield f"makes {ast.unparse(node)}"
        elif isinstance(node, ast.Call):
            called = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if isinstance(node.func, ast.Name) and called == "Verdict":
                yield f"makes {ast.unparse(node)}"
            if called not in OTHERS:
                yield from (f"sets {k.arg} in {called}" for k in node.keywords if k.arg in GATES_OWN)
            if called in ("divide", "true_divide") and LIMIT.search(" ".join(map(ast.unparse, node.args[1:]))):
                yield f"divides: {ast.unparse(node)}"
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and node.attr in GATES_OWN:
            yield f"sets {ast.unparse(node)}"
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and LIMIT.search(ast.unparse(node.right)):
            yield from [f"divides: {text}"] if (name, text := ast.unparse(node)) not in MEASURED else []


def test_no_module_outside_of_the_gate_decides_what_passes() -> None:
    modules = [path for path in sorted(ROOT.rglob("*.py")) if path.relative_to(ROOT).parts[0] != "gate"]
    assert len(modules) > 100
    found = {
        str(path.relative_to(ROOT)): list(decisions(path.read_text(encoding="utf-8"), path.name)) for path in modules
    }
    assert {path: what for path, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "source",
    [
        "verdict = Verdict.PASS",
        "f(verdict=Verdict.ERROR)",
        "Verdict('pass')",
        "def f(): return Verdict.DRIFT if bad else other",
        "replace(c, passed=True)",
        "c.excused = 'so'",
        "share = c.max_abs_error / c.tolerance.max_abs",
        "share = error / limit",
        "np.divide(errors, allowed)",
    ],
)
def test_the_search_finds_what_it_is_for(source: str) -> None:
    assert len(list(decisions(source))) == 1


@pytest.mark.parametrize("source", ["if report.verdict is Verdict.PASS: ...", "{Verdict.PASS: 'PASS'}", "c.passed"])
def test_what_the_gate_decided_may_be_read(source: str) -> None:
    assert list(decisions(source)) == []


#: What once decided by itself, or computed a share, and what it now asks the gate for.
ASKS = {
    "workflow.evaluation": {"assess", "decide", "judge_power"},
    "tracing.measuring": {"assess"},
    "tracing.trace": {"decide"},
    "training.measure": {"share", "training_limit", "assess_gradient"},
    "training.train": {"decide_training"},
    "remedies.failure": {"decide"},
    "remedies.conversion": {"share"},
    "checks.judging": {"decide_check", "policy"},
    "checks.budgets": {"hold"},
    "pytest_plugin.results": {"policy"},
    "pytest_plugin.accepted": {"policy"},
    "workflow.converting": {"exit_code"},
    "cli.publishing": {"exit_code", "check_exit_code"},
}


@pytest.mark.parametrize("name", ASKS)
def test_what_once_decided_by_itself_asks_the_gate(name: str) -> None:
    tree = ast.parse((ROOT / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8"))
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "gate"
        for alias in node.names
    }
    assert ASKS[name] <= imported
