"""Every piece of code that a remedy hands out runs in a bare page, and does what the remedy says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pycheck.remedies import flags
from pycheck.remedies.inputs import _clip, _times
from pycheck.remedies.operations import code as code_of_kernels
from pycheck.types import Environment, Remedy, Report, RuntimeId

from .bare_page import bare_page, run, started
from .conftest import Bench, report

pytestmark = pytest.mark.real

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_KINDS = ("cpu", "webgl", "wasm", "webgpu")


def _javascript(code: str) -> str:
    """The lines for the page: those for Python say so."""
    return "\n".join(line for line in code.splitlines() if not line.endswith(("# Python", "in the model")))


def _failed(kind: str) -> Report:
    """On this backend, with all flags that the search may change in force the other way."""
    given = report({f"chromium:{kind}": "nan"})
    families = flags._FAMILIES.get(kind, ())
    in_force = {name: value == "false" for family in families for name, value in family}
    records = [
        replace(record, environment=Environment("tfjs 4.22.0", float_bits=32, flags=in_force))
        if record.environment
        else record
        for record in given.runtimes
    ]
    return replace(given, runtimes=tuple(records))


def _remedies() -> Iterator[Remedy]:
    """Flags of every family alone, and every backend, as searches that find them hand them out."""
    for kind in _KINDS:
        for family in flags._FAMILIES.get(kind, ()):
            found = Bench(_failed(kind), lambda trial, family=family: set(trial.flags) == set(family)).remedies()
            yield found["flags"]
        other = Bench(_failed(kind), lambda trial, kind=kind: trial.runtimes[0].kind not in (kind, "webgl-f16"))
        yield other.remedies()["backend"]
    for kind in _KINDS[1:]:
        runtime = RuntimeId("chromium", kind)
        wanted = Bench(_failed("cpu"), lambda trial, runtime=runtime: trial.runtimes == (runtime,)).remedies()
        yield wanted["backend"]


@pytest.fixture(scope="module")
def handed_out() -> dict[str, Remedy]:
    """By code; made before the browser starts, which has the thread's event loop."""
    return {remedy.code: remedy for remedy in _remedies() if remedy.worked}


@pytest.fixture(scope="module")
def browser(handed_out: dict[str, Remedy]) -> Iterator[Browser]:
    with started() as browser:
        yield browser


@pytest.mark.exhaustive
def test_flags_are_set_and_backends_are_active(browser: Browser, handed_out: dict[str, Remedy]) -> None:
    assert {remedy.kind for remedy in handed_out.values()} == {"flags", "backend"}
    assert len(handed_out) >= 8
    for code, remedy in handed_out.items():
        page = bare_page(browser)
        run(page, _javascript(code))
        (backend,) = re.findall(r"setBackend\('(\w+)'\)", code)
        assert page.evaluate("() => tf.getBackend()") == backend
        wanted = dict(text.split("=") for text in remedy.options[1::2] if "=" in text)
        for name, value in wanted.items():
            assert page.evaluate("(name) => tf.env().get(name)", name) is (value == "true"), name
        page.close()


def test_inputs_are_changed_alike_in_python_and_in_the_page(browser: Browser) -> None:
    page = bare_page(browser)
    page.evaluate("() => tf.setBackend('cpu')")
    for name in ("x", "serving_default:0", "class", "2nd input"):
        for code, expected in ((_clip(name, "2"), [-2, 0.5, 2]), (_times(name, "0.25"), [-1.0, 0.125, 0.75])):
            python, javascript = code.splitlines()
            variable = python.partition(" = ")[0]
            given = f"let {variable} = tf.tensor1d([-4, 0.5, 3]);\n{javascript}\nreturn [...await {variable}.data()];"
            assert run(page, given) == expected
            scope: dict[str, Any] = {"np": __import__("numpy")}
            scope[variable] = scope["np"].array([-4, 0.5, 3])
            exec(python, scope)
            assert scope[variable].tolist() == expected


@pytest.mark.parametrize(("code", "expected"), [(_clip, [-2, 0.5, 2]), (_times, [-8, 1, 6])])
def test_typed_arrays_of_litert_are_changed_alike(browser: Browser, code: Any, expected: list[float]) -> None:
    _, javascript = code("x", "2", in_litert=True).splitlines()
    page = browser.new_page()
    given = f"let x = new Float32Array([-4, 0.5, 3]);\n{javascript}\nreturn [...x];"
    assert run(page, given) == expected
    page.close()


@pytest.mark.exhaustive
@pytest.mark.parametrize("backend", ["webgl", "wasm"])
def test_kernels_run_on_the_cpu(browser: Browser, backend: str) -> None:
    page = bare_page(browser)
    run(page, _javascript(code_of_kernels(backend, ["Relu", "Conv2D", "Softmax"])))
    assert page.evaluate("() => tf.getBackend()") == backend
    assert run(page, "return [...await tf.relu(tf.tensor1d([-1, Infinity, -Infinity])).data()];") == [
        0,
        float("inf"),
        0,
    ]
