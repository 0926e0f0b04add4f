"""The peak memory of compare, trace and convert of a model of 100 MB; a part of run.py's section memory."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from common import new_table, pycheck
from processes import Measured
from rich.table import Table

#: What the Python process may take: this and so many times the weights in float32.
BASE_MB, TIMES_WEIGHTS = 1200.0, 8
_MAKE = """
import sys, keras
keras.utils.set_random_seed(0)
model = keras.applications.ResNet50(weights=None)
model.save(sys.argv[1])
print(4 * model.count_params())
"""


def model_table(work: Path) -> Table:
    """ResNet50 with random weights on wasm, each command with an empty cache."""
    model = work / "resnet50.keras"
    made = subprocess.run([sys.executable, "-c", _MAKE, str(model)], check=True, capture_output=True, text=True)
    weights = int(made.stdout.split()[-1]) / 1e6
    bound = BASE_MB + TIMES_WEIGHTS * weights
    title = f"Peak resident memory, MB, ResNet50 of {weights:.0f} MB, at most {bound:.0f} in Python"
    table = new_table(title, "command", "python", "of the bound", "renderer")
    table.min_width = len(title)  # a narrow table breaks its title
    for name, arguments in (
        ("compare", ("compare", model, "--runtime=chromium:wasm")),
        ("trace", ("trace", model, "--runtime=chromium:wasm")),
        ("convert", ("convert", model, work / "resnet50")),
    ):
        with tempfile.TemporaryDirectory() as cache:
            measured = _measured(arguments, Path(cache))
        python = measured.peak_mb.get("python", 0.0) * 1.048576  # processes.py counts in MiB
        renderer = measured.peak_mb.get("renderer", 0.0) * 1.048576
        table.add_row(name, f"{python:.0f}", f"{python / bound:.0%}", f"{renderer:.0f}")
    return table


def _measured(arguments: tuple[str | Path, ...], cache: Path) -> Measured:
    return pycheck((*arguments, "-q"), cache, watch_memory=True)
