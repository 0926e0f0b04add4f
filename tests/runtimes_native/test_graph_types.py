"""What a node's attributes are, as graphs from elsewhere write them."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.real


@pytest.mark.parametrize("written", ["left out", "left empty", "given"])
def test_an_attribute_that_a_graph_leaves_out_or_empty_has_its_default(written: str) -> None:
    """Published artifacts say "index_type": {} of a TopKV2."""
    from pycheck.graphdef.internals import node_def_pb2, types_pb2
    from pycheck.graphdef.op_types import full_attrs, output_types

    node: Any = node_def_pb2.NodeDef(name="best", op="TopKV2")
    node.attr["T"].type = types_pb2.DT_FLOAT
    if written == "left empty":
        node.attr["index_type"].SetInParent()
    if written == "given":
        node.attr["index_type"].type = types_pb2.DT_INT64
    index = types_pb2.DT_INT64 if written == "given" else types_pb2.DT_INT32
    assert output_types("TopKV2", full_attrs(node)) == [types_pb2.DT_FLOAT, index]
