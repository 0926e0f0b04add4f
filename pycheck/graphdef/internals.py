"""Imports TensorFlow's private modules; no other module of pycheck imports `tensorflow.python` or `.core`.

TensorFlow may change these in any release. tests/graphdef/test_internals.py tests the parts that pycheck uses, and
runs with the oldest and the newest TensorFlow that pycheck supports.
"""

from __future__ import annotations

from ..system.installed import unusable_internals

try:
    from tensorflow.core.framework import (
        attr_value_pb2,
        function_pb2,
        graph_pb2,
        node_def_pb2,
        op_def_pb2,
        types_pb2,
    )
    from tensorflow.core.protobuf import config_pb2, device_properties_pb2, meta_graph_pb2, saved_model_pb2
    from tensorflow.python.eager import cancellation
    from tensorflow.python.framework import (
        convert_to_constants,
        kernels,
        op_def_registry,
        tensor_util,
    )
    from tensorflow.python.framework.function_def_to_graph import function_def_to_graph, function_def_to_graph_def
    from tensorflow.python.framework.ops import gradient_registry
    from tensorflow.python.grappler import cluster, tf_optimizer
    from tensorflow.python.grappler import item as grappler_item
    from tensorflow.python.util import nest
except ImportError as error:  # a later TensorFlow moved one of them
    raise unusable_internals(error) from error
