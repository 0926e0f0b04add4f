"""What it costs to watch a training: 100 steps in the page, bare trainOnBatch against the same with everything kept.

``python benchmarks/training.py`` prints a row a backend. Both run in the same page, one after the other and by turns,
and the medians of the seconds by the page's own clock are compared.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from pycheck.inputs import from_arrays
from pycheck.model import load
from pycheck.runtimes.browser.host import BrowserHost
from pycheck.runtimes.browser.training import PageTrainer
from pycheck.training.recipe import RecipeText
from pycheck.training.setup import page_recipe, prepare
from pycheck.training.train import setup_of
from pycheck.types import RuntimeId

STEPS = 100


async def measure(kinds: list[str], rounds: int) -> list[tuple[str, float, float]]:
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [layers.Input((16,)), layers.Dense(64, activation="relu"), layers.Dense(32, activation="relu"), layers.Dense(1)]
    )
    x = np.random.default_rng(0).normal(size=(128, 16)).astype(np.float32)
    y = x.sum(axis=1, keepdims=True)
    rows = []
    with ThreadPoolExecutor(1) as executor, tempfile.TemporaryDirectory() as folder:
        loaded = load(model)
        recipe = RecipeText("sgd:0.01", "mse", STEPS)
        setup = setup_of(loaded, from_arrays(x, loaded.info.signature), y, recipe)
        ready = await asyncio.get_running_loop().run_in_executor(executor, prepare, setup, Path(folder) / "model")
        async with BrowserHost(timeout_s=300.0) as host:
            for kind in kinds:
                async with host.runtime(RuntimeId("chromium", kind), None) as runtime:
                    await runtime.load(ready.artifact)
                    trainer = PageTrainer(runtime)
                    inputs = {ready.artifact.inputs[0]: x}
                    await trainer.compile(page_recipe(ready, {}), inputs, {ready.artifact.outputs[0]: y})
                    seconds: dict[bool, list[float]] = {False: [], True: []}
                    for turn in range(rounds + 1):
                        for observe in (False, True):
                            before = trainer.compute_s
                            await trainer.steps(0, STEPS, observe=observe)
                            if turn:  # the first round compiles shaders
                                seconds[observe].append(trainer.compute_s - before)
                    rows.append((kind, statistics.median(seconds[False]), statistics.median(seconds[True])))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each is run")
    parser.add_argument("--backends", nargs="+", default=["cpu", "wasm", "webgl"], help="kinds of runtime in Chromium")
    given = parser.parse_args()
    print("| backend | bare trainOnBatch | watched | ratio |\n| --- | --- | --- | --- |")
    for kind, bare, watched in asyncio.run(measure(given.backends, given.rounds)):
        print(f"| {kind} | {bare:.3f} s | {watched:.3f} s | {watched / bare:.2f} |", flush=True)


if __name__ == "__main__":
    main()
