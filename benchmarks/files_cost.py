"""What preprocessing of files costs on both sides together, against the slower side alone, and how much memory.

    python benchmarks/files_cost.py [--photos 200] [--rounds 3] [--runtime chromium:cpu]

Photos have 1 megapixel. Each round takes both sides alone and together in turn; medians of the ratios count.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import keras
import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from pycheck.inputs import list_files
from pycheck.options.reading import build
from pycheck.types import SampleFiles
from pycheck.workflow.files.prepared import prepared
from pycheck.workflow.files.sides import in_page, in_python
from pycheck.workflow.pipeline import Workbench
from tests.preprocessing.images.photos import photo

_PREP = """
import numpy as np
from PIL import Image

def load(path):
    image = Image.open(path).convert("RGB").resize((224, 224), Image.BILINEAR)
    return np.asarray(image, np.float32) / 127.5 - 1
"""
_PAGE = """
export default async function (blob, tf) {
  const image = await createImageBitmap(blob);
  const resized = () => tf.image.resizeBilinear(tf.browser.fromPixels(image), [224, 224], false, true);
  return tf.tidy(() => resized().div(127.5).sub(1));
}
"""
_DIFFERENT = 8


def write(folder: Path, count: int) -> SampleFiles:
    """Write the model, the code of both sides and the photos."""
    image = keras.Input((224, 224, 3))
    keras.Model(image, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(image))).save(folder / "m.keras")
    (folder / "prep.py").write_text(_PREP)
    (folder / "page.js").write_text(_PAGE)
    (folder / "photos").mkdir()
    for number in range(min(count, _DIFFERENT)):
        photo(1152, 868, number).save(folder / "photos" / f"{number:04}.jpg", quality=90)
    for number in range(_DIFFERENT, count):
        content = (folder / "photos" / f"{number % _DIFFERENT:04}.jpg").read_bytes()
        (folder / "photos" / f"{number:04}.jpg").write_bytes(content)
    return list_files([folder / "photos"])


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


async def seconds(work: Callable[[], Coroutine[Any, Any, object]]) -> float:
    start = time.perf_counter()
    await work()
    return time.perf_counter() - start


async def measure(folder: Path, files: SampleFiles, runtime: str, rounds: int) -> Table:
    given = {
        "preprocess": f"{folder / 'prep.py'}:load",
        "js_preprocess": str(folder / "page.js"),
        "runtimes": [runtime],
    }
    options = build(given, has_inputs=True)
    rows: list[tuple[float, float, float]] = []
    async with Workbench() as bench, bench.opened(folder / "m.keras", options, lambda *_: None) as run:
        setting = run.setting
        setting.shared.hosts.start(options)
        few = SampleFiles(files.given, files.files[: len(files.files) // 4])

        async def together(some: SampleFiles) -> None:
            async with prepared(setting, some):
                pass

        await together(few)  # imports TensorFlow, and starts the browser
        before = peak_mb()
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as place:
                python = await seconds(lambda: in_python(setting, files, Path(place, "python")))
                page = await seconds(lambda: in_page(setting, files, options.runtimes[0], Path(place, "page")))
            rows.append((python, page, await seconds(lambda: together(files))))
        grown = peak_mb() - before
    table = Table(title=f"{len(files.files)} photos of 1 megapixel, {runtime}")
    for name in ("Python alone, s", "page alone, s", "together, s", "sum / slower", "together / slower", "memory, MB"):
        table.add_column(name, justify="right")
    for python, page, both in rows:
        slower = max(python, page)
        table.add_row(
            f"{python:.2f}", f"{page:.2f}", f"{both:.2f}", f"{(python + page) / slower:.2f}", f"{both / slower:.2f}"
        )
    ratio = statistics.median(both / max(python, page) for python, page, both in rows)
    table.add_row("", "", "", "median", f"{ratio:.2f}", f"+{grown:.0f} for 4 times the files")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runtime", default="chromium:cpu")
    asked = parser.parse_args()
    np.random.seed(0)
    with tempfile.TemporaryDirectory() as folder:
        files = write(Path(folder), asked.photos)
        Console().print(asyncio.run(measure(Path(folder), files, asked.runtime, asked.rounds)))


if __name__ == "__main__":
    main()
