"""The protocol's one definition, and that the page has the same."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from pycheck import protocol
from pycheck.errors import RuntimeFailedError

HARNESS = Path(__file__).parent.parent / "js_harness"

EXAMPLES = [
    protocol.Start(1, "webgl", {"WEBGL_PACK": False, "CPU_HANDOFF_SIZE_THRESHOLD": 0, "X": "Infinity"}),
    protocol.Load(2, "graph", "artifact/model.json"),
    protocol.Predict(3, ("x",), ("y",), "inputs/3", "outputs/3", 4),
    protocol.Run(4, (protocol.Job(("a",), ("b", "b:1")), protocol.Job((), ("c",))), "inputs/4", None, 2),
    protocol.Take(5, ("b",), "outputs/5", 2),
    protocol.Compile(
        id=6,
        optimizer="adam",
        learning_rate=0.001,
        settings={"beta_1": 0.9},
        epsilon=None,
        loss="formula",
        from_logits=False,
        program=("y", "p", "sub"),
        clipnorm=None,
        global_clipnorm=1.0,
        clipvalue=None,
        penalties=(protocol.Penalty("dense/kernel", 0.0, 0.01),),
        frozen=("dense/bias",),
        inputs=("x/x",),
        targets=("y/y",),
        batch_size=32,
        seen_elements=16,
        activation_elements=32,
        inputs_url="inputs/6",
        outputs_url="outputs/6",
        upload_streams=2,
    ),
    protocol.Train(7, 0, 50, True, "outputs/7", 2),
    protocol.Prepare(
        id=8,
        module_url="app/0/prep.js",
        export="default",
        names=("x",),
        files=(protocol.FileOffer("a.png", "image/png", "files/8-0"),),
        file_timeout_s=30.0,
        batch_s=15.0,
        batch_bytes=1 << 25,
        outputs_url="outputs/8",
        upload_streams=2,
    ),
    protocol.Hello(1, "Mozilla/5.0", is_isolated=True),
    protocol.Started(
        id=1,
        library="tfjs 4.22.0",
        backend="webgl",
        renderer=None,
        software_renderer=None,
        epsilon=1e-4,
        flags={"WEBGL_PACK": True},
        flags_default={"WEBGL_PACK": True},
        flags_unknown=(),
        wasm_threads=None,
        wasm_simd="without SIMD",
        probes=protocol.Probes((1157632000, 1266679807), (0, 0), (0, 0), (0, 0)),
        notes=(),
    ),
    protocol.Loaded(2, (protocol.TensorDescription("x", "float32", (None, 3)),), (), 4),
    protocol.Predicted(3, "execute", 0.1, 0.2, 0.3, 4),
    protocol.Ran(4, (protocol.JobFailure(1, "no kernel"),), 0.1, 0.2, 0.3, 4),
    protocol.Compiled(6, (protocol.TensorDescription("dense/kernel", "float32", (3, 2)),), 1),
    protocol.Trained(7, ("dense",), 0.1, 0.2, 4),
    protocol.Prepared(
        id=8,
        files=(protocol.FileResult(None, "", 0, 0.1), protocol.FileResult("threw", "Error: no", 2, 0.1)),
        backend="cpu",
        requested=("https://example.com/",),
        download_s=0.1,
        upload_s=0.2,
        tensor_count=4,
    ),
    protocol.Failed(3, "predict", "no", "at x"),
    protocol.Event("context-lost", "lost"),
]


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: message.type)
def test_a_message_survives_the_way_through_json(message: protocol.Command | protocol.PageMessage) -> None:
    decode = protocol.decode_command if isinstance(message, protocol.COMMANDS) else protocol.decode_page_message
    assert decode(protocol.encode(message)) == message


def test_every_message_has_an_example() -> None:
    assert {type(message) for message in EXAMPLES} == {*protocol.COMMANDS, *protocol.PAGE_MESSAGES}


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: message.type)
def test_a_message_is_json_that_every_browser_parses(message: protocol.Command | protocol.PageMessage) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    json.loads(protocol.encode(message), parse_constant=refuse)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "Invalid JSON"),
        ('{"type":"nothing"}', "'nothing'"),
        ('{"type":"hello","protocol_version":1}', "hello.user_agent"),
        ('{"type":"hello","protocol_version":"1","user_agent":""}', "valid integer"),
        ('{"type":"hello","protocol_version":1,"user_agent":"","is_isolated":false,"extra":1}', "hello.extra"),
        ('{"type":"start","id":1,"backend":"cpu","flags":{}}', "'start'"),
        (
            '{"type":"predicted","id":1,"method":"execute","download_s":NaN,"compute_s":1,"upload_s":1,'
            '"tensor_count":1}',
            "finite",
        ),
    ],
)
def test_what_is_no_message_of_the_page_is_refused_with_the_reason(text: str, problem: str) -> None:
    with pytest.raises(RuntimeFailedError, match=f"protocol version {protocol.PROTOCOL_VERSION}") as caught:
        protocol.decode_page_message(text)
    assert problem in caught.value.message


def test_the_pages_types_are_those_of_the_protocol() -> None:
    generate = runpy.run_path(str(HARNESS / "generate_protocol.py"))["generate"]
    written = (HARNESS / "src" / "protocol.d.ts").read_text(encoding="utf-8")
    assert written == generate(), "run: python js_harness/generate_protocol.py"
