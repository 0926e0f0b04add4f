"""The command line: commands, terminal output while they run, exit codes. It contains no logic."""

import os

# NumPy's products are many and small here, and run beside a browser: OpenBLAS's threads would wait on the cores that it
# needs. To name the cause of one fault in eight photos took 0.38 s instead of 1.23 on two busy cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
