"""The examples and exit codes below the help of a command."""

from __future__ import annotations

COMPARE = """
Examples:

  pycheck compare model.keras inputs.npy

  pycheck compare model.h5 --samples 64 --range 0:255 --runtime chromium:webgpu

  pycheck compare saved_model/ inputs.npz --tfjs-model web/model.json --atol scores:1e-4

  pycheck compare model.keras inputs.npy --json - | jq .verdict

  pycheck compare model.keras inputs.npy --trace --try-remedies

Exit code: 0 pass; 1 the gate failed; 2 usage, configuration or input error;
3 a runtime was unavailable, failed or timed out; 4 conversion failed; 70 a bug in pycheck.
"""

WATCH_COMPARE = """
Examples:

  pycheck watch compare model.keras inputs.npy

  pycheck watch compare model.keras inputs.npy --runtime chromium:cpu --runtime chromium:wasm --serve

  pycheck watch compare model.keras photos/ --preprocess app/prep.py:load --js-preprocess web/prep.js

Ctrl-C ends it. Exit code: 130 by Ctrl-C, 143 by SIGTERM; 2 if the options are invalid at the start.
"""

WATCH_CHECK = """
Examples:

  pycheck watch check

  pycheck watch check cnn --serve --port 8000

Ctrl-C ends it. Exit code: 130 by Ctrl-C, 143 by SIGTERM; 2 if options or configuration are invalid at the start.
"""

MIGRATE = """
Examples:

  pycheck migrate model.keras inputs.npy

  pycheck migrate model.keras inputs.npy --html migration.html

  pycheck migrate model.keras inputs.npy --tfjs-model web/model.json

  pycheck migrate model.h5 --runtime chromium:webgpu --runtime firefox:wasm

Exit code: 0 every runtime can move; 1 one cannot; 2 usage, configuration or input error;
3 a LiteRT.js runtime did not start or answer, or Python failed; 70 a bug in pycheck.
"""

TRACE = """
Examples:

  pycheck trace model.keras inputs.npy --runtime chromium:webgl --try-remedies

  pycheck trace model.h5 --samples 8 --trace-memory 4GiB --json trace.json

  pycheck trace model.keras inputs.npy --layer conv2d_7 --layer softmax

  pycheck trace model.keras inputs.npy --runtime chromium:webgl --bundle bug/

  pycheck trace model.keras inputs.npy --model-explorer explorer/

Exit code: that of pycheck compare.
"""

HISTORY = """
Examples:

  pycheck check --history pycheck-history.sqlite --label 1.4.0

  pycheck history pycheck-history.sqlite mobilenet --last 10

  pycheck history pycheck-history.sqlite --html history.html

  pycheck history pycheck-history.sqlite --merge of_another_branch.sqlite
"""

PREPROCESS = """
Examples:

  pycheck preprocess model.keras photos/ --preprocess app/prep.py:load --emit js --out web/prep.js

  pycheck preprocess model.keras photos/ --preprocess center-crop+torch --emit js

  pycheck preprocess model.keras sounds/ --preprocess yamnet --emit js --out web/prep.js

  pycheck preprocess model.keras photos/ --js-preprocess web/prep.js --emit python --out app/prep.py

Exit code: 0 the code does the same; 1 no such code was found; 2 usage or input error; 3 no browser ran it;
70 a bug in pycheck.
"""

CHECK = """
Examples:

  pycheck init && pycheck check

  pycheck check cnn --runtime chromium:webgl

  pycheck check --config models/pycheck.toml --json check.json

  pycheck check --shard 2/5 --save-run parts/2

  pycheck check --dask tcp://scheduler:8786

Exit code: 0 all passed; 1 a gate failed; if a model could not be judged, that of pycheck compare for it.
"""

MERGE = """
Examples:

  pycheck merge parts/1 parts/2 parts/3

  pycheck merge parts/* --junit pycheck.xml --html pycheck.html

Exit code: that of pycheck check for all variants; 2 if a part is missing, damaged or of a different check.
"""

TRAIN = """
Examples:

  pycheck train model.keras inputs.npy targets.npy --optimizer sgd:0.1 --loss mse --steps 100

  pycheck train model.keras x.npy y.npy --optimizer adam:0.001 --loss binary_crossentropy --try-remedies

  pycheck train model.keras x.npy y.npy --optimizer sgd:0.01 --loss 'mean(-y * log(p))' --json training.json

Exit code: that of pycheck compare.
"""

DEVICES = """
Examples:

  pycheck devices --listen --name pixel

  pycheck compare model.keras inputs.npy --runtime device:pixel:webgl

Exit code: 0; 2 usage error; 3 if pycheck devices --listen is not running.
"""
