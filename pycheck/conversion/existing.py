"""Opens a TF.js model.json or a .tflite file from a different converter as the artifact of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..artifact.document import Port, read_document
from ..artifact.tflite import TfliteModel, check_for_litert_js, read_tflite, state_notes
from ..errors import ArtifactFileError, UsageError
from ..types import ArtifactInfo, Signature, is_exact

_OF_THIS_MODEL = "Give the artifact that was converted from this model."


def open_artifact(
    path: Path,
    signature: Signature,
    map_output: Mapping[str, str] | None = None,
    *,
    reason: str = "given with --tfjs-model",
) -> ArtifactInfo:
    """Check a model.json (or its folder) and pair its inputs and outputs with the model's.

    Pairs by name, else by order; `map_output` (artifact name to model name) overrides both. ArtifactFileError: not a
    TF.js model, a shard that is missing, short or outside the folder, or a different number of inputs or outputs.
    UsageError: `map_output` has an unknown name.
    """
    document = read_document(path)
    file, inputs, outputs = document.file, document.inputs, document.outputs
    return ArtifactInfo(
        folder=file.parent,
        format=document.format,
        quantization=document.quantization,
        size_bytes=document.size_bytes,
        converter=str(document.content.get("convertedBy") or "unknown"),
        reason=reason,
        inputs=tuple(port.tensor for port in inputs),
        outputs=tuple(port.tensor for port in outputs),
        input_names=_pair(file, "input", inputs, [spec.name for spec in signature.inputs], {}),
        output_names=_pair(file, "output", outputs, [spec.name for spec in signature.outputs], map_output or {}),
        model_file=file.name,
        weights_sha256=document.weights_sha256(),
    )


def open_tflite(
    path: Path,
    signature: Signature,
    map_output: Mapping[str, str] | None = None,
    *,
    reason: str = "given with --tflite-model",
) -> ArtifactInfo:
    """Check a .tflite file and pair its inputs and outputs with the model's, as `open_artifact` does.

    ArtifactFileError: not a .tflite file, damaged, LiteRT.js cannot run it, a different number of inputs or outputs,
    or an input of a different type or shape. UsageError: `map_output` has an unknown name.
    """
    model = read_tflite(path)
    check_for_litert_js(model, str(path))
    inputs, outputs = ([Port(port.name, port.name) for port in side] for side in (model.inputs, model.outputs))
    input_names = _pair(path, "input", inputs, [spec.name for spec in signature.inputs], {})
    output_names = _pair(path, "output", outputs, [spec.name for spec in signature.outputs], map_output or {})
    _check_ports(path, model, signature, input_names, output_names)
    return ArtifactInfo(
        folder=path.parent,
        format="tflite",
        quantization=model.quantization,
        size_bytes=path.stat().st_size,
        converter=model.description or "unknown",
        reason=reason,
        inputs=tuple(port.tensor for port in inputs),
        outputs=tuple(port.tensor for port in outputs),
        input_names=input_names,
        output_names=output_names,
        notes=_notes(model),
        model_file=path.name,
    )


def tflite_shapes(artifact: ArtifactInfo) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a file's inputs, by the model's names."""
    model = read_tflite(artifact.folder / artifact.model_file)
    tensors = {port.name: model.tensors()[port.tensor] for port in model.inputs}
    return {name: tuple(size or 1 for size in tensors[port].shape) for name, port in artifact.input_names.items()}


def _check_ports(
    path: Path, model: TfliteModel, signature: Signature, inputs: Mapping[str, str], outputs: Mapping[str, str]
) -> None:
    """Raise ArtifactFileError for an input or output that cannot be the model's."""
    tensors = {port.name: model.tensors()[port.tensor] for port in (*model.inputs, *model.outputs)}
    sides = (("input", signature.inputs, inputs), ("output", signature.outputs, outputs))
    for side, specs, names in sides:
        for spec in specs:
            found = tensors[names[spec.name]]
            where = f"{path}: the {side} {names[spec.name]} has"
            if is_exact(found.dtype) != is_exact(spec.dtype):
                raise ArtifactFileError(
                    f"{where} type {found.dtype}, and the model's {spec.name} has {spec.dtype}.",
                    "Convert the model again with float32 inputs and outputs: do not set "
                    "converter.inference_input_type and converter.inference_output_type."
                    if is_exact(found.dtype)
                    else _OF_THIS_MODEL,
                )
            shape = (None, *spec.shape[1:]) if spec.has_sample_axis else spec.shape
            fits = len(shape) == len(found.shape) and all(
                a in (b, None) for a, b in zip(shape, found.shape, strict=True)
            )
            if side == "input" and not fits:
                raise ArtifactFileError(
                    f"{where} shape {_shape(found.shape)}, and the model's {spec.name} has {_shape(spec.shape)}.",
                    _OF_THIS_MODEL,
                )


def _shape(shape: Sequence[int | None]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _notes(model: TfliteModel) -> tuple[str, ...]:
    keys = model.signature_keys
    more = [f"signature {keys[0]}, which LiteRT.js runs; others are {', '.join(keys[1:])}"] if len(keys) > 1 else []
    return (*more, *state_notes(model))


def _pair(
    file: Path, side: str, ports: Sequence[Port], names: Sequence[str], chosen: Mapping[str, str]
) -> dict[str, str]:
    """Map model names to artifact tensors."""
    if len(ports) != len(names):
        raise ArtifactFileError(
            f"{file} has {len(ports)} {side}s ({', '.join(p.key for p in ports)}), "
            f"but the model has {len(names)} ({', '.join(names)}).",
            _OF_THIS_MODEL,
        )
    tensors = {port.key: port.tensor for port in ports} | {port.tensor: port.tensor for port in ports}
    tensors |= {port.tensor.removesuffix(":0"): port.tensor for port in ports}
    pairs: dict[str, str] = {}
    for artifact_name, model_name in chosen.items():
        if artifact_name not in tensors or model_name not in names:
            raise UsageError(
                f"--map-output {artifact_name}={model_name}: the artifact has {', '.join(p.key for p in ports)}, "
                f"and the model has {', '.join(names)}.",
                "Use these names.",
            )
        pairs[model_name] = tensors[artifact_name]
    for name in names:
        if name not in pairs and name in tensors and tensors[name] not in pairs.values():
            pairs[name] = tensors[name]
    free = [port.tensor for port in ports if port.tensor not in pairs.values()]
    pairs.update(zip([name for name in names if name not in pairs], free, strict=True))
    return {name: pairs[name] for name in names}
