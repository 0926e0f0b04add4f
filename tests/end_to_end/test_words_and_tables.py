"""Text and lookup tables through the whole of pycheck: what TF.js's tables give is what TensorFlow's give."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pycheck
from pycheck.errors import ConversionError
from pycheck.types import Report, Verdict

from ..published import import_tensorflowjs
from ..shared import session

pytestmark = pytest.mark.real

RUNTIMES = ("chromium:cpu", "chromium:wasm", "chromium:webgl")
WORDS = [["red"], ["blå"], ["pink"], [""], ["green"]]
IDS = [[10], [30], [7], [-20], [20]]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Text and whole numbers in, and what every kind of table makes of them."""
    from pycheck.model.tensorflow_import import import_tensorflow

    tf = import_tensorflow()
    folder = tmp_path_factory.mktemp("words")
    (folder / "vocabulary.txt").write_text("red\ngreen\nblå\n", encoding="utf-8")

    def table(keys: Any, values: Any, default: Any) -> Any:
        return tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(tf.constant(keys), tf.constant(values)), default
        )

    class Words(tf.Module):
        def __init__(self) -> None:
            self.counts = table(["red", "green", "blå"], np.array([1, 2, 3], np.int64), 0)
            from_file = tf.lookup.TextFileInitializer(
                str(folder / "vocabulary.txt"), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64,
                tf.lookup.TextFileIndex.LINE_NUMBER,
            )  # fmt: skip
            self.lines = tf.lookup.StaticHashTable(from_file, -1)
            self.floats = table(np.array([10, 20, 30], np.int64), np.array([1.5, 2.5, -3.25], np.float32), -1.0)
            self.names = table(np.array([10, 20], np.int64), ["red", "green"], "other")
            self.learned = tf.lookup.experimental.MutableHashTable(tf.int64, tf.int64, 9)
            self.learned.insert(tf.constant([10, -20], tf.int64), tf.constant([5, 6], tf.int64))
            self.rows = tf.Variable(np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32))

        @tf.function(
            input_signature=[tf.TensorSpec([None, 1], tf.string, "word"), tf.TensorSpec([None, 1], tf.int64, "id")]
        )
        def f(self, word: Any, id: Any) -> Any:
            return {
                "embedded": tf.gather(self.rows, self.counts.lookup(word)[:, 0]),
                "lines": self.lines.lookup(word),
                "floats": self.floats.lookup(id) * 2.0,
                "chain": self.counts.lookup(self.names.lookup(id)),
                "learned": self.learned.lookup(id) + self.floats.size(),
            }

    words = Words()
    tf.saved_model.save(words, str(folder / "model"), signatures=words.f)
    return folder / "model"


@pytest.fixture(scope="module")
def report(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    inputs = tmp_path_factory.mktemp("inputs") / "x.json"
    inputs.write_text(json.dumps({"word": WORDS, "id": IDS}), encoding="utf-8")
    return session.compare(model, inputs, runtimes=RUNTIMES, save_run=inputs.with_name("run"), batch_size=2)


@pytest.mark.parametrize("output", ["embedded", "lines", "floats", "chain", "learned"])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_table_gives_in_the_page_what_it_gives_in_python(report: Report, output: str, runtime: str) -> None:
    (found,) = (c for c in report.comparisons if c.tensor == output and str(c.candidate) == runtime)
    assert found.passed and not found.shape_mismatch
    assert found.max_abs_error is not None and found.max_abs_error <= 1e-6


def test_the_run_is_judged_again_from_disk(report: Report) -> None:
    assert report.verdict is Verdict.PASS
    saved = Path(report.inputs.path or "").with_name("run")
    assert pycheck.rejudge(saved).verdict is Verdict.PASS


def test_inputs_are_made_of_the_tables_words_and_others(model: Path) -> None:
    made = session.compare(model, runtimes=["chromium:cpu"], samples=12, trace=True)
    assert made.verdict is Verdict.PASS
    assert any(note.startswith("word: the 3 keys of the table") for note in made.inputs.notes), made.inputs.notes


def test_a_trace_passes_over_text_and_handles(model: Path) -> None:
    traced = session.trace(model, {"word": np.array(WORDS), "id": IDS}, runtimes=["chromium:cpu"])
    assert traced.verdict is Verdict.PASS
    assert traced.trace and {"lookup_table"}.isdisjoint(row["point"] for row in traced.trace.table())


def _scores(folder: Path, lookup_of: Callable[[Any, Any], Callable[[Any], Any]]) -> Path:
    """A SavedModel with one table."""
    from pycheck.model.tensorflow_import import import_tensorflow

    tf = import_tensorflow()
    module = tf.Module()
    keys, values = tf.constant([10, 20, 30], tf.int64), tf.constant([1.5, 2.5, 3.5])
    module.table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), -1.0)
    looking = lookup_of(tf, module.table)
    module.f = tf.function(
        lambda x: {"score": looking(x) * 2.0}, input_signature=[tf.TensorSpec([None, 1], tf.int64, "feature")]
    )
    tf.saved_model.save(module, str(folder), signatures=module.f)
    return folder


def test_a_lookup_in_a_loop_is_named_since_tfjs_has_none(tmp_path: Path) -> None:
    def looped(tf: Any, table: Any) -> Callable[[Any], Any]:
        return lambda x: tf.while_loop(
            lambda i, _: i < 3, lambda i, t: (i + 1, t + table.lookup(x)), (0, tf.zeros_like(x, tf.float32))
        )[1]

    model = _scores(tmp_path / "model", looped)
    with pytest.raises(ConversionError, match=r"lookup tables in loops and branches"):
        session.compare(model, np.array([[10]]), runtimes=["chromium:cpu"])


def test_an_artifact_of_the_published_converter_has_the_fault_of_its_lookups(tmp_path: Path) -> None:
    """Its handles are inputs, its tables are filled by a second graph, and its results lose the shape of the keys."""
    import_tensorflowjs()
    from tensorflowjs.converters import tf_saved_model_conversion_v2

    model = _scores(tmp_path / "model", lambda _, table: table.lookup)
    tf_saved_model_conversion_v2.convert_tf_saved_model(str(model), str(tmp_path / "web"))
    given = session.compare(model, np.array(IDS), runtimes=["chromium:cpu"], tfjs_model=tmp_path / "web")
    assert any(comparison.shape_mismatch for comparison in given.comparisons)
    cause = next(finding for finding in given.findings if finding.code == "broken-kernel")
    assert "LookupTableFindV2" in cause.summary and "one axis" in cause.summary
