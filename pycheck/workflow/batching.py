"""Chooses how many samples a batch has, and the shapes of the inputs of a .tflite file, which has no free sizes."""

from __future__ import annotations

from ..conversion.existing import tflite_shapes
from ..errors import InputsFileError
from ..inputs import Inputs, even_batch_size
from ..options.values import Options
from ..types import ArtifactInfo, Signature
from .lazy_model import Source

#: The most bytes of values within the model in native:float64 for one batch, if no batch size is given. About four
#: values of the largest size exist together, such as the input of a convolution, its result and the activation.
_BATCH_BYTES = 1 << 28
_BYTES_PER_ELEMENT = 4 * 8


async def batch_size_of(source: Source, options: Options, inputs: Inputs) -> int:
    """Return the samples in a batch: a fixed number, else the given one, else as many as fit into memory.

    It is 1 if LiteRT runs a model whose samples cannot be joined. InputsFileError if the inputs do not fit the fixed
    sizes of a given .tflite file.
    """
    signature = (await source.info()).signature
    given = await source.given_tflite()
    if fixed := (_batch_of(given, inputs) if given else None) or signature.fixed_batch:
        return fixed
    if not signature.joins_samples and any(runtime.is_litert for runtime in options.runtimes):
        return 1
    most = options.batch_size
    if "batch_size" not in options.named:
        most = min(most, max(1, _BATCH_BYTES // (await source.largest_activation() * _BYTES_PER_ELEMENT)))
    return even_batch_size(most, inputs.sample_count)


def litert_shapes(signature: Signature, inputs: Inputs, batch_size: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the inputs of a converted file: one sample, if samples are independent."""
    batch = next(iter(inputs.batches(batch_size)))
    size = signature.fixed_batch or (1 if signature.joins_samples else batch_size)
    shapes = {spec.name: tuple(batch.tensors[spec.name].shape) for spec in signature.inputs}
    return {
        spec.name: (size, *shapes[spec.name][1:]) if spec.has_sample_axis else shapes[spec.name]
        for spec in signature.inputs
    }


def _batch_of(given: ArtifactInfo, inputs: Inputs) -> int | None:
    """Return the samples that a given file takes at a time, if they are more than one."""
    shapes = tflite_shapes(given)
    first = next(iter(inputs.batches(1)))
    for name, shape in shapes.items():
        if first.tensors[name].shape[1:] != shape[1:]:
            sizes = "x".join(map(str, shape[1:]))
            raise InputsFileError(
                f"The input {name} has shape {list(first.tensors[name].shape[1:])} for a sample, and "
                f"{given.model_file} has {list(shape[1:])}.",
                f"Give inputs of this size, or generate them: --size {name}:{sizes}",
            )
    batch = next((shape[0] for name, shape in shapes.items() if name not in inputs.whole), 1)
    if inputs.sample_count % batch:
        raise InputsFileError(
            f"{given.model_file} takes {batch} samples at a time, and there are {inputs.sample_count}.",
            f"Give a multiple of {batch}, or convert the model with a batch of 1.",
        )
    return batch if batch > 1 else None
