"""Prints what single operations make of special values, on each backend, as a table: drivers differ here most.

    python benchmarks/kernels.py [KIND...]

The rows are those in which a backend (of Chromium; webgl and webgpu where none is named) gives another class than
TensorFlow (finite, NaN, +Inf, -Inf), or a number that is off by more than a tenth. PYCHECK_BROWSER_ARGS names the
flags of the browser, with which a machine may have several renderers.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("PYCHECK_FRESH", "true")  # kept answers have earlier times

import keras
import numpy as np
from keras import ops

import pycheck
from pycheck.types import NATIVE_FLOAT32, RuntimeId
from pycheck.workflow.store import OutputStore

OPERATIONS = {
    "clip(x, 0, 6)": lambda x: ops.clip(x, 0, 6),
    "cos(x)": ops.cos,
    "elu(x)": ops.elu,
    "exp(x)": ops.exp,
    "expm1(x)": ops.expm1,
    "leaky_relu(x)": lambda x: ops.leaky_relu(x, 0.2),
    "log(x)": ops.log,
    "log1p(x)": ops.log1p,
    "power(x, 1.7)": lambda x: ops.power(x, 1.7),
    "relu(x)": ops.relu,
    "relu6(x)": ops.relu6,
    "sigmoid(x)": ops.sigmoid,
    "sign(x)": ops.sign,
    "sin(x)": ops.sin,
    "softplus(x)": ops.softplus,
    "sqrt(x)": ops.sqrt,
    "tanh(x)": ops.tanh,
    "x / x": lambda x: x / (x * 1.0),
}
VALUES = (np.nan, np.inf, -np.inf, 0.0, 1e-8, -1.0, 1e7, 3e38)
#: Of each sample, all the same value: more than TF.js leaves to the CPU.
SHAPE = (16, 16)


def main() -> None:
    """Print the table."""
    kinds = sys.argv[1:] or ["webgl", "webgpu"]
    x = keras.Input(SHAPE, name="x")
    names = {f"operation_{place}": name for place, name in enumerate(OPERATIONS)}
    outputs = {key: OPERATIONS[name](x) for key, name in names.items()}
    inputs = np.broadcast_to(np.array(VALUES, np.float32)[:, None, None], (len(VALUES), *SHAPE)).copy()
    runtimes = [RuntimeId("chromium", kind) for kind in kinds]
    with tempfile.TemporaryDirectory(prefix="pycheck-kernels-") as scratch:
        run = Path(scratch) / "run"
        report = pycheck.compare(
            keras.Model(x, outputs), inputs, runtimes=list(map(str, runtimes)), nan="ignore", save_run=run
        )
        store = OutputStore(run / "outputs")
        found = [store.read(runtime, 0) for runtime in (NATIVE_FLOAT32, *runtimes)]
    for record in report.runtimes:
        if record.environment and record.environment.renderer:
            print(f"{record.id}: {record.environment.renderer}")
    print(f"\n| operation | x | TensorFlow | {' | '.join(kinds)} |\n|{' --- |' * (3 + len(kinds))}")
    for key, name in names.items():
        for place, value in enumerate(VALUES):
            expected, *given = (float(tensors[key][place].flat[0]) for tensors in found)
            if any(differ(expected, number) for number in given):
                print(f"| `{name}` | {value:g} | {expected:.4g} | {' | '.join(f'{number:.4g}' for number in given)} |")


def differ(expected: float, given: float) -> bool:
    """Whether they are of different classes, or off by more than a tenth."""
    if np.isfinite(expected) and np.isfinite(given):
        return abs(given - expected) > 0.1 * abs(expected)
    return str(expected) != str(given)


if __name__ == "__main__":
    main()
