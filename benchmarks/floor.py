"""The floor: the least that must happen, written straight down, with nothing checked.

Imports TensorFlow, loads the model and predicts (`--no-native` leaves this out, as a second compare does);
then opens one bare page that predicts the same inputs on one backend after the other. Prints seconds as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main() -> None:
    import numpy as np
    from page import Task, open_page, serve

    task = Task.from_json(sys.argv[1])
    x = np.load(task.inputs)
    batches = [x[i : i + task.batch_size] for i in range(0, len(x), task.batch_size)]
    seconds: dict[str, float] = {}
    begin = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal begin
        now = time.perf_counter()
        seconds[name], begin = now - begin, now

    if "--no-native" not in sys.argv:
        import tensorflow  # noqa: F401  # what is measured
        from keras.models import load_model

        lap("import_tensorflow")
        model = load_model(task.model, compile=False)
        lap("load_model")
        for batch in batches:
            model.predict_on_batch(batch)
        lap("native_predict")
    folders = {"": Path(task.bundle), "artifact": Path(task.artifact)}
    with serve(folders, [batch.tobytes() for batch in batches]) as (url, received), open_page(task, url) as page:
        lap("browser")
        for backend in task.backends:
            arguments = [backend, task.format, list(x.shape[1:]), [len(batch) for batch in batches]]
            took = page.evaluate("(a) => bare.predictBytes(...a)", arguments)
            seconds |= {f"{backend}.{step}": took[f"{step}_s"] for step in ("load", "predict")}
            lap(backend)
    lap("close")
    assert len(received) == len(task.backends) * len(batches)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
