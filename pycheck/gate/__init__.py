"""Decides whether a result passes: limits, shares of limits, verdicts, severities, known divergences and budgets.

No other package decides this. A policy never overwrites a measurement: a failed comparison that is excused keeps
`passed=False`, and `excused` gives the reason.
"""

from __future__ import annotations

from .emitted import judge_emitted
from .limits import (
    AUTO,
    AutoConstants,
    OutputLimits,
    ToleranceOptions,
    ToleranceRule,
    auto_tolerance,
    precision_bits,
    quantized_limits,
    share,
    training_limit,
)
from .migrations import decide_migration, decide_pair, judge_variant, migration_exit_code, smallest_that_passes
from .pipelines import judge_pipeline, pipeline_limit
from .power import judge_power
from .repeats import judge_answers
from .verdicts import assess, assess_gradient, check_exit_code, decide, decide_check, decide_training, exit_code, judged
