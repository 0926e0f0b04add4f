"""Opens a TF.js model.json from a different converter as the artifact of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..artifact.document import Port, read_document
from ..errors import ArtifactFileError, UsageError
from ..types import ArtifactInfo, Signature


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


def _pair(
    file: Path, side: str, ports: Sequence[Port], names: Sequence[str], chosen: Mapping[str, str]
) -> dict[str, str]:
    """Map model names to artifact tensors."""
    if len(ports) != len(names):
        raise ArtifactFileError(
            f"{file} has {len(ports)} {side}s ({', '.join(p.key for p in ports)}), "
            f"but the model has {len(names)} ({', '.join(names)}).",
            "Give the artifact that was converted from this model.",
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
