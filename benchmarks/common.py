"""What the benchmarks share: pycheck as a process, the models that are measured, how a table looks."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from page import ROOT
from processes import Measured, run
from rich.table import Table

BACKENDS = ("cpu", "webgl", "wasm")


_MAIN = "from pycheck.cli.main import main; main()"


_TENSORFLOW_PACKAGES = ("tensorflow", "keras", "tf_keras", "tensorflowjs")


#: A pycheck command that prints "imported" and which of those it imported, as its last line.
TELL_IMPORTS = f"""
import sys; from pycheck.system import process; from pycheck.cli.main import run
process.own = True
code = run(sys.argv[1:])
print("imported", *(name for name in {_TENSORFLOW_PACKAGES} if name in sys.modules))
process.end(code)
"""


@dataclass(frozen=True, slots=True)
class Case:
    """A model with its inputs."""

    title: str
    model: Path
    inputs: Path
    batch_size: int = 32

    @property
    def sample_count(self) -> int:
        """Length of the first axis."""
        return len(np.load(self.inputs, mmap_mode="r"))


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    rounds: int
    mobilenet: bool
    memory_samples: tuple[int, ...]


QUICK = Sizes(1, False, (200, 2000))


DEFAULT = Sizes(3, True, (1000, 10_000, 30_000))


FULL = Sizes(7, True, (1000, 10_000, 30_000))


def pycheck(
    arguments: Sequence[str | Path],
    cache: Path,
    *,
    checkout: Path = ROOT,
    watch_memory: bool = False,
    code: str = _MAIN,
    fresh: bool = True,
) -> Measured:
    """One pycheck command as a process of its own, with the code of a checkout; if `fresh`, every runtime runs."""
    environment = {"PYTHONPATH": str(checkout), "PYCHECK_CACHE_DIR": str(cache)}
    environment |= {"PYCHECK_FRESH": str(fresh).lower(), "PYCHECK_RECHECK": "0"}
    # -P: the code of the checkout, not of the current folder.
    return run([sys.executable, "-P", "-c", code, *map(str, arguments)], env=environment, watch_memory=watch_memory)


def cases(sizes: Sizes, work: Path) -> Iterator[Case]:
    """The models that are measured."""
    yield Case("small CNN", ROOT / "models" / "cnn.keras", ROOT / "models" / "cnn_inputs.npy")
    if sizes.mobilenet:
        model = work / "mobilenet.keras"
        subprocess.run(
            [sys.executable, ROOT / "models" / "make_models.py", "--mobilenet", model], check=True, capture_output=True
        )
        inputs = work / "mobilenet_inputs.npy"
        np.save(inputs, np.load(inputs)[:8])
        yield Case("MobileNetV2", model, inputs, batch_size=8)


def median(values: Iterable[float | None]) -> float | None:
    """The median of those that are there; None when none is."""
    present = [value for value in values if value is not None]
    return statistics.median(present) if present else None


def new_table(title: str, *columns: str) -> Table:
    """A plain table; every column but the first is of numbers."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right", no_wrap=True)
    return table


def number(value: float | None) -> str:
    """Two decimals, and a dash for what is absent."""
    return "-" if value is None else f"{value:.2f}"
