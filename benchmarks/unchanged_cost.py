"""What a compare and the sample matrix cost if nothing changed since the last run, or one model did.

python benchmarks/unchanged_cost.py [--rounds 5] [--runtime 'chromium:*']
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from pathlib import Path

import numpy as np
from common import new_table, number, pycheck
from page import ROOT
from rich.console import Console

MODELS = ROOT / "models"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runtime", action="append", default=[], help="of the matrix (default: all of its own)")
    asked = parser.parse_args()
    table = new_table(f"Again, median of {asked.rounds}", "run", "wall s", "cpu s of pycheck")
    with tempfile.TemporaryDirectory(prefix="pycheck-bench-") as folder:
        work = Path(folder)
        models = shutil.copytree(MODELS, work / "models")
        compare = ["compare", models / "cnn.keras", models / "cnn_inputs.npy", "-q"]
        check = ["check", "--config", models / "pycheck.toml", "-q", *(f"--runtime={name}" for name in asked.runtime)]

        def add(title: str, command: list[str | Path], rounds: int = 1, *, fresh: bool = False) -> None:
            done = [pycheck(command, work / "cache", fresh=fresh) for _ in range(rounds)]
            walls, cpus = ([getattr(one, name) for one in done] for name in ("wall_s", "cpu_s"))
            table.add_row(title, number(statistics.median(walls)), number(statistics.median(cpus)))

        add("compare, from nothing", compare)
        add("compare, every runtime again", compare, asked.rounds, fresh=True)
        add("compare, unchanged", compare, asked.rounds)
        add("matrix, what is not known yet", check)
        add("matrix, every runtime again", check, fresh=True)
        add("matrix, unchanged", check, asked.rounds)
        inputs = np.load(models / "attention_inputs.npy")
        np.save(models / "attention_inputs.npy", inputs[:-1])
        add("matrix, the inputs of one model changed", check)
    Console().print(table)


if __name__ == "__main__":
    main()
