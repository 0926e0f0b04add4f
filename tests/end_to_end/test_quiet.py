"""Standard error holds what pycheck says of its progress, and nothing that TensorFlow says as it starts."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from .processes import PYCHECK, ROOT

pytestmark = pytest.mark.real

MODEL, INPUTS = ROOT / "models" / "webgl_nan.keras", ROOT / "models" / "webgl_nan_inputs.npy"


@pytest.mark.exhaustive
def test_a_trace_is_quiet_also_when_all_before_it_comes_from_the_cache(tmp_path: Path) -> None:
    command = [*PYCHECK, "trace", str(MODEL), str(INPUTS), "--runtime", "chromium:cpu"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYCHECK_CACHE_DIR": str(tmp_path)}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    _is_quiet(command, environment)
    _is_quiet(command, environment)


@pytest.mark.exhaustive
def test_so_is_one_of_an_operation_whose_cost_tensorflow_cannot_estimate(tmp_path: Path) -> None:
    import tensorflow as tf

    holder = tf.Module()
    boxes = tf.constant([[0.1, 0.1, 0.9, 0.8], [0.0, 0.2, 0.5, 1.0]])
    spec = tf.TensorSpec([2, 12, 12, 3], tf.float32, "x")
    holder.f = tf.function(lambda x: {"y": 2.0 * tf.image.crop_and_resize(x, boxes, [0, 1], [5, 5])}, [spec])
    tf.saved_model.save(holder, str(tmp_path / "crop"), signatures=holder.f)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYCHECK_CACHE_DIR": str(tmp_path / "cache")}
    environment["TF_CPP_MIN_LOG_LEVEL"] = "1"  # as users set it
    _is_quiet([*PYCHECK, "trace", str(tmp_path / "crop"), "--runtime", "chromium:cpu"], environment)


def _is_quiet(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=True)
    lines = done.stderr.splitlines()
    assert lines and [line for line in lines if not re.match(r"(chromium|native|artifact):\w+: \w+", line)] == []
