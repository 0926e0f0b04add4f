"""Runs one training, from the user's model and data to a report."""

from __future__ import annotations

from dataclasses import replace

from ..diagnosis import by_severity
from ..diagnosis.training import TrainingCase, diagnose_training
from ..gate import decide_training
from ..inputs import Inputs
from ..model import Model
from ..options.values import Options
from ..system import installed
from ..types import (
    NATIVE_FLOAT32,
    NATIVE_FLOAT64,
    Environment,
    Report,
    RuntimeRecord,
    RuntimeStatus,
    Severity,
    Training,
)
from ..version import __version__
from .bench import Bench, Outcome
from .cures import try_cures
from .inspecting import Inspection, inspect
from .plan import make_plan
from .recipe import RecipeText
from .setup import Setup
from .source_model import source_model


def setup_of(model: Model, inputs: Inputs, targets: object, text: RecipeText) -> Setup:
    """Check a training, and return its setup.

    UsageError and InputsFileError explain data and options that do not fit.
    """
    from .compiled import compiled_of

    source = source_model(model, inputs)
    recipe = text.recipe(compiled_of(model, optimizer_given=bool(text.optimizer), loss_given=bool(text.loss)))
    plan = make_plan(inputs, targets, model.info.signature, recipe)
    return Setup(source.keras_model, recipe, replace(plan, notes=(*source.notes, *plan.notes)), hints=model.input_hints)


async def train_run(
    bench: Bench,
    model: Model,
    inputs: Inputs,
    setup: Setup,
    options: Options,
    *,
    try_remedies: bool,
    gradients_only: bool,
) -> Report:
    """Train, measure and explain differences; with `try_remedies`, also search for fixes.

    With `gradients_only`, the passes of the first step are always inspected.
    """
    outcome = await bench.train(setup)
    looked = await bench.in_thread(lambda: inspect(setup, outcome, first_pass=gradients_only))
    training = _training(setup, outcome, looked)
    case = TrainingCase(training, outcome.records, options.nan, looked.evidence)
    findings = diagnose_training(case)
    if try_remedies and any(finding.severity is not Severity.INFO for finding in findings):
        training = replace(training, cures=await try_cures(bench, setup, case, outcome))
    return Report(
        pycheck_version=__version__,
        model=model.info,
        artifact=outcome.ready.artifact,
        inputs=inputs.info,
        runtimes=(*_native_records(), *outcome.records),
        comparisons=(),
        findings=by_severity(findings),
        verdict=decide_training(training, runtimes=outcome.records, findings=findings, nan=options.nan),
        command=options.command,
        training=training,
    )


def _training(setup: Setup, outcome: Outcome, looked: Inspection) -> Training:
    recipe, plan = setup.recipe, setup.plan
    return Training(
        optimizer=str(recipe.optimizer),
        loss=str(recipe.loss),
        step_count=recipe.steps,
        batch_size=plan.batch_size,
        variables=outcome.variables,
        curves=outcome.curves,
        gradients=outcome.gradients,
        passes=looked.passes,
        curvatures=looked.curvatures,
        notes=(*outcome.notes, *plan.notes, *outcome.ready.notes, *looked.notes),
    )


def _native_records() -> tuple[RuntimeRecord, ...]:
    package = installed.find("tensorflow")
    library = f"tensorflow {package.version if package else ''}".strip()
    return tuple(
        RuntimeRecord(runtime, RuntimeStatus.OK, Environment(library, float_bits=int(runtime.kind[-2:])), {})
        for runtime in (NATIVE_FLOAT32, NATIVE_FLOAT64)
    )
