"""Decides whether a page, with its own input, answers as Python does.

It does if each file gets the decision that Python gives it, and no output of a file changes by more than its limit. The
limit is the given `--atol`, or else 1 % of the output's largest magnitude, the upper bound of the automatic tolerance:
two right decoders of JPEG differ, and so the noise floor of float32 is no limit here.
"""

from __future__ import annotations

from dataclasses import replace

from ..types import OutputShares, Pipeline, PipelineRow
from .limits import AUTO, ToleranceOptions


def judge_pipeline(pipeline: Pipeline, options: ToleranceOptions) -> Pipeline:
    """Set `passed` of each row."""
    return replace(pipeline, rows=tuple(replace(row, passed=_passes(row, options)) for row in pipeline.rows))


def pipeline_limit(output: OutputShares, options: ToleranceOptions) -> float:
    """Return the largest change of an output that is allowed."""
    given = options.of(output.tensor).atol
    return AUTO.upper_bound * output.scale if given is None else given


def _passes(row: PipelineRow, options: ToleranceOptions) -> bool:
    within = all(output.both_max <= pipeline_limit(output, options) for output in row.outputs)
    return within and not row.changed_count
