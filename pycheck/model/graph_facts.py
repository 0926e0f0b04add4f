"""Finds facts of a graph that decide how it runs: the size of its values, and the float type it computes in."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from .graph import FrozenGraph

_NO_VALUES = frozenset({"Const", "Placeholder", "Shape", "NoOp"})


@dataclass(frozen=True, slots=True)
class Activations:
    """The number of elements, for one sample, of the largest value that a model computes, and of all values together.

    If the size of a value depends on free dimensions of the inputs, these count as 1.
    """

    largest: int = 1
    total: int = 1


def activations(frozen: FrozenGraph) -> Activations:
    """Return the sizes of the values that the graph computes."""
    import tensorflow as tf

    from ..graphdef.large_constants import without_large_constants

    light = without_large_constants(frozen.graph_def, frozen.outputs.values())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(light.graph_def, name="")
    shapes = (
        tensor.shape.as_list()
        for operation in graph.get_operations()
        if operation.type not in _NO_VALUES
        for tensor in operation.outputs
        if tensor.shape.rank
    )
    sizes = [prod(size or 1 for size in shape) for shape in shapes if shape[0] is None]
    return Activations(max(sizes), sum(sizes)) if sizes else Activations()


#: Types by their number in TensorFlow's DataType (tensorflow/core/framework/types.proto), the coarsest first.
_HALVES = {14: "bfloat16", 19: "float16"}
#: Operations that store, convert, compare, select or move values without rounding. They do not show the precision of
#: computations: weights in half floats, such as a table of embeddings, may be used in float32.
_NOT_COMPUTED = {
    "Cast", "Const", "Identity", "IdentityN", "NoOp", "Placeholder", "PlaceholderWithDefault", "Snapshot",
    "StopGradient", "PreventGradient", "Enter", "Exit", "Merge", "Switch", "NextIteration", "LoopCond", "EnsureShape",
    "Empty", "Fill", "OnesLike", "ZerosLike", "Bitcast", "DeepCopy", "Copy", "CopyHost", "VarHandleOp", "VariableV2",
    "VarIsInitializedOp", "ReadVariableOp", "_VarHandlesOp", "_ReadVariablesOp", "AssignVariableOp", "Assign",
    "ResourceGather", "ResourceGatherNd", "Gather", "GatherV2", "GatherNd", "ParallelDynamicStitch", "DynamicStitch",
    "DynamicPartition", "Reshape", "ExpandDims", "Squeeze", "Transpose", "ConjugateTranspose", "InvertPermutation",
    "Reverse", "ReverseV2", "ReverseSequence", "Roll", "Slice", "StridedSlice", "Concat", "ConcatV2", "Split",
    "SplitV", "Pack", "Unpack", "Stack", "Pad", "PadV2", "MirrorPad", "Tile", "BroadcastTo", "SpaceToDepth",
    "DepthToSpace", "SpaceToBatch", "SpaceToBatchND", "BatchToSpace", "BatchToSpaceND", "ExtractImagePatches", "Diag",
    "DiagPart", "MatrixDiag", "MatrixDiagV2", "MatrixDiagV3", "MatrixDiagPart", "MatrixDiagPartV2",
    "MatrixDiagPartV3", "MatrixSetDiag", "MatrixSetDiagV2", "MatrixSetDiagV3", "MatrixBandPart", "ScatterNd",
    "TensorScatterUpdate", "Where", "Select", "SelectV2", "Shape", "ShapeN", "Size", "Rank", "Equal", "NotEqual",
    "Less", "LessEqual", "Greater", "GreaterEqual", "IsNan", "IsInf", "IsFinite", "CheckNumerics", "ArgMax", "ArgMin",
    "TopK", "TopKV2", "Unique", "UniqueV2", "Assert", "Print", "PrintV2", "TensorListReserve",
    "EmptyTensorList", "TensorListFromTensor", "TensorListStack", "TensorListGather", "TensorListConcatV2",
    "TensorListGetItem", "TensorListSetItem", "TensorListPushBack", "TensorListPopBack", "TensorListElementShape",
    "TensorListScatterV2", "TensorListSplit", "TensorArrayV3", "TensorArrayReadV3", "TensorArrayWriteV3",
    "TensorArrayGatherV3", "TensorArrayScatterV3", "TensorArrayConcatV3", "TensorArraySplitV3", "XlaSharding",
}  # fmt: skip


def coarsest_float(graph_def: Any) -> str | None:
    """Return bfloat16 or float16 if a node of the GraphDef, or of its functions, computes in it; else None."""
    found = set()
    for nodes in (graph_def.node, *(function.node_def for function in graph_def.library.function)):
        for node in nodes:
            if node.op not in _NOT_COMPUTED:
                found |= {attr.type for attr in node.attr.values() if attr.type in _HALVES}
    return next((name for number, name in _HALVES.items() if number in found), None)
