"""The function that reports hand out, in a bare page: for every pair of types, for lists, for every kernel at once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pycheck.remedies.operations import code

from ..conftest import more
from .bare_page import bare_page, run, started

pytestmark = pytest.mark.real

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BACKENDS = ("wasm", "webgl")

#: Each tensor of each type, cast to each: values and type; a sum behind it reads the bits as a kernel would.
_CASTS = """
const made = {
  float32: tf.tensor1d([0, 1, 2, -3.5, 256, 0.4]), int32: tf.tensor1d([0, 1, 2, -3, 256, 7], 'int32'),
  bool: tf.tensor1d([false, true, true, false, true, false], 'bool'),
};
if (tf.getBackend() !== 'wasm') {  // which has no complex tensors
  made.complex64 = tf.complex(tf.tensor1d([0, 1, 2, -3.5, 256, 0.4]), tf.tensor1d([1, 0, -1, 2, 3, 4]));
}
const found = {};
for (const [from, x] of Object.entries(made)) for (const to of Object.keys(made)) {
  const y = tf.cast(x, to);
  const next = {
    float32: () => tf.add(y, 0.5), int32: () => tf.add(y, tf.scalar(1, 'int32')), bool: () => tf.logicalNot(y),
    complex64: () => tf.imag(y),
  };
  found[`${from} -> ${to}`] = [y.dtype, [...await y.data()], [...await next[to]().data()]];
}
return found;
"""

#: Kernels of several outputs, of lists of one, of lists of inputs, of texts, and of optional inputs.
_LISTS = """
const one = async (t) => [t.dtype, t.shape, [...await t.data()].map(String)];
const all = async (result) => Promise.all([result].flat().map(one));
const x = tf.tensor2d([[3, 1, 2], [9, 8, 7]]), ids = tf.tensor1d([4, 4, 2, 4], 'int32');
const boxes = tf.tensor2d([[0, 0, 1, 1], [0, 0, 1, 0.9], [0, 2, 1, 3]]), scores = tf.tensor1d([0.9, 0.8, 0.7]);
const suppressed = tf.image.nonMaxSuppressionWithScore(boxes, scores, 3, 0.5, 0.1, 0.5);
const padded = tf.image.nonMaxSuppressionPadded(boxes, scores, 3, 0.5, 0.1, true);
const texts = tf.tensor1d(['ab c', 'd']);
const images = tf.ones([1, 4, 4, 1]), filter = tf.ones([2, 2, 1, 1]);
const found = {
  'unstack of one': tf.unstack(tf.tensor2d([[1, 2]])), 'unstack': tf.unstack(x), 'split in one': tf.split(x, 1, 1),
  'split': tf.split(x, [1, 2], 1), 'concat': tf.concat([x, x], 1), 'stack': tf.stack([ids, ids]),
  'addN': tf.addN([x, x, x]), 'where': tf.where(tf.greater(x, 2), x, tf.neg(x)),
  'topk': Object.values(tf.topk(x, 2)), 'unique': Object.values(tf.unique(ids)), 'argMax': tf.argMax(x, 1),
  'suppressed': Object.values(suppressed), 'padded': Object.values(padded),
  'texts': [tf.reshape(texts, [2, 1]), texts.clone(), ...Object.values(tf.string.stringSplit(texts, ' '))],
  'oneHot': tf.oneHot(ids, 5), 'gather': tf.gather(x, tf.tensor1d([1, 0], 'int32')), 'reshape': tf.reshape(x, [3, 2]),
  'clone': x.clone(), 'cast twice': tf.add(tf.cast(tf.cast(ids, 'bool'), 'float32'), 0.5),
  'fused': tf.fused.conv2d({x: images, filter, strides: 1, pad: 'same', activation: 'relu'}),
  'equal': tf.equal(ids, tf.scalar(4, 'int32')), 'all': tf.all(tf.tensor1d([true, false], 'bool')),
};
return Object.fromEntries(await Promise.all(Object.entries(found).map(async ([name, r]) => [name, await all(r)])));
"""

_COMPLEX = """
const all = async (t) => [t.dtype, t.shape, [...await t.data()].map((v) => Math.round(v * 1e4) / 1e4 + 0)];
const x = tf.tensor2d([[1, 2, 3, 4], [0, -1, 0, 1]]), z = tf.complex(x, tf.neg(x));
const before = tf.memory().numTensors;
const found = tf.tidy(() => ({
  rfft: tf.spectral.rfft(x), fft: tf.spectral.fft(z),
  ifft: tf.spectral.ifft(tf.complex(tf.tensor1d([4, 0]), tf.tensor1d([0, 2]))),
  real: tf.real(z), imag: tf.imag(z), abs: tf.abs(z), reshaped: tf.imag(tf.reshape(z, [8])),
  concat: tf.reshape(tf.imag(tf.concat([z, z], 0)), [16]), sum: tf.imag(tf.add(z, z)), product: tf.real(tf.mul(z, z)),
}));
return Object.fromEntries(await Promise.all(Object.entries(found).map(async ([name, t]) => [name, await all(t)])));
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as browser:
        yield browser


@pytest.fixture(scope="module")
def expected(browser: Browser) -> dict[str, Any]:
    """What TF.js's cpu backend gives."""
    page = bare_page(browser)
    page.evaluate("() => tf.setBackend('cpu')")
    return {"casts": run(page, _CASTS), "lists": run(page, _LISTS), "complex": run(page, _COMPLEX)}


def _patched(browser: Browser, backend: str, kernels: tuple[str, ...] = ()) -> Page:
    """A page in which a report's code was pasted; without kernels, for all that the CPU has."""
    page = bare_page(browser)
    known = kernels or tuple(page.evaluate("() => tf.getKernelsForBackend('cpu').map((k) => k.kernelName)"))
    run(page, f"tf.env().set('WEBGL_CPU_FORWARD', false);\n{code(backend, known)}")
    assert page.evaluate("() => tf.getBackend()") == backend
    return page


@pytest.mark.parametrize(
    ("backend", "every"), [("webgl", True), *more(("wasm", True), ("wasm", False), ("webgl", False))]
)
def test_a_cast_gives_numbers_of_its_type_for_every_pair(
    browser: Browser, expected: dict[str, Any], backend: str, every: bool
) -> None:
    found = run(_patched(browser, backend, () if every else ("Cast",)), _CASTS)
    assert len(found) in (9, 16)
    wanted = {pair: expected["casts"][pair] for pair in found}
    assert {pair: _rounded(value) for pair, value in found.items()} == {p: _rounded(v) for p, v in wanted.items()}
    assert found["int32 -> float32"][2] == [0.5, 1.5, 2.5, -2.5, 256.5, 7.5]
    assert found["float32 -> bool"][1] == [0, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("backend", ["wasm", *more("webgl")])
def test_every_kernel_at_once_gives_what_the_cpu_gives(
    browser: Browser, expected: dict[str, Any], backend: str
) -> None:
    assert run(_patched(browser, backend), _LISTS) == expected["lists"]


@pytest.mark.exhaustive
def test_complex_tensors_are_moved_as_two_parts(browser: Browser, expected: dict[str, Any]) -> None:
    for kernels in ((), ("FFT", "IFFT", "Real", "Imag", "ComplexAbs", "Complex", "Reshape", "Slice", "Concat")):
        page = _patched(browser, "webgl", kernels)
        assert run(page, _COMPLEX) == expected["complex"]


@pytest.mark.parametrize("backend", ["webgl", *more("wasm")])
def test_nothing_is_left_on_either_side(browser: Browser, backend: str) -> None:
    page = _patched(browser, backend)
    counts = run(
        page,
        """
        const cpu = tf.findBackend('cpu'), active = tf.backend();
        const count = () => [tf.memory().numTensors, cpu.numDataIds(), active.numDataIds()];
        const x = tf.tensor2d([[3, 1], [2, 4]]);
        const once = () => tf.tidy(() => {
          tf.cast(tf.concat([tf.unstack(x)[0], tf.reshape(tf.topk(x, 1).values, [2])]), 'int32').dataSync();
          if (tf.getBackend() === 'webgl') tf.real(tf.spectral.rfft(x)).dataSync();
        });
        once();
        const before = count();
        for (let i = 0; i < 3; i++) once();
        return [before, count()];
        """,
    )
    assert counts[0] == counts[1]


def _rounded(value: list[Any]) -> list[Any]:
    dtype, values, sums = value
    return [
        dtype,
        *([v if isinstance(v, str) or math.isnan(v) else round(v, 4) for v in part] for part in (values, sums)),
    ]
