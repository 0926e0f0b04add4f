"""Loads a .tflite file as a model: its execution in TensorFlow Lite is then the reference."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from ..artifact.tflite import Port, Tensor, TfliteModel
from ..artifact.tflite.interpreter import TfliteInterpreter
from ..errors import ConversionError
from ..types import Array, InputHint, ModelInfo, Signature, Tensors, TensorSpec, Values
from .graph import FrozenGraph
from .graph_facts import Activations
from .kind import ModelSource
from .loaded import Model
from .own_predict import OwnPredict

#: Operations between an input and a GATHER, as converters write an Embedding: a negative index counts from the end.
_KEEPING = frozenset({"ADD", "CAST", "RESHAPE"})
_SELECTING = frozenset({"SELECT", "SELECT_V2"})


class TfliteFile(Model):
    """A Model without a graph of TensorFlow: TensorFlow Lite's interpreter runs its file."""

    def __init__(self, info: ModelInfo, interpreter: TfliteInterpreter) -> None:
        self.info = info
        self.keras_model = None
        self.notes = interpreter.notes
        self.timings_s: Mapping[str, float] = {}
        self._interpreter = interpreter

    @property
    def own(self) -> OwnPredict | None:
        """Return None: the file has no predict besides the interpreter's."""
        return None

    @property
    def training_calls(self) -> Mapping[str, str]:
        """Return no layers, because the file has none."""
        return {}

    @property
    def random_operations(self) -> tuple[str, ...]:
        """Return no operations; only those of a Keras model are of interest."""
        return ()

    @property
    def precision(self) -> str | None:
        """Return None: kernels of TensorFlow Lite compute in float32, or in integers."""
        return None

    @property
    def inputs_of_outputs(self) -> Mapping[str, tuple[str, ...]]:
        """Return nothing, which means that each output may depend on each input."""
        return {}

    @property
    def casts_inside(self) -> Mapping[str, tuple[str, ...]]:
        """Return no casts, because the graph of TensorFlow is not known."""
        return {}

    @property
    def layer_tensors(self) -> Mapping[str, str]:
        """Return no layers, because the file has none."""
        return {}

    @property
    def input_hints(self) -> Mapping[str, InputHint]:
        """Return the inputs that are indices of a table of the file."""
        return _hints(self._interpreter.model)

    @property
    def activations(self) -> Activations:
        """Return the sizes of the tensors for one run."""
        tensors = [tensor for tensor in self._interpreter.model.tensors() if not tensor.is_constant]
        sizes = [prod(size or 1 for size in tensor.shape) for tensor in tensors]
        return Activations(max(sizes, default=1), sum(sizes) or 1)

    def frozen(self) -> FrozenGraph:
        """Raise ConversionError: a .tflite file cannot become a graph of TensorFlow again."""
        raise ConversionError(
            f"{self.info.path} is a .tflite file, which pycheck does not convert.",
            "Give the model that it was converted from.",
        )

    def predict(self, tensors: Tensors) -> dict[str, Array]:
        """Compute outputs by name from inputs by name."""
        return self._interpreter.run(tensors)


def _hints(model: TfliteModel) -> dict[str, InputHint]:
    """Follow each input through operations that keep indices, to a GATHER from a weight."""
    tensors, found = model.tensors(), {}
    for port in model.inputs:
        held = {port.tensor}
        for operation in model.operations():
            kept = operation.op in _KEEPING and held.intersection(operation.inputs)
            # A selection between the index and a different number may keep any number within the table.
            if kept or (operation.op in _SELECTING and held.issuperset(operation.inputs[1:])):
                held.update(operation.outputs)
            elif operation.op == "GATHER" and operation.inputs[1] in held and tensors[operation.inputs[0]].is_constant:
                rows = tensors[operation.inputs[0]].shape[0] or 0
                found[port.name] = InputHint((Values("ids", "rows of a table", high=float(rows)),))
    return found


def load_tflite(source: ModelSource) -> TfliteFile:
    """Load a file that LiteRT.js can run; ArtifactFileError if TensorFlow Lite refuses it."""
    interpreter = TfliteInterpreter(source.path)
    return TfliteFile(
        ModelInfo(str(source.path), source.format, source.sha256, _signature(interpreter.model)), interpreter
    )


def _signature(model: TfliteModel) -> Signature:
    """Return names and types in the file.

    The first size of the first input is the batch, and tensors with this first size have a sample axis. A batch of one
    is free if every tensor has it, because runtimes then run one sample after the other.
    """
    tensors = model.tensors()
    inputs = [(port, tensors[port.tensor]) for port in model.inputs]
    outputs = [(port, tensors[port.tensor]) for port in model.outputs]
    batch = next((tensor.shape[0] for _, tensor in inputs if tensor.shape), None)
    is_free = batch == 1 and all(tensor.shape[:1] == (1,) for _, tensor in (*inputs, *outputs))

    def spec(port: Port, tensor: Tensor) -> TensorSpec:
        sampled = batch is not None and tensor.shape[:1] == (batch,)
        shape = (None, *tensor.shape[1:]) if is_free else tensor.shape
        return TensorSpec(port.name, tensor.dtype, shape, has_sample_axis=sampled)

    return Signature(tuple(spec(*each) for each in inputs), tuple(spec(*each) for each in outputs))
