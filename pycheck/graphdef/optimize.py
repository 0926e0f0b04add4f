"""Runs TensorFlow's own graph optimizer, as the published converter does."""

from __future__ import annotations

from .body import Program, read_program
from .hiding import hide_weights, show_weights
from .internals import cluster, config_pb2, device_properties_pb2, meta_graph_pb2, tf_optimizer
from .refs import node_of

#: Fold constants, share and shorten expressions, drop what nothing needs; twice, since each makes work for the
#: others. "remap" is not among them: it chooses fused operations for the processor at hand, such as _MklLayerNorm,
#: that no browser has, and `graph_fusion` does what is left of it.
_OPTIMIZERS = ("pruning", "constfold", "arithmetic", "dependency") * 2


def optimize(program: Program) -> Program:
    """The program after optimization, functions included. Names of its inputs and outputs stay.

    The given program is used up: its weights move to the result.
    """
    main = program.main
    hidden = hide_weights(main)
    meta_graph = meta_graph_pb2.MetaGraphDef(graph_def=program.graph_def())
    # What the optimizer must keep; a signature would do too, but makes it run the model on inputs of its own.
    meta_graph.collection_def["train_op"].node_list.value.extend(dict.fromkeys(map(node_of, main.outputs)))
    config = config_pb2.ConfigProto()
    options = config.graph_options.rewrite_options
    options.optimizers[:] = _OPTIMIZERS
    options.min_graph_nodes = -1  # a graph of two nodes is optimized as well
    # A described GPU rather than this machine's devices: the result is then the same on every machine.
    device = device_properties_pb2.NamedDevice(name="/GPU:0")
    device.properties.type = "GPU"
    device.properties.environment["architecture"] = "4"
    optimized = tf_optimizer.OptimizeGraph(config, meta_graph, cluster=cluster.Cluster(devices=[device]))
    kept = {node.name for node in optimized.node}
    optimized.node.extend(main.nodes[name] for name in main.inputs if name not in kept)  # those that no output needs
    result = read_program(optimized, main.inputs, main.outputs)
    show_weights(result.main, hidden)
    return result
