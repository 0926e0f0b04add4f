"""Decides whether a page, with its own input and postprocessing, answers as Python does.

It does if no more files get another decision than are allowed, by default none, and if no output of a file changes by
more than its limit. The limit is the given `--atol`, or else 1 % of the output's largest magnitude, the upper bound of
the automatic tolerance: two right decoders of JPEG differ, and so the noise floor of float32 is no limit here.
"""

from __future__ import annotations

from dataclasses import replace

from ..types import OutputShares, Pipeline, PipelineRow
from .limits import AUTO, ToleranceOptions


def judge_pipeline(pipeline: Pipeline, options: ToleranceOptions, changed_share: float = 0.0) -> Pipeline:
    """Set `passed` of each row; `changed_share` is the largest share of files that may get another decision.

    Without inputs of the page, the outputs are those of the comparison, which is judged itself.
    """

    def passes(row: PipelineRow) -> bool:
        within = all(output.both_max <= pipeline_limit(output, options) for output in row.outputs)
        return (within or not pipeline.js_preprocess) and (row.changed_share or 0.0) <= changed_share

    return replace(pipeline, rows=tuple(replace(row, passed=passes(row)) for row in pipeline.rows))


def pipeline_limit(output: OutputShares, options: ToleranceOptions) -> float:
    """Return the largest change of an output that is allowed."""
    given = options.of(output.tensor).atol
    return AUTO.upper_bound * output.scale if given is None else given
