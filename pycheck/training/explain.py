"""Explains a difference: trains again in Python with TF.js's epsilon or formulas, and checks whether it disappears."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from ..diagnosis.training import Explanation
from ..runtimes.browser.training import seen
from ..types import RuntimeId, TrainingCurves
from .bench import Outcome
from .measure import Observed
from .native import KERAS_EPSILON, Rules
from .roundoff import judge
from .setup import variant
from .tfjs_gradients import resizing_layers
from .tfjs_losses import tfjs_loss
from .tfjs_optimizers import TfjsRule

EPSILON, OPTIMIZER, LOSS, GRADIENT = "epsilon", "optimizer", "loss", "gradient"
_LEFT = 0.05
_LOSSES_WITH_EPSILON = (
    "binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy", "kl_divergence", "poisson",
    "mean_absolute_percentage_error", "mean_squared_logarithmic_error", "cosine_similarity",
)  # fmt: skip

Causes = tuple[str, ...]


class Explainer:
    """Trains in Python with one or more properties of TF.js; each such training runs once for all runtimes."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self._trained: dict[tuple[Causes, float], list[Observed]] = {}

    def explain(self, curves: TrainingCurves) -> Explanation | None:
        """Find the fewest properties of TF.js with which Python agrees with a page; None if there are none.

        It agrees if the error is within the limit, or 95 % of it have disappeared. The rest is rounding error of
        TF.js's float32 scalars, such as 1 - 0.999, which depends on the order of operations.
        """
        runtime = curves.runtime
        if curves.parted is None or runtime not in self._outcome.trajectories:
            return None
        epsilon, before = self._outcome.epsilons.get(runtime, KERAS_EPSILON), _share(curves)
        plan = self._outcome.ready.setup.plan
        resized = resizing_layers(self._outcome.ready.single.model, runtime, min(plan.batch_size, plan.sample_count))
        for causes in self._candidates(epsilon, bool(resized)):
            after = _share(self._against(runtime, self._train(causes, epsilon)))
            if after <= max(1.0, _LEFT * before):
                layers = resized if GRADIENT in causes else {}
                return Explanation(runtime, causes, epsilon, curves.parted.step, before, after, layers)
        return None

    def _candidates(self, epsilon: float, resizes: bool) -> Iterator[Causes]:
        """Yield combinations of properties in which TF.js may differ, the smallest first."""
        recipe = self._outcome.ready.setup.recipe
        loss, adaptive = recipe.loss, recipe.optimizer.name not in ("sgd", "momentum")
        named = not loss.program and not loss.from_logits
        known: dict[str, bool] = {
            EPSILON: abs(epsilon - KERAS_EPSILON) > 1e-9
            and ((adaptive and recipe.optimizer.epsilon is None) or (named and loss.name in _LOSSES_WITH_EPSILON)),
            OPTIMIZER: adaptive,
            GRADIENT: resizes,
            LOSS: (named and tfjs_loss(loss.name, epsilon) is not None) or "abs" in loss.program,
        }
        respects = [name for name, possible in known.items() if possible]
        for count in range(1, len(respects) + 1):
            yield from combinations(respects, count)

    def _rules(self, causes: Causes, epsilon: float) -> Rules:
        recipe = self._outcome.ready.setup.recipe
        own = epsilon if EPSILON in causes else KERAS_EPSILON
        is_wrong = GRADIENT in causes
        in_loss = own if EPSILON in causes and recipe.loss.name in _LOSSES_WITH_EPSILON else None
        if OPTIMIZER in causes:
            return Rules(in_loss, LOSS in causes, TfjsRule(recipe.optimizer, own), resize_gradient=is_wrong)
        given = recipe.optimizer.name in ("sgd", "momentum") or recipe.optimizer.epsilon is not None
        of_optimizer = own if EPSILON in causes and not given else None
        return Rules(in_loss, LOSS in causes, optimizer_epsilon=of_optimizer, resize_gradient=is_wrong)

    def _train(self, causes: Causes, epsilon: float) -> list[Observed]:
        """Train native:float64 with these properties of TF.js, until its loss is not finite."""
        key = (causes, epsilon if EPSILON in causes else KERAS_EPSILON)
        if key not in self._trained:
            ready = self._outcome.ready
            trainer = variant(ready, self._rules(causes, epsilon))
            steps = self._trained[key] = []
            for index in range(ready.setup.recipe.steps):
                step = trainer.step(*ready.setup.plan.batch(index))
                steps.append(
                    Observed(step.loss, tuple(map(seen, step.gradients)), tuple(map(seen, step.weights)), None)
                )
                if not np.isfinite(step.loss):
                    break
        return self._trained[key]

    def _against(self, runtime: RuntimeId, reference: list[Observed]) -> TrainingCurves:
        """Compute the curves of a page with a different reference."""
        return judge(self._outcome, runtime, reference, self._outcome.moved)[0]


def _share(curves: TrainingCurves) -> float:
    errors = (*curves.loss_error, *curves.gradient_error, *curves.weight_error)
    return max((error for error in errors if error is not None), default=0.0)
