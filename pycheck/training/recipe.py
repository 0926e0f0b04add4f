"""Reads optimizer, loss and batches from the options, and checks that both Keras and TF.js have them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import UsageError
from ..options.reading import read
from ..options.table import BY_NAME, RECIPE
from ..options.values import Options
from .formula import compile_formula, is_formula

#: The optimizers that both sides have: the learning rate and the settings, with Keras's defaults.
OPTIMIZERS: Mapping[str, tuple[float, Mapping[str, float]]] = {
    "sgd": (0.01, {}),
    "momentum": (0.01, {"momentum": 0.9, "nesterov": 0.0}),
    "rmsprop": (0.001, {"rho": 0.9, "momentum": 0.0, "epsilon": math.nan}),
    "adagrad": (0.001, {"initial_accumulator_value": 0.1}),
    "adadelta": (0.001, {"rho": 0.95, "epsilon": math.nan}),
    "adam": (0.001, {"beta_1": 0.9, "beta_2": 0.999, "epsilon": math.nan}),
    "adamax": (0.001, {"beta_1": 0.9, "beta_2": 0.999, "epsilon": math.nan}),
}
#: The optimizers that only Keras has, so that they cannot be compared.
ONLY_KERAS_OPTIMIZERS = ("adafactor", "adamw", "ftrl", "lamb", "lion", "muon", "nadam")

#: The losses that both sides have: Keras's name and TF.js's.
LOSSES: Mapping[str, str] = {
    "mean_squared_error": "meanSquaredError",
    "mean_absolute_error": "meanAbsoluteError",
    "mean_absolute_percentage_error": "meanAbsolutePercentageError",
    "mean_squared_logarithmic_error": "meanSquaredLogarithmicError",
    "squared_hinge": "squaredHinge",
    "hinge": "hinge",
    "categorical_hinge": "categoricalHinge",
    "log_cosh": "logcosh",
    "categorical_crossentropy": "categoricalCrossentropy",
    "sparse_categorical_crossentropy": "sparseCategoricalCrossentropy",
    "binary_crossentropy": "binaryCrossentropy",
    "kl_divergence": "kullbackLeiblerDivergence",
    "poisson": "poisson",
    "cosine_similarity": "cosineProximity",
}
_LOSS_ALIASES: Mapping[str, str] = {
    "mse": "mean_squared_error", "mae": "mean_absolute_error", "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error", "logcosh": "log_cosh", "kld": "kl_divergence",
    "kullback_leibler_divergence": "kl_divergence", "bce": "binary_crossentropy", "cosine": "cosine_similarity",
    **{theirs: ours for ours, theirs in LOSSES.items()},
}  # fmt: skip
ONLY_KERAS_LOSSES = (
    "binary_focal_crossentropy", "categorical_focal_crossentropy", "categorical_generalized_cross_entropy", "circle",
    "ctc", "dice", "huber", "tversky",
)  # fmt: skip
#: The losses that both Keras and TF.js can also compute from logits.
FROM_LOGITS = ("binary_crossentropy", "categorical_crossentropy")


@dataclass(frozen=True, slots=True)
class Optimizer:
    """An optimizer that both sides have. `epsilon` is None if each side uses its own default."""

    name: str
    learning_rate: float
    settings: Mapping[str, float] = field(default_factory=dict)
    epsilon: float | None = None

    def __str__(self) -> str:
        defaults = OPTIMIZERS[self.name][1]
        given = [f"{name}={value:g}" for name, value in self.settings.items() if value != defaults[name]]
        given += [f"epsilon={self.epsilon:g}"] if self.epsilon is not None else []
        return ",".join([f"{self.name}:{self.learning_rate:g}", *given])


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss that both sides have: one with a name, with or without `from_logits`, or a formula with its `program`."""

    name: str
    from_logits: bool = False
    program: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}:from_logits" if self.from_logits else self.name


@dataclass(frozen=True, slots=True)
class Recipe:
    """All settings of a training except the model and the data.

    At most one kind of clipping is set. `clipnorm` applies to each variable separately, as in Keras. `l1` and `l2` are
    penalties on the kernels.
    """

    optimizer: Optimizer
    loss: Loss
    steps: int = 50
    batch_size: int = 32
    clipnorm: float | None = None
    global_clipnorm: float | None = None
    clipvalue: float | None = None
    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        for option, count in (("--steps", self.steps), ("--batch-size", self.batch_size)):
            if count < 1:
                raise UsageError(f"{option} {count}: the value must be at least 1.")
        clips = {"--clipnorm": self.clipnorm, "--global-clipnorm": self.global_clipnorm, "--clipvalue": self.clipvalue}
        given = {option: value for option, value in clips.items() if value is not None}
        for option, limit in given.items():
            if not 0 < limit < math.inf:
                raise UsageError(f"{option} {limit:g}: the value must be above 0.")
        if len(given) > 1:
            raise UsageError(
                f"{' and '.join(given)} are given, but Keras supports one kind of gradient clipping at a time.",
                "Keep one of them.",
            )


@dataclass(frozen=True, slots=True)
class RecipeText:
    """The training options as given, as texts; None stands for the model's own setting, or the default."""

    optimizer: str | None = None
    loss: str | None = None
    steps: int = 50
    batch_size: int = 32
    clipnorm: float | None = None
    global_clipnorm: float | None = None
    clipvalue: float | None = None
    regularize: str | None = None
    try_remedies: bool = False
    gradients_only: bool = False

    def recipe(self, compiled: Compiled | None = None) -> Recipe:
        """Make the recipe; a compiled model fills in options that are not given. UsageError for a wrong option."""
        optimizer = parse_optimizer(self.optimizer) if self.optimizer else compiled and compiled.optimizer
        loss = parse_loss(self.loss) if self.loss else compiled and compiled.loss
        for option, value, example in (("--optimizer", optimizer, "sgd:0.01"), ("--loss", loss, "mse")):
            if value is None:
                raise UsageError(
                    f"{option} is missing, and the model was not compiled with one.", f"Add {option} {example}"
                )
        assert optimizer and loss
        l1, l2 = parse_penalty(self.regularize) if self.regularize else (0.0, 0.0)
        clips = (self.clipnorm, self.global_clipnorm, self.clipvalue)
        if compiled and not self.optimizer and clips == (None, None, None):
            clips = compiled.clips
        return Recipe(optimizer, loss, self.steps, self.batch_size, *clips, l1, l2)

    def check(self) -> None:
        """Raise UsageError for an option that is wrong for every model."""
        if self.optimizer:
            parse_optimizer(self.optimizer)
        if self.loss:
            parse_loss(self.loss)
        if self.regularize:
            parse_penalty(self.regularize)
        Recipe(
            Optimizer("sgd", 0.01), Loss("mean_squared_error"), self.steps, self.batch_size,
            self.clipnorm, self.global_clipnorm, self.clipvalue,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Compiled:
    """Optimizer and loss of a compiled model; None if one side lacks it, which `problem` then explains."""

    optimizer: Optimizer | None = None
    loss: Loss | None = None
    clips: tuple[float | None, float | None, float | None] = (None, None, None)


def parse_optimizer(text: str) -> Optimizer:
    """Parse ``adam:0.001,epsilon=1e-7``. UsageError for an optimizer that one side lacks, and for invalid numbers."""
    name, _, rest = text.strip().partition(":")
    name = name.strip().lower()
    if name in ONLY_KERAS_OPTIMIZERS:
        raise UsageError(
            f"--optimizer {text}: TF.js has no optimizer {name}. It has {', '.join(OPTIMIZERS)}.",
            "Use adam instead of adamw and nadam, and sgd or rmsprop instead of others.",
        )
    if name not in OPTIMIZERS:
        near = difflib.get_close_matches(name, OPTIMIZERS, n=1)
        raise UsageError(
            f"--optimizer {text}: unknown optimizer {name!r}. Use one of {', '.join(OPTIMIZERS)}.",
            f"Did you mean {near[0]}?" if near else "",
        )
    rate, defaults = OPTIMIZERS[name]
    settings = {key: value for key, value in defaults.items() if key != "epsilon"}
    epsilon: float | None = None
    for index, part in enumerate(item.strip() for item in rest.split(",") if item.strip()):
        key, separator, value = part.partition("=")
        if not separator and index == 0:
            key, value = "learning_rate", part
        number = _number(text, key.strip(), value)
        match key.strip():
            case "learning_rate" | "lr":
                rate = number
            case "epsilon" if name == "adagrad":
                raise UsageError(
                    f"--optimizer {text}: TF.js's adagrad has no epsilon argument. It adds the epsilon of the backend."
                )
            case "epsilon" if "epsilon" in defaults:
                epsilon = number
            case known if known in settings:
                settings[known] = number
            case other:
                raise UsageError(f"--optimizer {text}: {name} has no argument {other!r}.", f"It takes {_takes(name)}.")
    if not 0 < rate < math.inf:
        raise UsageError(f"--optimizer {text}: the learning rate {rate:g} must be above 0.")
    return Optimizer(name, rate, settings, epsilon)


def _takes(name: str) -> str:
    return ", ".join(["learning_rate", *OPTIMIZERS[name][1]])


def _number(text: str, key: str, value: str) -> float:
    words = {"true": 1.0, "false": 0.0}
    try:
        number = words.get(value.strip().lower())
        number = float(value) if number is None else number
    except ValueError:
        raise UsageError(
            f"--optimizer {text}: {key} is {value!r}, which is not a number.", "Write it as in adam:0.001,epsilon=1e-7"
        ) from None
    if math.isnan(number):
        raise UsageError(f"--optimizer {text}: {key} is NaN.")
    return number


def parse_loss(text: str) -> Loss:
    """Parse ``mse``, ``binary_crossentropy:from_logits`` or a formula. UsageError for a loss that one side lacks."""
    if is_formula(text):
        return Loss(text.strip(), program=compile_formula(text))
    name, _, variant = text.strip().partition(":")
    name = _LOSS_ALIASES.get(name, _LOSS_ALIASES.get(name.lower(), name.lower()))
    if name in ONLY_KERAS_LOSSES:
        raise UsageError(
            f"--loss {text}: TF.js has no loss {name}. It has {', '.join(LOSSES)}.",
            "Write the loss as a formula: --loss 'mean(square(y - p))'",
        )
    if name not in LOSSES:
        near = difflib.get_close_matches(name, [*LOSSES, *_LOSS_ALIASES], n=1)
        raise UsageError(
            f"--loss {text}: unknown loss {name!r}. Use one of {', '.join(LOSSES)}, or a formula of y and p.",
            f"Did you mean {near[0]}?" if near else "",
        )
    if variant not in ("", "from_logits") or (variant and name not in FROM_LOGITS):
        raise UsageError(f"--loss {text}: only {' and '.join(FROM_LOGITS)} support :from_logits in Keras and in TF.js.")
    return Loss(name, from_logits=bool(variant))


def parse_penalty(text: str) -> tuple[float, float]:
    """Parse ``l2:0.01``, ``l1:0.001`` or both with a comma, as (l1, l2)."""
    values = {"l1": 0.0, "l2": 0.0}
    for part in text.split(","):
        kind, separator, number = part.strip().partition(":")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if kind not in values or not separator or not 0 <= value < math.inf:
            raise UsageError(f"--regularize {text}: the form is that of l2:0.01, l1:0.001 or l1:0.001,l2:0.01.")
        values[kind] = value
    return values["l1"], values["l2"]


def asked_recipe(
    given: Mapping[str, Any], options_of: Callable[[Mapping[str, Any]], Options], *, gradients_only: bool = False
) -> tuple[RecipeText, Options]:
    """Split the arguments of a call into the training recipe and the options."""
    names = {option.name for option in RECIPE}
    said = {name: read(BY_NAME[name], value) for name, value in given.items() if name in names and value is not None}
    options = options_of({name: value for name, value in given.items() if name not in names})
    if gradients_only:
        said |= {"optimizer": "sgd:0.01", "steps": 1}
    recipe = RecipeText(
        batch_size=options.batch_size,
        try_remedies=options.try_remedies and not gradients_only,
        gradients_only=gradients_only,
        **said,
    )
    return recipe, options
