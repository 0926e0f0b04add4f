"""The configuration of a check that can be divided, and how all of its shards are saved."""

from __future__ import annotations

from pathlib import Path

from pycheck.runtimes.fake import drifting

from ..conftest import Cli
from ..fakes import Fakes, dense

CONFIGURATION = """
runtimes = ["chromium:cpu", "chromium:webgl"]
batch_size = 8

[[models]]
path = "m.keras"
formats = ["auto", "layers", "graph"]

[[models]]
path = "n.keras"

[[models]]
path = "o.keras"

[[tolerances]]
model = "o"
runtime = "chromium:webgl"
rtol = 1

[[tolerances]]
runtime = "webkit:*"
rtol = 1e-3

[[budgets]]
output = "nothing"
rms_error = 1

[[known]]
code = "drift"
model = "n"
runtime = "chromium:webgl"
reason = "on purpose"
expires = 2099-01-01
"""
BROKEN = '[[models]]\npath = "broken.keras"\n[[budgets]]\nmodel = "m/graph"\nartifact_size = "10"\n'


def write(fakes: Fakes, folder: Path) -> None:
    """Write the configuration and its models, of which webgl lets all drift."""
    for seed, name in enumerate(("m", "n", "o")):
        fakes.save(folder / f"{name}.keras", dense(seed=seed))
    (folder / "broken.keras").write_text("no model")
    (folder / "pycheck.toml").write_text(CONFIGURATION)
    fakes.break_("chromium:webgl", drifting(0.5))


def save(command: Cli, count: int, *more: str) -> list[str]:
    """The folders of all shards."""
    for number in range(1, count + 1):
        command("check", "--shard", f"{number}/{count}", "--save-run", f"parts/{number}", *more)
    return [f"parts/{number}" for number in range(1, count + 1)]
