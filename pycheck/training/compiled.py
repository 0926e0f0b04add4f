"""Reads the optimizer and loss of a compiled model, if both Python and TF.js have them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..model import Model, identify
from ..model.kind import read_compile_config
from .recipe import LOSSES, OPTIMIZERS, Compiled, Loss, Optimizer, parse_loss, parse_optimizer


def compiled_of(model: Model, *, optimizer_given: bool, loss_given: bool) -> Compiled:
    """Return the optimizer and loss that the model was compiled with, except those that the options give.

    UsageError if only Keras has one of them.
    """
    config = _config(model)
    if not config:
        return Compiled()
    described = config.get("optimizer")
    optimizer, clips = _optimizer(described) if described and not optimizer_given else (None, (None, None, None))
    loss = None if loss_given else _loss(config.get("loss"))
    return Compiled(optimizer, loss, clips)


def _config(model: Model) -> Mapping[str, Any] | None:
    if model.info.format in ("keras-v3", "keras-h5"):
        return read_compile_config(identify(Path(model.info.path)))
    keras_model = model.keras_model
    if not getattr(keras_model, "optimizer", None):
        return None
    optimizer = keras_model.optimizer
    return {
        "optimizer": {"class_name": type(optimizer).__name__, "config": optimizer.get_config()},
        "loss": getattr(keras_model, "loss", None),
    }


def _optimizer(described: Any) -> tuple[Optimizer, tuple[float | None, float | None, float | None]]:
    if isinstance(described, str):
        return parse_optimizer(described), (None, None, None)
    name = str(described.get("class_name", "")).rpartition(">")[2].lower()
    config = described.get("config") or {}
    rate = config.get("learning_rate", 0.001)
    if not isinstance(rate, int | float):
        raise UsageError(
            "The model's optimizer has a learning rate schedule, which TF.js does not support.",
            "Give a constant learning rate: --optimizer sgd:0.01",
        )
    if name == "sgd" and config.get("momentum"):
        name = "momentum"
    parse_optimizer(name)  # raises an error that explains the name
    known = OPTIMIZERS[name][1]
    settings = {key: float(config.get(key, value)) for key, value in known.items() if key != "epsilon"}
    epsilon = float(config["epsilon"]) if "epsilon" in known and config.get("epsilon") not in (None, 1e-7) else None
    clips = tuple(
        None if config.get(key) is None else float(config[key]) for key in ("clipnorm", "global_clipnorm", "clipvalue")
    )
    return Optimizer(name, float(rate), settings, epsilon), (clips[0], clips[1], clips[2])


def _loss(described: Any) -> Loss | None:
    if described is None:
        return None
    if isinstance(described, str):
        return parse_loss(described)
    if isinstance(described, Mapping) and "class_name" in described:
        settings = described.get("config") or {}
        name = _snake(str(described["class_name"]).rpartition(">")[2])
        logits = ":from_logits" if settings.get("from_logits") else ""
        return parse_loss(f"{settings.get('name', name) if name == 'function' else name}{logits}")
    called: object = getattr(described, "name", None) or getattr(described, "__name__", None)
    if isinstance(called, str) and called in LOSSES:
        return parse_loss(f"{called}{':from_logits' if getattr(described, 'from_logits', False) else ''}")
    raise UsageError(
        f"The model's loss is {described!r}, which TF.js does not have.",
        "Name a loss with --loss, or write it as a formula of y and p: --loss 'mean(square(y - p))'",
    )


def _snake(name: str) -> str:
    text = "".join(f"_{c.lower()}" if c.isupper() else c for c in name).strip("_")
    return {"k_l_divergence": "kl_divergence"}.get(text, text)
