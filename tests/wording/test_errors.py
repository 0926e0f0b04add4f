"""The words of error messages and their advice, as the command line prints them, each provoked in the function that "
"raises it."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import struct
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from pycheck.artifact.json_file import read_json
from pycheck.artifact.tflite import TfliteModel, check_for_litert_js
from pycheck.conversion.existing import open_artifact
from pycheck.conversion.writing import write_model_json
from pycheck.errors import InternalError, PycheckError, RuntimeFailedError
from pycheck.inputs import from_arrays, open_inputs
from pycheck.inputs.made import make_inputs
from pycheck.inputs.sizes import asked_sizes
from pycheck.model import identify
from pycheck.options.reading import build
from pycheck.protocol import Failed
from pycheck.report import pages
from pycheck.runtimes.browser import proof
from pycheck.runtimes.fake import Fault
from pycheck.runtimes.launching import finding
from pycheck.setup import releases
from pycheck.system import fatal_signals, folders, installed
from pycheck.system.cache import Cache
from pycheck.training.recipe import Recipe, RecipeText, parse_loss, parse_optimizer, parse_penalty
from pycheck.types import RuntimeId, Signature, TensorSpec
from pycheck.workflow import devices, store

from ..artifact.tflite_files import Step, Value, built, chain
from ..conftest import Cli
from ..fakes import Fakes


class Words:
    """Collects messages; folders of the test and of this machine are written DIR and PYTHON."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._told: list[str] = []

    def add(self, text: str) -> None:
        text = text.replace(str(self._folder), "DIR").replace(sys.executable, "PYTHON")
        self._told.append("\n".join(line.rstrip() for line in text.rstrip("\n").splitlines()))

    def of(self, *provokers: Callable[[], object]) -> None:
        """Call each of them, which must raise an error of pycheck."""
        for provoke in provokers:
            with pytest.raises(PycheckError) as caught:
                provoke()
            self.add(caught.value.told())

    def __str__(self) -> str:
        return "\n".join(self._told)


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Words:
    monkeypatch.chdir(tmp_path)
    return Words(tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str, bytes | str], Path]:
    def write(name: str, content: bytes | str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


File = Callable[[str, bytes | str], Path]


def npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


WRONG: tuple[dict[str, Any], ...] = (
    {"runtimes": ["webgl"]},
    {"runtimes": ["opera:webgl"]},
    {"runtimes": ["native:float32"]},
    {"runtimes": ["device:Pixel 8:webgl"]},
    {"runtimes": []},
    {"format": "layer"},
    {"samples": 0},
    {"seed": 1.5},
    {"timeout_s": 0.0},
    {"trust_model": "yes"},
    {"range": "255"},
    {"range": ["kinds:5:5"]},
    {"size": "big"},
    {"size": "0"},
    {"atol": ["much"]},
    {"rtol": ["-1"]},
    {"atol": ["1e-3", "1e-4"]},
    {"flags": ["WEBGL_PACK"]},
    {"trace_memory": "much"},
    {"connect": {"chromium": "9222"}},
    {"browser_path": "opera=/usr/bin/opera"},
    {"tfjs_model": ""},
    {"tfjs_model": "model.json", "quantize": "uint8"},
    {"tflite_model": "m.tflite", "quantize": "int8"},
    {"tflite_model": "m.tflite", "runtimes": "chromium:cpu"},
    {"map_output": {"a": "b"}},
    {"keep_float": "bn"},
    {"keep_float": "bn", "quantize": "uint8", "converter": "tensorflowjs"},
    {"layers": ["a"]},
    {"bundle_point": "a"},
    {"browser_path": "/c", "connect": {"chromium": "by-hand"}},
)


def test_options(words: Words, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    for given in WRONG:
        words.of(lambda given=given: build(given, environ={}))  # type: ignore[misc]
    words.of(lambda: build({"samples": 3}, environ={}, has_inputs=True))
    words.of(lambda: build({}, environ={"PYCHECK_SAMPEL": "1"}))
    words.of(lambda: build({}, environ={"PYCHECK_SAMPLES": "many"}))
    for text in ("sampels = 3", 'samples = "many"', "samples = 0", "samples ="):
        (tmp_path / "pycheck.toml").write_text(text + "\n")
        words.of(lambda: build({}, folder=tmp_path, environ={}))
    (tmp_path / "pycheck.toml").unlink()
    (tmp_path / "pyproject.toml").write_text("tool = 3  # pycheck\n")
    words.of(lambda: build({}, folder=tmp_path, environ={}))
    assert str(words) == snapshot


def test_commands(
    words: Words,
    command: Cli,
    fakes: Fakes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    snapshot: SnapshotAssertion,
) -> None:
    fakes.save(tmp_path / "m.keras")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    for line in (
        "compare m.keras --json - --html -",
        "compare m.keras --json r --junit r",
        "compare m.keras --html nowhere/r.html",
        "compare m.keras --atol z:1",
        "compare m.keras --save-run full",
        "trace m.keras --bundle full",
        "convert m.keras full",
        "explain nan-introducd",
        "explain zzzz",
        "doctor browsers",
        "report full",
    ):
        words.add(command(*line.split()).messages)

    def broken(*_: object) -> None:
        raise ZeroDivisionError("by zero")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "/somewhere")

    for function in (broken, full):
        monkeypatch.setattr("pycheck.workflow.pipeline.rejudge", function)
        words.add(command("report", ".").err)
    words.add(InternalError(ZeroDivisionError("by zero")).told())
    monkeypatch.setattr(pages, "read_page", lambda code: (tmp_path / "gone.md").read_text())
    words.add(command("explain", "drift").err.replace("[Errno 2] ", ""))
    assert str(words) == snapshot


X = Signature((TensorSpec("x", "float32", (None, 4)),), (TensorSpec("y", "float32", (None, 3)),))
TWO = Signature((TensorSpec("a", "float32", (None, 4)), TensorSpec("b", "float32", (None, 2))), X.outputs)


def taking(dtype: str, *shape: int | None, name: str = "x") -> Signature:
    return Signature((TensorSpec(name, dtype, shape),), ())


def test_files_of_inputs(words: Words, file: File, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    with zipfile.ZipFile(tmp_path / "empty.npz", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    tensor = {"dtype": "F8_E5M2", "shape": [4], "data_offsets": [0, 4]}
    header = json.dumps({"x": tensor}).encode()
    for path in (
        tmp_path / "none.npy",
        tmp_path,
        file("x.npy", b""),
        file("cut.npy", npy(np.zeros((3, 4), np.float32))[:-5]),
        file("header.npy", npy(np.zeros((3, 4), np.float32))[:40]),
        file("objects.npy", npy(np.array([[1], [2, 3]], object))),
        file("fields.npy", npy(np.zeros(3, [("a", "f4"), ("b", "i4")]))),
        file("pickle.npy", b"\x80\x04\x95\x10\x00"),
        file("text.csv", "1,2,3\n4,5,6\n"),
        file("text.npz", "hello"),
        tmp_path / "empty.npz",
        file("cut.safetensors", struct.pack("<Q", 300) + b'{"x":'),
        file("float8.safetensors", struct.pack("<Q", len(header)) + header + bytes(4)),
        file("x.json", "["),
        file("empty.json", "{}"),
        file("null.json", "null"),
        file("mixed.json", '[["a", 1]]'),
        file("ragged.json", '[["a", "b"], ["c"]]'),
    ):
        words.of(lambda path=path: open_inputs(path, X))  # type: ignore[misc]
    np.savez(tmp_path / "names.npz", a=np.zeros((5, 4)), bb=np.zeros((5, 2)))
    np.savez(tmp_path / "counts.npz", a=np.zeros((5, 4)), b=np.zeros((4, 2)))
    for path in (file("one.npy", npy(np.zeros((5, 4)))), tmp_path / "names.npz", tmp_path / "counts.npz"):
        words.of(lambda path=path: open_inputs(path, TWO))  # type: ignore[misc]
    assert str(words) == snapshot


ARRAYS: tuple[tuple[Any, Signature], ...] = (
    (np.zeros(4), X),
    (np.zeros((5, 3)), X),
    (np.zeros((0, 4)), X),
    (np.zeros((5, 0)), taking("float32", None, None)),
    (np.zeros((6, 3)), taking("float32", 4, 3)),
    (np.zeros((3, 3)), taking("float32", 4, 3)),
    (np.zeros((1, 3, 8, 8)), taking("float32", None, 8, 8, 3)),
    (np.zeros((5, 4), np.complex64), X),
    (np.zeros((5, 4)), taking("complex64", None, 4)),
    (np.full((5, 4), "text"), X),
    (np.zeros((5, 4)), taking("int32", None, 4)),
    (np.full((5, 4), 1e300), X),
    (np.zeros((5, 4)), taking("string", None, 4)),
    (np.array([[b"a", b"\xff\xfe"]]), taking("string", None, 2)),
    ([[1.0], [1.0, 2.0]], X),
    (np.zeros((5, 4)), TWO),
    ([np.zeros((5, 4))], TWO),
    (np.zeros((5, 4)), Signature((), ())),
)


def test_arrays(words: Words, snapshot: SnapshotAssertion) -> None:
    for given, signature in ARRAYS:
        words.of(lambda given=given, signature=signature: from_arrays(given, signature))  # type: ignore[misc]
    assert str(words) == snapshot


def test_generated_inputs(words: Words, snapshot: SnapshotAssertion) -> None:
    image = Signature((TensorSpec("image", "float32", (None, None, None, 3)), *X.inputs), ())
    words.of(
        lambda: make_inputs(X, samples=0, seed=0),
        lambda: make_inputs(X, samples=1, seed=-1),
        lambda: make_inputs(X, samples=1, seed=0, ranges={None: (0, float("inf"))}),
        lambda: make_inputs(X, samples=1, seed=0, ranges={"x": (0, 1e300)}),
        lambda: make_inputs(X, samples=1, seed=0, ranges={"z": (0, 1)}),
        lambda: make_inputs(taking("string", None), samples=1, seed=0, ranges={"x": (0, 1)}),
        lambda: asked_sizes(image, {"x": (12,)}),
        lambda: asked_sizes(image, {"image": (1, 2, 3)}),
        lambda: asked_sizes(image, {None: (1, 2, 3)}),
        lambda: asked_sizes(X, {None: (3,)}),
        lambda: asked_sizes(image, {"imgae": (1,)}),
    )
    assert str(words) == snapshot


def test_files_that_are_no_models(words: Words, file: File, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    def archive(name: str, *members: str) -> Path:
        with zipfile.ZipFile(tmp_path / name, "w") as content:
            for member in members:
                content.writestr(member, "{}")
        return tmp_path / name

    def folder(name: str, *members: str) -> Path:
        for member in members:
            file(f"{name}/{member}", "x")
        return tmp_path / name

    (tmp_path / "empty").mkdir()
    for path in (
        tmp_path / "none.keras",
        tmp_path / "empty",
        file("zero.keras", b""),
        file("m.tflite", b"\x1c\x00\x00\x00TFL2"),
        file("m.onnx", b"\x08\x03"),
        file("m.pt", b"PK"),
        file("m.pkl", b"\x80\x04"),
        file("m.ckpt.index", bytes(40)),
        file("m.safetensors", bytes(40)),
        file("group1-shard1of1.bin", bytes(40)),
        file("frozen.pb", b"\x0a\x10"),
        file("tfhub_module.pb", b"\x08\x03"),
        file("saved_model.pb", b"\x08\x03"),
        file("m.h5", b"hello"),
        file("m.keras", b"hello"),
        file("m.txt", b"hello"),
        file("cut.keras", b"PK\x03\x04"),
        file("architecture.json", '{"class_name": "Sequential", "config": {}}'),
        file("other.json", "{}"),
        archive("photos.zip", "1.jpg"),
        archive("inputs.npz", "x.npy"),
        archive("torch.zip", "data.pkl"),
        archive("web.zip", "web/model.json"),
        archive("keras.zip", "keras_model.h5"),
        folder("checkpoint", "ckpt.index"),
        folder("incomplete", "variables/variables.index"),
        folder("transformers", "pytorch_model.bin"),
        folder("versions", "1/saved_model.pb"),
        folder("parent", "best.keras"),
    ):
        words.of(lambda path=path: identify(path))  # type: ignore[misc]
    assert str(words) == snapshot


def test_tflite_files(words: Words, snapshot: SnapshotAssertion) -> None:
    whole = chain().to_bytes()
    free = built([Value("x", shape=(None, 4)), Value("y", shape=(None, 4))], [Step("NEG", (0,), (1,))], [0], [1])
    echo = built([Value("x"), Value("y")], [Step("NEG", (0,), (1,))], [0], [1, 0])
    handle = [Value("x"), Value("handle", "resource", ()), Value("read"), Value("y")]
    steps = [Step("VAR_HANDLE", (), (1,)), Step("READ_VARIABLE", (1,), (2,)), Step("ADD", (0, 2), (3,))]
    outside = chain()
    outside.root.subgraphs[0].operators[1].inputs = [99]
    for content in (b"hello world", whole[: len(whole) // 2], whole[:-20], outside.to_bytes()):
        words.of(lambda content=content: TfliteModel.of(content, "m.tflite"))  # type: ignore[misc]
    models = (chain("int64"), chain("string"), chain(middle="Erfc"), chain(middle="FlexErfc"), free, echo)
    for model in (*models, built(handle, steps, [0], [3])):
        words.of(lambda model=model: check_for_litert_js(model, "m.tflite"))  # type: ignore[misc]
    assert str(words) == snapshot


DOCUMENT: Mapping[str, Any] = {
    "format": "graph-model",
    "modelTopology": {"node": []},
    "signature": {"inputs": {"x": {"name": "x:0"}}, "outputs": {"y": {"name": "y:0"}}},
    "weightsManifest": [{"paths": ["w.bin"], "weights": [{"name": "w", "shape": [4], "dtype": "float32"}]}],
}


def test_artifacts(words: Words, file: File, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    text = json.dumps(DOCUMENT)
    for content in (
        b"",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 9001\n",
        b"<html lang=en>",
        gzip.compress(text.encode(), mtime=0),
        text.encode("utf-16"),
        text.encode() + b"\xff",
        text[:-40].encode(),
        b'{"a": 1,\n}',
        b"{'a': None}",
        b'{\n// made by hand\n"a": 1}',
        f"export default {text}".encode(),
        f"{text}\n{text}".encode(),
        b'{"a": NaN}',
        b"[" * 100_000,
    ):
        words.of(lambda content=content: read_json(file("model.json", content)))  # type: ignore[misc]
    manifest = DOCUMENT["weightsManifest"][0]
    for changed in (
        {"modelTopology": None},
        {"weightsManifest": None},
        {"weightsManifest": [{"paths": ["gone.bin"], "weights": manifest["weights"]}]},
        {"weightsManifest": [{"paths": ["../w.bin"], "weights": manifest["weights"]}]},
        {"weightsManifest": [{"paths": 3}]},
        {},
        {"signature": None},
        {
            "weightsManifest": [],
            "modelTopology": {"node": [{"name": "c", "op": "Const"}, {"name": "y", "op": "Neg", "input": ["c"]}]},
        },
    ):
        file("w.bin", bytes(16 if changed else 12))
        file("model.json", json.dumps({**DOCUMENT, **changed}))
        words.of(lambda: open_artifact(tmp_path / "model.json", X))
    file("w.bin", bytes(16))
    file("model.json", text)
    words.of(
        lambda: open_artifact(tmp_path / "model.json", replace(X, outputs=(*X.outputs, *TWO.inputs))),
        lambda: open_artifact(tmp_path / "model.json", X, {"z": "y"}),
    )
    assert str(words) == snapshot


def test_writing(words: Words, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    new, weight = tmp_path / "new", ("w", np.ones(2, np.float32))
    (tmp_path / "file").touch()
    words.of(
        lambda: write_model_json(new, {}, [weight], "int4", ()),
        lambda: write_model_json(tmp_path, {}, [weight], "none", ()),
        lambda: write_model_json(new, {"a": object()}, [weight], "none", ()),
        lambda: write_model_json(new, {}, [weight, weight], "none", ()),
        lambda: write_model_json(new, {}, [("w", np.array([2**40]))], "none", ()),
        lambda: write_model_json(new, {}, [("w", np.zeros(2, "datetime64[s]"))], "none", ()),
        lambda: write_model_json(new, {}, [weight], "uint8", ["bn"]),
        lambda: folders.check_new_folder("--bundle", tmp_path),
        lambda: folders.check_new_folder("--bundle", tmp_path / "file" / "new"),
        lambda: folders.write_folder("--bundle", tmp_path / "file" / "new", {}),
        lambda: Cache(tmp_path / "file").reserve("native", "a"),
        lambda: store.open_run(tmp_path),
    )
    assert str(words) == snapshot


def test_runtimes(words: Words, command: Cli, fakes: Fakes, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    fakes.save(tmp_path / "m.keras")
    fakes.break_(
        "chromium:cpu", Fault(error=RuntimeFailedError("The page crashed.", "Try a smaller --batch-size."), at="start")
    )
    fakes.break_("chromium:wasm", Fault(hangs=True))
    said = command(
        "compare",
        "m.keras",
        "--runtime",
        "chromium:cpu",
        "--runtime",
        "chromium:wasm",
        "--timeout",
        "0.05",
        "--json",
        "-",
    )
    assert said.out, said.err
    for record in json.loads(said.out)["runtimes"]:
        if record["error"]:
            words.add(record["error"])
    fakes.break_("native:float32", Fault(error=RuntimeFailedError("native:float32 failed on x [32, 4]: out of memory")))
    words.add(command("compare", "m.keras", "--no-cache", "--samples", "2").messages)
    ids = [
        RuntimeId(engine, kind)
        for engine in ("chromium", "firefox", "webkit", "device:pixel")
        for kind in ("webgl", "webgpu")
    ]
    for id in ids:
        words.add(proof.failure(id, Failed(1, "unavailable", "no adapter", "")).told())
    for code, message in (
        ("predict", "Kernel 'Erf' not registered for backend 'wasm'"),
        ("load", "Unknown op 'Erf'. File an issue"),
        ("load", "Unknown layer: Erf"),
        ("gpu", "the WebGL context was lost"),
    ):
        words.add(proof.failure(ids[0], Failed(1, code, message, "")).told())  # type: ignore[arg-type]
    words.of(
        lambda: proof.check_flags({"WEBGL_PAKC": True}, {"WEBGL_PACK": "webgl"}),
        lambda: proof.check_flags({"ZZZ": True}, {"WEBGL_PACK": "webgl"}),
        lambda: finding.find_browser(tmp_path / "chrome"),
    )
    words.add("\n".join(finding.advice(engine) for engine in ("chromium", "firefox", "webkit")))
    assert str(words) == snapshot


def test_devices(words: Words, command: Cli, snapshot: SnapshotAssertion) -> None:
    def listen(host: str | None = "127.0.0.1", *names: str) -> None:
        asyncio.run(devices.listen(host, 0, names, lambda event: None))

    words.of(
        lambda: listen("0.0.0.0"),
        lambda: listen("phone.local"),
        lambda: listen("127.0.0.1", "Pixel 8"),
        lambda: listen("127.0.0.1", "pixel", "pixel"),
    )
    words.of(lambda: asyncio.run(devices.listen(None, 0, (), lambda event: None, "https://pc.example/path")))
    words.add(command("devices").messages)
    words.add(command("devices", "--name", "pixel").messages)
    assert str(words) == snapshot


def test_releases(words: Words, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion) -> None:
    monkeypatch.setattr(releases.shutil, "which", lambda name, path=None: None)
    words.of(
        lambda: releases.release_of("latest"),
        lambda: releases.release_of(str(tmp_path)),
        lambda: releases.page_with("4.21.0", Cache(tmp_path / "cache")),
    )
    assert str(words) == snapshot


def test_packages(words: Words, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion) -> None:
    def have(**versions: str) -> None:
        found = {name: installed.Package(name.replace("_", "-"), version) for name, version in versions.items()}
        monkeypatch.setattr(installed, "find", found.get)

    for versions in (
        {},
        {"tensorflow": "2.10.0"},
        {"tensorflow": "2.19.1"},
        {"tensorflow": "2.19.1", "keras": "2.15.0"},
    ):
        have(**versions)
        words.add(str(installed.tensorflow_problem()))
    have(tensorflow="2.19.1")
    words.add(str(installed.tf_keras_problem()))
    have(tensorflow="2.19.1", tf_keras="2.18.0")
    words.add(str(installed.tf_keras_problem()))
    words.add(installed.broken("tensorflow", ImportError("no _pywrap")).told())
    words.add(installed.killed("tensorflow", 4).told())
    words.add(installed.killed("tensorflow", 11, "last words").told())
    words.add(fatal_signals.crashed(11).told())
    words.add(fatal_signals.crashed(6, "Check failed: a == b").told())
    have(tensorflow="2.30.0")
    words.add(installed.unusable_internals(ImportError("no eager")).told())
    assert str(words) == snapshot


def test_training(words: Words, snapshot: SnapshotAssertion) -> None:
    for text in ("adma:0.1", "sgd:fast", "sgd:0", "sgd:nan", "sgd:0.1,nesterov=1", "adagrad:0.1,epsilon=1e-7"):
        words.of(lambda text=text: parse_optimizer(text))  # type: ignore[misc]
    for text in ("msee", "mse:from_logits"):
        words.of(lambda text=text: parse_loss(text))  # type: ignore[misc]
    sgd, mse = parse_optimizer("sgd:0.1"), parse_loss("mse")
    words.of(
        lambda: parse_penalty("l3:1"),
        lambda: Recipe(sgd, mse, steps=0),
        lambda: Recipe(sgd, mse, clipnorm=-1),
        lambda: Recipe(sgd, mse, clipnorm=1, clipvalue=1),
        lambda: RecipeText().recipe(),
    )
    assert str(words) == snapshot
