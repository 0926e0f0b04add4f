"""Records which tensor of a traced graph is the result of which call of which Keras layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class LayerCalls:
    """The calls of layers, recorded while a model is called; see `recording`.

    `tensors` maps the name of a call to a tensor of the graph. Names are those of the points of a layers artifact: the
    layer, with ``outer/inner`` within other layers, ``@1`` after the name for the layer's second call, and ``:1``
    after that for a call's second output. In eager calls, `values` has the results themselves. `in_training` has the
    layers that were called with ``training=True``, and their classes.
    """

    tensors: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    in_training: dict[str, str] = field(default_factory=dict)
    _callers: list[str] = field(default_factory=list)
    _counts: Counter[str] = field(default_factory=Counter)

    def clear(self) -> None:
        """Remove all records, because the function is traced again."""
        self.tensors.clear()
        self.values.clear()
        self.in_training.clear()
        self._counts.clear()

    def record(self, layer: Any, call: Callable[[], Any], *, in_training: bool = False) -> Any:
        """Call a layer, and record the result. The outermost call is that of the model and has no name."""
        import tensorflow as tf

        where = ""
        if self._callers:
            path = f"{self._callers[-1]}/{layer.name}".removeprefix("/")
            number = self._counts[path]
            self._counts[path] += 1
            where = f"{path}@{number}" if number else path
            if in_training:
                self.in_training[str(layer.name)] = type(layer).__name__
        self._callers.append(where)
        try:
            result = call()
        finally:
            self._callers.pop()
        if where:
            graph = tf.compat.v1.get_default_graph()
            for index, tensor in enumerate(tf.nest.flatten(result)):
                name = f"{where}:{index}" if index else where
                if hasattr(tensor, "numpy"):
                    self.values[name] = tensor.numpy()
                # Results within a loop are tensors of its body, which cannot be fetched.
                elif isinstance(tensor, tf.Tensor) and getattr(tensor, "graph", None) is graph:
                    self.tensors[name] = tensor.name
        return result


@contextmanager
def recording(model: Any, calls: LayerCalls) -> Iterator[None]:
    """Record every call of a layer, and of an operation of Keras 3, by this thread for `model` within this context."""
    calls.clear()
    with ExitStack() as stack:
        for cls, inner in _callables(model):
            original = cls.__call__
            stack.callback(setattr, cls, "__call__", original)
            cls.__call__ = _recorder(original, inner, calls)
        yield


def _callables(model: Any) -> Iterator[tuple[Any, Any]]:
    """Return classes whose calls are recorded, each with the class whose recording already covers it."""
    if any(cls.__module__.startswith("tf_keras.") for cls in type(model).__mro__):
        import tf_keras

        yield tf_keras.layers.Layer, ()
        return
    import keras

    yield keras.layers.Layer, ()
    yield keras.Operation, keras.layers.Layer  # the call of a layer calls the operation


def _recorder(original: Any, recorded_elsewhere: Any, calls: LayerCalls) -> Any:
    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(self, recorded_elsewhere):
            return original(self, *args, **kwargs)
        in_training = kwargs.get("training") is True
        return calls.record(self, lambda: original(self, *args, **kwargs), in_training=in_training)

    return __call__
