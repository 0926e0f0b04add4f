"""Messages that train a loaded layers model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic.dataclasses import dataclass

from .predicting import TensorDescription
from .strict import STRICT


@dataclass(frozen=True, slots=True, config=STRICT)
class Penalty:
    """The penalty for one weight: l1 times the sum of its magnitudes, plus l2 times that of its squares."""

    weight: str
    l1: float
    l2: float


@dataclass(frozen=True, slots=True, config=STRICT)
class PageRecipe:
    """The training recipe in the terms of TF.js.

    `settings` are Keras's names of an optimizer's arguments; without `epsilon` it takes TF.js's own. `loss` is TF.js's
    name, or "formula" with a `program` for pycheck/training/formula.py's stack. Weights that are in `frozen`, by the
    artifact's names, are not trained.
    """

    optimizer: Literal["sgd", "momentum", "rmsprop", "adagrad", "adadelta", "adam", "adamax"]
    learning_rate: float
    settings: Mapping[str, float]
    epsilon: float | None
    loss: str
    from_logits: bool
    program: tuple[str, ...]
    clipnorm: float | None
    global_clipnorm: float | None
    clipvalue: float | None
    penalties: tuple[Penalty, ...]
    frozen: tuple[str, ...]
    batch_size: int


@dataclass(frozen=True, slots=True, config=STRICT)
class Compile(PageRecipe):
    """Fetch the training data and make the loaded layers model ready to be trained from its initial weights.

    `inputs` and `targets` name tensors of the fetched file, in the artifact's order. Of a variable with more than
    `seen_elements`, every so many-th is sent back in each step; layers' results are, where they all together have at
    most `activation_elements`. The initial weights are sent to `outputs_url`, named by their index.
    """

    id: int
    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    seen_elements: int
    activation_elements: int
    inputs_url: str
    outputs_url: str
    upload_streams: int
    type: Literal["compile"] = "compile"


@dataclass(frozen=True, slots=True, config=STRICT)
class Compiled:
    """The model can be trained. `variables` are the trainable weights, then the others, by their original names."""

    id: int
    variables: tuple[TensorDescription, ...]
    trainable_count: int
    type: Literal["compiled"] = "compiled"


@dataclass(frozen=True, slots=True, config=STRICT)
class Train:
    """Train on consecutive batches with TF.js's own trainOnBatch, repeating the data.

    With `observe`, each step's gradient before clipping, weights after it and layers' results are sent back as one
    tensor ``step/0``, ``step/1``, ..., in this order; ``sizes`` are those of the layers' results by step, ``loss`` the
    losses. Without, only the losses are sent.
    """

    id: int
    first_step: int
    step_count: int
    observe: bool
    outputs_url: str
    upload_streams: int
    type: Literal["train"] = "train"


@dataclass(frozen=True, slots=True, config=STRICT)
class Trained:
    """The steps have run. `layers` name those whose results were sent, in the order of their calls; seconds as above.

    `compute_s` includes reading the kept tensors from the backend.
    """

    id: int
    layers: tuple[str, ...]
    compute_s: float
    upload_s: float
    tensor_count: int
    type: Literal["trained"] = "trained"
