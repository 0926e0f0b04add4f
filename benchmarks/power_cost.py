"""What measuring the power of a comparison costs, as a share of the comparison's time.

``python benchmarks/power_cost.py`` runs `pycheck compare` on a cnn, an attention, a recurrent model and MobileNetV2,
each in a process of its own with an empty cache, and prints the seconds and the share. Arguments are other models.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
SAMPLES = ("cnn", "attention", "recurrent")


def mobilenet(folder: Path) -> Path:
    """MobileNetV2 at 128 pixels, with random weights and batch statistics of random images."""
    import keras
    import numpy as np

    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV2(weights=None, input_shape=(128, 128, 3))
    images = np.random.default_rng(0).uniform(size=(8, 128, 128, 3)).astype("float32")
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.5
    for _ in range(8):
        model(images, training=True)
    path = folder / "mobilenet_v2.keras"
    model.save(path)
    return path


def measure(model: Path, folder: Path) -> tuple[float, dict[str, object]]:
    """Seconds of a first comparison, and what its report says of power."""
    report = folder / f"{model.stem}.json"
    environment = os.environ | {"PYCHECK_FRESH": "true", "PYCHECK_CACHE_DIR": str(folder / f"cache-{model.stem}")}
    command = (sys.executable, "-m", "pycheck", "compare", str(model), "-q", "--samples", "8", "--json", str(report))
    begin = time.perf_counter()
    subprocess.run(
        command, env=environment, cwd=ROOT, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wall_s = time.perf_counter() - begin
    power: dict[str, object] = json.loads(report.read_text())["power"]
    return wall_s, power


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given = [Path(path).resolve() for path in sys.argv[1:]]
        models = given or [*(ROOT / "models" / f"{sample}.keras" for sample in SAMPLES), mobilenet(folder)]
        print(f"{'model':<16}{'compare s':>10}{'power s':>10}{'share':>8}{'tensors':>9}  measured by")
        for model in models:
            wall_s, power = measure(model, folder)
            seconds = float(str(power["seconds"]))
            weights = power["weights"]
            assert isinstance(weights, list)
            methods = [weight["method"] for weight in weights]
            told = ", ".join(f"{methods.count(method)} {method}" for method in dict.fromkeys(methods))
            print(f"{model.stem:<16}{wall_s:>10.1f}{seconds:>10.2f}{seconds / wall_s:>8.0%}{len(weights):>9}  {told}")


if __name__ == "__main__":
    main()
