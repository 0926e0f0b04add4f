"""Runs TensorFlow's own graph optimizer, as the published converter does."""

from __future__ import annotations

from .body import Program, read_program
from .hiding import hide_weights, show_weights
from .internals import cluster, config_pb2, device_properties_pb2, meta_graph_pb2, tf_optimizer
from .refs import node_of

#: The passes fold constants, share and shorten expressions, and remove unused nodes; twice, because each may enable the
#: others. "remap" is left out: it chooses fused operations for the present processor, such as _MklLayerNorm, that no
#: browser has. `conversion/graph/fusion.py` does the rest of its work.
_OPTIMIZERS = ("pruning", "constfold", "arithmetic", "dependency") * 2


def optimize(program: Program) -> Program:
    """Return the program after optimization, including its functions. Names of its inputs and outputs stay.

    The given program cannot be used afterwards: its weights move to the result.
    """
    main = program.main
    hidden = hide_weights(main)
    meta_graph = meta_graph_pb2.MetaGraphDef(graph_def=program.graph_def())
    # These nodes stay. A signature would keep them too, but the optimizer would run the model on generated inputs.
    meta_graph.collection_def["train_op"].node_list.value.extend(dict.fromkeys(map(node_of, main.outputs)))
    config = config_pb2.ConfigProto()
    options = config.graph_options.rewrite_options
    options.optimizers[:] = _OPTIMIZERS
    options.min_graph_nodes = -1  # small graphs are optimized too
    # A described GPU instead of this machine's devices makes the result the same on every machine.
    device = device_properties_pb2.NamedDevice(name="/GPU:0")
    device.properties.type = "GPU"
    device.properties.environment["architecture"] = "4"
    optimized = tf_optimizer.OptimizeGraph(config, meta_graph, cluster=cluster.Cluster(devices=[device]))
    kept = {node.name for node in optimized.node}
    optimized.node.extend(main.nodes[name] for name in main.inputs if name not in kept)  # nodes that no output needs
    result = read_program(optimized, main.inputs, main.outputs)
    show_weights(result.main, hidden)
    return result
