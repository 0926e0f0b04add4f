"""Names of runtimes, and the arrays that runtimes exchange."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]
#: Named tensors; the first axis of each is the sample, if its `TensorSpec` says so.
Tensors = Mapping[str, Array]

#: The four classes of a number, in the order of every 4x4 class matrix.
CLASSES = ("finite", "nan", "+inf", "-inf")

BROWSER_ENGINES = ("chromium", "firefox", "webkit")
ENGINES = ("native", "artifact", *BROWSER_ENGINES)
PYTHON_KINDS = ("float32", "float64")
#: The artifact in Python: a TF.js model as a graph in either precision, or a .tflite file.
ARTIFACT_KINDS = (*PYTHON_KINDS, "litert")
TFJS_KINDS = ("cpu", "wasm", "webgl", "webgl-f16", "webgpu")
LITERT_KINDS = ("litert-wasm", "litert-webgpu")
BROWSER_KINDS = (*TFJS_KINDS, *LITERT_KINDS)

#: The prefix of a device's engine, before the device's name.
DEVICE = "device:"
DEVICE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


@dataclass(frozen=True, slots=True, order=True)
class RuntimeId:
    """A runtime, written ``engine:kind``: ``chromium:webgl``, or ``device:pixel:webgl``."""

    engine: str
    kind: str

    @classmethod
    def parse(cls, text: str) -> RuntimeId:
        """Parse ``engine:kind``; ValueError names the unknown part and the known names."""
        engine, _, kind = text.rpartition(":") if text.count(":") > 1 else text.partition(":")
        name = engine.removeprefix(DEVICE)
        if f"{engine}:" == DEVICE or (name != engine and not DEVICE_NAME.fullmatch(name)):
            raise ValueError(
                f"runtime {text!r} names no device: write device:NAME:KIND, with lower-case letters, digits and "
                "hyphens in NAME"
            )
        if name == engine and engine not in ENGINES:
            raise ValueError(f"{text!r} has the unknown engine {engine!r}: use {', '.join(ENGINES)} or device:NAME")
        kinds = {"native": PYTHON_KINDS, "artifact": ARTIFACT_KINDS}.get(engine, BROWSER_KINDS)
        if kind not in kinds:
            raise ValueError(f"{text!r} has the unknown kind {kind!r}: {engine} has {', '.join(kinds)}")
        return cls(engine, kind)

    def __str__(self) -> str:
        return f"{self.engine}:{self.kind}"

    @property
    def is_litert(self) -> bool:
        """Tell whether LiteRT runs it, on a .tflite file; otherwise TF.js or TensorFlow does."""
        return self.kind == "litert" or self.kind in LITERT_KINDS

    @property
    def library(self) -> str:
        """Return the library that runs a model on it, if it is a runtime of a browser."""
        return "LiteRT.js" if self.is_litert else "TF.js"

    @property
    def is_on_device(self) -> bool:
        """Tell whether it runs on a device, which is connected while its page is open."""
        return self.engine.startswith(DEVICE)


NATIVE_FLOAT32 = RuntimeId("native", "float32")

NATIVE_FLOAT64 = RuntimeId("native", "float64")

ARTIFACT_FLOAT32 = RuntimeId("artifact", "float32")

ARTIFACT_FLOAT64 = RuntimeId("artifact", "float64")

#: A .tflite file in TensorFlow Lite's interpreter.
ARTIFACT_LITERT = RuntimeId("artifact", "litert")


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, NumPy dtype name and shape of a tensor; None is a dynamic dimension.

    A sample axis comes first; it is None, or the fixed batch of the model. A tensor without one (a scalar, the boxes
    of one image, one long waveform) is one value, which is given and compared as a whole, batch by batch.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    has_sample_axis: bool = True

    @property
    def sample_shape(self) -> tuple[int | None, ...]:
        """Return the shape of one sample; without a sample axis, the shape of the tensor."""
        return self.shape[1:] if self.has_sample_axis else self.shape


@dataclass(frozen=True, slots=True)
class Signature:
    """The inputs and outputs of a model, in its own order."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    @property
    def has_samples(self) -> bool:
        """Tell whether an input has a sample axis.

        Otherwise the model runs once, on whole inputs or without inputs.
        """
        return any(spec.has_sample_axis for spec in self.inputs)

    @property
    def fixed_batch(self) -> int | None:
        """Return the number of samples in a batch, if the model accepts no other number."""
        return next((spec.shape[0] for spec in self.inputs if spec.has_sample_axis), None)

    @property
    def joins_samples(self) -> bool:
        """Tell whether the results of separate samples can certainly be joined along the sample axis of each output.

        An unknown size may depend on the values, such as the number of detected boxes.
        """
        return self.fixed_batch is None and all(
            spec.has_sample_axis and None not in spec.sample_shape for spec in self.outputs
        )


#: Relative error of rounding to nearest.
UNIT_ROUNDOFF = {"bfloat16": 2.0**-9, "float16": 2.0**-11, "float32": 2.0**-24}


def is_exact(dtype: str) -> bool:
    """Tell whether values of this type are booleans or integers."""
    return dtype == "bool" or dtype.lstrip("u").startswith("int")
