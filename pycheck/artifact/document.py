"""A model.json and its shards on disk, checked but not decoded."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from ..errors import ArtifactFileError
from ..graphdef.refs import node_of
from .json_file import impostor_file, read_json

#: The most names in a message.
_MOST_NAMED = 5
_AGAIN = "Copy the model again, or convert it again."
_BYTES = {"float32": 4, "int32": 4, "bool": 1, "float16": 2, "uint16": 2, "uint8": 1, "complex64": 8}


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output of an artifact: its name in the signature, and its tensor (graph) or layer (layers)."""

    key: str
    tensor: str


@dataclass(frozen=True, slots=True)
class Document:
    """A checked model.json. `format` is layers or graph.

    `content` is its JSON, of which only the outline is checked.
    """

    file: Path
    content: Mapping[str, Any]
    format: str
    quantization: str
    size_bytes: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    @property
    def topology(self) -> dict[str, Any]:
        """Return the graph, or the layers."""
        topology: dict[str, Any] = self.content["modelTopology"]
        return topology

    def quantized_weights(self) -> frozenset[str]:
        """Return the names of the quantized weights."""
        entries = (entry for group in self.content["weightsManifest"] for entry in group["weights"])
        return frozenset(str(entry["name"]) for entry in entries if "quantization" in entry)

    def shards(self) -> Iterator[tuple[list[dict[str, Any]], bytes]]:
        """Yield each group of weights: its entries, and the concatenated bytes of its shards."""
        for group in self.content["weightsManifest"]:
            yield group["weights"], b"".join((self.file.parent / path).read_bytes() for path in group["paths"])

    def weights_sha256(self) -> str:
        """Return the SHA-256 of all weights as stored, concatenated."""
        digest = hashlib.sha256()
        for _, data in self.shards():
            digest.update(data)
        return digest.hexdigest()


def read_document(path: Path) -> Document:
    """Read and check a model.json (or the one in a folder).

    ArtifactFileError: not a TF.js model, damaged, or a shard is missing, short or outside of the folder.
    """
    file = path / "model.json" if path.is_dir() else path
    content = _read(file)
    try:
        size_bytes, quantization = _check_weights(file, content)
        if content.get("format") == "graph-model" or "node" in content["modelTopology"]:
            artifact_format, (inputs, outputs) = "graph", _graph_ports(file, content)
            _check_constants(file, content)
        else:
            artifact_format, (inputs, outputs) = "layers", _layers_ports(file, content)
    except (LookupError, TypeError, AttributeError, ValueError, OSError, OverflowError) as error:
        raise ArtifactFileError(f"Cannot read {file}: it is damaged: {error!r}.", _AGAIN) from error
    return Document(
        file=file,
        content=content,
        format=artifact_format,
        quantization=quantization,
        size_bytes=size_bytes + file.stat().st_size,
        inputs=tuple(inputs),
        outputs=tuple(outputs),
    )


def _read(file: Path) -> dict[str, Any]:
    document = read_json(file)
    if not isinstance(document, dict) or not isinstance(document.get("modelTopology"), dict):
        raise ArtifactFileError(f"{file} is not a TF.js model: it has no modelTopology.", _AGAIN)
    if not isinstance(document.get("weightsManifest"), list):
        raise ArtifactFileError(f"{file} is not a TF.js model: it has no weightsManifest.", _AGAIN)
    return document


def _check_weights(file: Path, document: Mapping[str, Any]) -> tuple[int, str]:
    """Return the total size of the shards, and the quantization, after a check of every shard."""
    total, quantized = 0, set()
    root = file.parent.resolve()
    for group in document["weightsManifest"]:
        try:
            expected = sum(_weight_bytes(entry) or 0 for entry in group["weights"])
            exact = all(_weight_bytes(entry) is not None for entry in group["weights"])
            quantized |= {entry["quantization"]["dtype"] for entry in group["weights"] if "quantization" in entry}
            paths = [str(path) for path in group["paths"]]
        except (KeyError, TypeError) as error:
            raise ArtifactFileError(
                f"Cannot read {file}: its weightsManifest is damaged: {error!r}.", _AGAIN
            ) from error
        size = sum(_shard_size(file, root, path) for path in paths)
        if size < expected or (exact and size != expected):
            _check_kinds(file, root, paths)
            raise ArtifactFileError(
                f"Cannot read {file}: the shards {', '.join(paths)} have {size} bytes instead of {expected}.",
                _AGAIN,
            )
        total += size
    return total, "+".join(sorted(quantized)) or "none"


def _check_kinds(file: Path, root: Path, paths: Sequence[str]) -> None:
    """Raise ArtifactFileError for a shard that is a different kind of file."""
    for path in paths:
        if found := impostor_file(root / path):
            raise ArtifactFileError(f"Cannot read {file}: the shard {path!r} is {found[0]}.", found[1])


def _weight_bytes(entry: Mapping[str, Any]) -> int | None:
    dtype = entry["quantization"]["dtype"] if "quantization" in entry else entry["dtype"]
    return None if dtype == "string" else prod(entry["shape"]) * _BYTES[dtype]


def _shard_size(file: Path, root: Path, path: str) -> int:
    shard = (root / path).resolve()
    if not shard.is_relative_to(root) or "\\" in path or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", path):
        raise ArtifactFileError(
            f"Cannot read {file}: the shard path {path!r} is outside of the model's folder.", _AGAIN
        )
    if not shard.is_file():
        raise ArtifactFileError(
            f"Cannot read {file}: the shard {path!r} is missing.", "Copy the whole folder, or convert the model again."
        )
    return shard.stat().st_size


def _placeholders(document: Mapping[str, Any]) -> list[str]:
    return [node["name"] for node in document["modelTopology"].get("node", []) if node.get("op") == "Placeholder"]


def _graph_ports(file: Path, document: Mapping[str, Any]) -> tuple[list[Port], list[Port]]:
    signature = document.get("signature") or (document.get("userDefinedMetadata") or {}).get("signature") or {}
    if signature.get("outputs") and (signature.get("inputs") or not _placeholders(document)):
        # The converter writes handles of lookup tables as inputs, which its second graph provides.
        given = {key: port for key, port in (signature.get("inputs") or {}).items() if "resourceId" not in port}
        return _signature_ports(given), _signature_ports(signature["outputs"])
    nodes = document["modelTopology"].get("node", [])
    used = {source.lstrip("^").split(":")[0] for node in nodes for source in node.get("input", [])}
    inputs = _placeholders(document)
    outputs = [node["name"] for node in nodes if node["name"] not in used and node.get("op") != "Placeholder"]
    if not outputs:
        raise ArtifactFileError(
            f"Cannot read {file}: its outputs are unknown, because it has no signature and no unused nodes.", _AGAIN
        )
    return [Port(name, name) for name in inputs], [Port(name, name) for name in outputs]


def _check_constants(file: Path, document: Mapping[str, Any]) -> None:
    """Check that every constant that a node reads is in the manifest: TF.js reads the values only from there."""
    given = {str(entry["name"]) for group in document["weightsManifest"] for entry in group["weights"]}
    topology = document["modelTopology"]
    functions = (topology.get("library") or {}).get("function") or []
    bodies = [("", topology.get("node") or [])]
    bodies += [(str(function["signature"]["name"]), function.get("nodeDef") or []) for function in functions]
    missing: list[str] = []
    for function, nodes in bodies:
        read = {node_of(str(ref)) for node in nodes for ref in node.get("input") or ()}
        constants = [str(node["name"]) for node in nodes if node.get("op") == "Const" and node["name"] in read]
        missing += [name for name in constants if not given & {name, f"{function}/{name}"}]
    if missing:
        shown = ", ".join(missing[:_MOST_NAMED]) + (
            f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        )
        raise ArtifactFileError(
            f"Cannot read {file}: its weightsManifest does not have weights that its graph reads: {shown}.",
            "Copy the whole folder, or convert the model again.",
        )


def _signature_ports(ports: Mapping[str, Mapping[str, Any]]) -> list[Port]:
    # Keras exports name outputs output_0, output_1, ...; the number is the position.
    numbered = [(re.fullmatch(r".*_(\d+)", key), key) for key in ports]
    keys = sorted(ports, key=lambda key: int(key.rsplit("_", 1)[1])) if all(m for m, _ in numbered) else list(ports)
    return [Port(key, str(ports[key].get("name") or key)) for key in keys]


def _layers_ports(file: Path, document: Mapping[str, Any]) -> tuple[list[Port], list[Port]]:
    topology = document["modelTopology"]
    root = topology.get("model_config", topology)
    try:
        config = root["config"]
        if root["class_name"] == "Sequential":
            layers = config["layers"] if isinstance(config, dict) else config
            first, last = (str(layers[end]["config"]["name"]) for end in (0, -1))
            # tfjs-layers adds an input before a first layer that is not an input.
            given = layers[0].get("class_name", "InputLayer") == "InputLayer"
            inputs, outputs = [first if given else f"{first}_input"], [last]
        else:
            inputs, outputs = (_port_names(config[key]) for key in ("input_layers", "output_layers"))
            _check_layer_names(file, config)
    except (KeyError, TypeError, IndexError) as error:
        raise ArtifactFileError(f"Cannot read {file}: its layers topology is damaged: {error!r}.", _AGAIN) from error
    return [Port(name, name) for name in inputs], [Port(name, name) for name in outputs]


def _check_layer_names(file: Path, config: Mapping[str, Any]) -> None:
    """Raise ArtifactFileError for a reference to a missing layer, for which tfjs-layers would loop forever."""
    known = {str(layer.get("name") or layer["config"]["name"]) for layer in config["layers"]}
    named = [
        str(name).partition("@")[0] for key in ("input_layers", "output_layers") for name in _port_names(config[key])
    ]
    for layer in config["layers"]:
        for node in layer.get("inbound_nodes") or []:
            if isinstance(node, list):  # Keras 3 writes objects here, which tfjs-layers rejects itself
                named += [str(source[0]) for source in ([node] if node and isinstance(node[0], str) else node)]
    missing = sorted(set(named) - known)
    if missing:
        raise ArtifactFileError(
            f"Cannot read {file}: its topology refers to missing layers: {', '.join(missing)}.",
            _AGAIN,
        )


def _port_names(entries: Any) -> list[str]:
    """Return layer names; for several outputs of one layer, with the number of call and output appended."""
    listed = [entries] if entries and isinstance(entries[0], str) else list(entries)
    names = [str(entry[0]) for entry in listed]
    numbered = [f"{entry[0]}@{entry[1]}:{entry[2]}" for entry in listed]
    return [name if names.count(name) == 1 else full for name, full in zip(names, numbered, strict=True)]
