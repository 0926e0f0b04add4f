"""Converts an inlined model to a tfjs-layers model, and collects every reason why it cannot."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ...artifact.layers.table import IDENTITY_AT_INFERENCE, NOT_ALIKE, known_arguments
from .keras_calls import KERAS_3, Call, SourceGraph, Value, flatten, framework_of, is_model, read_model
from .masks import MASK_READERS, MaskTracker
from .operations import operation
from .rewrites import REWRITES
from .rewrites_shape import identity
from .site import Build, Site
from .target import Ref, RefusedError, TargetGraph, TargetLayer, lacks

_OPERATION_CLASSES = frozenset({"TFOpLambda", "SlicingOpLambda"})
# TF.js has float32, int32 and bool. Other types of inputs lose nothing, except int64 above 32 bits.
_INPUT_DTYPES = {
    "float16": "float32", "bfloat16": "float32", "float32": "float32", "float64": "float32", "bool": "bool",
    "int8": "int32", "int16": "int32", "int32": "int32", "int64": "int32",
    "uint8": "int32", "uint16": "int32", "uint32": "int32", "uint64": "int32",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Conversion:
    """The result of a conversion; `graph` is valid only if `problems` is empty."""

    graph: TargetGraph
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def convert_model(model: Any) -> Conversion:
    """Convert in memory; a model that cannot be converted gives problems, not an error."""
    try:
        source = read_model(model)
    except RefusedError as error:
        who = f"{getattr(model, 'name', 'model')} ({type(model).__name__})"
        return Conversion(TargetGraph("model"), (f"{who}: {error}",), ())
    return _Converter(str(model.name), source).convert()


class _Converter:
    def __init__(self, name: str, source: SourceGraph) -> None:
        self._source = source
        self._refs: dict[Value, Ref] = {}
        self._problems: list[str] = []
        self._build = Build(TargetGraph(name), MaskTracker(source, self._refs))

    def convert(self) -> Conversion:
        for given in self._source.inputs:
            self._convert_input(given.name, given.value)
        for call in self._source.calls:
            self._convert_call(call)
        graph = self._build.graph
        graph.outputs = self._named_apart([self._refs[value] for value in self._source.outputs])
        self._problems += self._build.masks.problems()
        return Conversion(graph, tuple(dict.fromkeys(self._problems)), self._build.told())

    def _convert_input(self, name: str, value: Value) -> None:
        dtype = _INPUT_DTYPES.get(value.dtype)
        if dtype is None:
            self._problems.append(f"{name} (InputLayer): TF.js has no {value.dtype} tensors")
        elif dtype != value.dtype:
            self._build.note(f"{value.dtype} as {dtype}", f"{name} (InputLayer)")
        self._refs[value] = self._build.graph.add_input(name, value.shape, dtype or "float32")

    def _convert_call(self, call: Call) -> None:
        try:
            outputs = self._outputs(call)
        except RefusedError as error:
            self._problems.append(f"{call.who}: {error}")
            # Placeholders let the following calls be checked too, so that all reasons are reported at once.
            nowhere = TargetLayer("", "", {}, [])
            outputs = [Ref(nowhere, 0, i, value.shape, value.dtype) for i, value in enumerate(call.outputs)]
            self._build.masks.stand_in(call, outputs)
        self._refs.update(zip(call.outputs, outputs, strict=True))

    def _outputs(self, call: Call) -> list[Ref]:
        inputs = call.data()
        refs = tuple(self._refs[value] for value in inputs)
        outputs = convert_site(Site(self._build, call, refs))
        for value in call.outputs:
            if value.dtype in ("float64", "float16", "bfloat16"):
                raise RefusedError(f"it computes in {value.dtype}; TF.js computes in float32")
        masks = self._build.masks
        masks.check(call, inputs, refs)
        masks.follow_keras(call, inputs)
        if len(outputs) != len(call.outputs):
            raise RefusedError(f"it has {len(call.outputs)} outputs")
        return [replace(ref, shape=value.shape) for ref, value in zip(outputs, call.outputs, strict=True)]

    def _named_apart(self, outputs: list[Ref]) -> list[Ref]:
        """Give each output its own layer: tfjs-layers names an output by its layer and confuses equal names."""
        apart, seen = [], set()
        for ref in outputs:
            layer = ref.layer
            if id(layer) in seen or len(layer.calls) > 1 or layer.class_name == "InputLayer":
                graph = self._build.graph
                copy = graph.add_layer("Activation", layer.name, {"activation": "linear"})
                ref = graph.call(copy, [ref], [(ref.shape, ref.dtype)])[0]
            seen.add(id(ref.layer))
            apart.append(ref)
        return apart


def convert_site(site: Site) -> list[Ref]:
    """Convert one call.

    Raises:
        RefusedError: tfjs-layers would not compute the same.
    """
    call = site.call
    if call.closed:
        raise RefusedError(call.closed)
    if framework_of(type(call.layer)) is None:
        raise RefusedError("it is not a layer of Keras, and plain tfjs-layers cannot load it")
    if not hasattr(call.layer, "weights") or call.class_name in _OPERATION_CLASSES:
        return operation(site)
    known = known_arguments(call.class_name)
    if known is None and call.class_name not in {"TimeDistributed", *NOT_ALIKE, *IDENTITY_AT_INFERENCE}:
        raise lacks(call.class_name)
    _check_dtype_policy(call.layer)
    _check_arguments(call)
    if call.class_name == "TimeDistributed":
        return [_time_distributed(site)]
    if site.over_time and (call.class_name == "Masking" or getattr(call.layer, "mask_zero", False)):
        raise RefusedError("it makes a mask inside of TimeDistributed, which tfjs-layers does not support")
    if call.class_name in NOT_ALIKE:
        raise RefusedError(NOT_ALIKE[call.class_name])
    if call.class_name in IDENTITY_AT_INFERENCE:
        return [identity(site, site.input)]
    site.check_arguments(known or frozenset())
    rewrite = REWRITES.get(call.class_name)
    return rewrite(site) if rewrite else site.by_table()


def _check_dtype_policy(layer: Any) -> None:
    policy = getattr(layer, "dtype_policy", None) or getattr(layer, "_dtype_policy", None)
    name = str(getattr(policy, "name", None) or "float32")
    if name != "float32":
        raise RefusedError(f"its dtype policy is {name}; TF.js computes in float32")


def _check_arguments(call: Call) -> None:
    """Reject arguments of a call besides tensors, except those without an effect."""
    given: dict[str, Any] = {f"argument {i}": value for i, value in enumerate(call.args[1:], 2) if value is not None}
    given |= {name: value for name, value in call.kwargs.items() if value is not None}
    for name, value in given.items():
        if name == "mask" or (name == "initial_state" and call.class_name in MASK_READERS):
            continue
        # Keras 3 passes the model's own training flag to every layer, and ignores that of the call.
        if name == "training" and (value is False or framework_of(type(call.layer)) == KERAS_3):
            continue
        shown = "a tensor" if any(isinstance(v, Value) for v in flatten(value)) else repr(value)
        raise RefusedError(f"it is called with {name}={shown}, which tfjs-layers does not support")


def _time_distributed(site: Site) -> Ref:
    """Convert TimeDistributed of a layer, or of a sequence of layers, each of which is wrapped."""
    layer, x = site.layer.layer, site.input
    at_one_step = replace(x, shape=(x.shape[0], *x.shape[2:]))
    value = Value(at_one_step.shape, x.dtype)
    shape = (site.output.shape[0], *site.output.shape[2:])
    call = Call(layer, f"{site.call.label}/{layer.name}", (value,), {}, (Value(shape, site.output.dtype),))
    inner = replace(site, call=call, inputs=(at_one_step,), over_time=site.layer.name, steps=x.shape[1])
    if site.over_time:
        raise RefusedError("TimeDistributed inside of TimeDistributed is not supported")
    if is_model(layer):
        return _model_over_time(inner, read_model(layer))
    result = convert_site(inner)[0]
    return replace(result, shape=site.output.shape)


def _model_over_time(site: Site, source: SourceGraph) -> Ref:
    if len(source.inputs) != 1 or len(source.outputs) != 1:
        raise RefusedError("its model has several inputs or outputs")
    refs = {source.inputs[0].value: site.input}
    for call in source.calls:
        inputs = tuple(refs[value] for value in call.data())
        named = replace(call, label=f"{site.call.label}/{call.label}")
        one = replace(site, call=named, inputs=inputs, over_time=f"{site.over_time}_{call.layer.name}")
        try:
            results = convert_site(one)
        except RefusedError as error:
            raise RefusedError(f"{call.who}: {error}") from error
        refs.update(zip(call.outputs, results, strict=True))
    result = refs[source.outputs[0]]
    return replace(result, shape=(result.shape[0], site.steps, *result.shape[1:]))
