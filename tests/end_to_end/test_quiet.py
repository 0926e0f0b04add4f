"""Standard error holds what pycheck says of its progress, and nothing that TensorFlow says as it starts."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from .processes import PYCHECK, ROOT

MODEL, INPUTS = ROOT / "models" / "webgl_nan.keras", ROOT / "models" / "webgl_nan_inputs.npy"


def test_a_trace_is_quiet_also_when_all_before_it_comes_from_the_cache(tmp_path: Path) -> None:
    command = [*PYCHECK, "trace", str(MODEL), str(INPUTS), "--runtime", "chromium:cpu"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYCHECK_CACHE_DIR": str(tmp_path)}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    for _ in range(2):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=True)
        lines = done.stderr.splitlines()
        assert lines and [line for line in lines if not re.match(r"(chromium|native|artifact):\w+: \w+", line)] == []
