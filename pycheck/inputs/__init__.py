"""Reads or generates the inputs of a run, checks them against the model, and yields them batch by batch."""

from __future__ import annotations

from .ids import refuse_ids
from .listing import are_samples, list_files
from .made import make_inputs
from .sizes import asked_sizes, free_inputs, usual_size
from .spool import Spool, sample_of
from .stream import Inputs, altered, even_batch_size
from .taken import from_arrays, from_columns, open_inputs
