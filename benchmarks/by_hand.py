"""The way people do it by hand: the converter's command line, then a page fed with lists. Prints seconds as JSON.

Kind to the hand: each batch crosses into the page once for all backends, and nothing but the largest
difference is computed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
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

    import tensorflow  # noqa: F401  # what is measured
    from keras.models import load_model

    lap("import_tensorflow")
    model = load_model(task.model, compile=False)
    lap("load_model")
    with tempfile.TemporaryDirectory() as folder:
        saved, artifact = Path(folder, "saved"), Path(folder, "artifact")
        # A Keras 3 file cannot go straight into the converter: what comes out does not load.
        model.export(saved, verbose=False)
        converter = Path(sys.executable).with_name("tensorflowjs_converter")
        formats = ("--input_format=tf_saved_model", "--output_format=tfjs_graph_model")
        subprocess.run([converter, *formats, saved, artifact], check=True, capture_output=True)
        lap("convert")
        expected = [model.predict_on_batch(batch) for batch in batches]
        lap("native_predict")
        folders = {"": Path(task.bundle), "artifact": artifact}
        with serve(folders, []) as (url, _), open_page(task, url) as page:
            lap("browser")
            largest = 0.0
            for batch, wanted in zip(batches, expected, strict=True):
                arguments = [list(task.backends), "graph", batch.tolist()]
                for lists in page.evaluate("(a) => bare.predictLists(...a)", arguments).values():
                    largest = max(largest, float(np.abs(np.asarray(lists) - wanted).max()))
            lap("browser_predict")
        lap("close")
    assert largest < 1.0, largest
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
