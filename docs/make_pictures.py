"""Takes the pictures of the documentation from real runs: ``python docs/make_pictures.py``, a minute or two.

docs/pictures/ then has what the terminal shows of a compare and of a check, and the heads of the HTML pages of a
compare, a check and a training. The machine needs Chromium.
"""

from __future__ import annotations

import io
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.text import Text

import pycheck
from pycheck.report import render, render_check
from pycheck.report.check_terminal import print_check
from pycheck.report.terminal import print_report
from pycheck.runtimes.launching.finding import find_browser

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "models"
PICTURES = ROOT / "docs" / "pictures"
_WIDTH = 100
_CHECK = """
runtimes = ["chromium:cpu", "chromium:webgl", "chromium:wasm"]

[[models]]
path = "{models}/cnn.keras"
formats = ["layers", "graph"]
inputs = "{models}/cnn_inputs.npy"

[[models]]
path = "{models}/two_io.keras"
inputs = "{models}/two_io_inputs.npz"

[[models]]
path = "{models}/webgl_nan.keras"
inputs = "{models}/webgl_nan_inputs.npy"
"""


def terminal(name: str, command: str, show: Callable[[Console], None], *, most_lines: int) -> None:
    """The first lines of what a command prints, as an SVG."""
    shown = Console(width=_WIDTH, file=io.StringIO(), force_terminal=True, highlight=False)
    show(shown)
    assert isinstance(shown.file, io.StringIO)
    lines = shown.file.getvalue().splitlines()
    picture = Console(record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True, highlight=False)
    picture.print(Text.from_ansi("\n".join(lines[:most_lines])))
    svg = picture.export_svg(title=command)
    fonts = r"@font-face \{.*?\}\s*"  # from another server, which nobody who reads a page should have to ask
    (PICTURES / f"{name}.svg").write_text(re.sub(fonts, "", svg, flags=re.DOTALL), encoding="utf-8")


def page(browser: Page, name: str, html: str) -> None:
    """The first screen of an HTML page, as a PNG."""
    browser.set_content(html)
    browser.wait_for_timeout(500)
    browser.screenshot(path=PICTURES / f"{name}.png")


def main() -> None:
    """Run, and take all pictures."""
    PICTURES.mkdir(exist_ok=True)
    os.chdir(ROOT)
    model, inputs = Path("models/webgl_nan.keras"), Path("models/webgl_nan_inputs.npy")
    compared = pycheck.compare(model, inputs, trace=True, try_remedies=True)
    command = f"pycheck compare {model} {inputs} --trace --try-remedies"
    terminal("terminal", command, lambda console: print_report(compared, console), most_lines=36)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "pycheck.toml"
        config.write_text(_CHECK.format(models=MODELS))
        checked = pycheck.check(config)
    terminal("check", "pycheck check", lambda console: print_check(checked, console), most_lines=12)
    x = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
    trained = pycheck.train(_regression(), x, x.sum(axis=1, keepdims=True), optimizer="sgd:0.05", loss="mse", steps=60)
    with sync_playwright() as playwright:
        found = find_browser()
        launched = playwright.chromium.launch(executable_path=str(found.path), args=["--no-sandbox"])
        browser = launched.new_page(viewport={"width": 1100, "height": 760})
        page(browser, "report", render(compared, "html"))
        page(browser, "matrix", render_check(checked, "html"))
        browser.set_viewport_size({"width": 1100, "height": 1000})
        page(browser, "training", render(trained, "html"))
        launched.close()


def _regression() -> object:
    import keras

    keras.utils.set_random_seed(0)
    x = keras.Input((4,))
    return keras.Model(x, keras.layers.Dense(1)(keras.layers.Dense(16, activation="tanh")(x)))


if __name__ == "__main__":
    main()
