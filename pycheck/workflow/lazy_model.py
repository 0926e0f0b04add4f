"""Loads the model only as far as it is needed: from the cache, else through one TensorFlow import.

All TensorFlow work runs in one thread, so that browsers start and answer at the same time. If the cache has the
signature, the artifact and the native results, TensorFlow is never imported.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter

from ..artifact.evidence import ArtifactEvidence
from ..artifact.tflite import check_for_litert_js, read_tflite
from ..conversion.existing import open_artifact, open_tflite
from ..conversion.published_environment import PublishedConverter, find_published
from ..errors import ArtifactFileError, UsageError
from ..inputs import Inputs
from ..model import ModelSource, identify
from ..model.kind import TFJS, TFLITE
from ..options.values import Options
from ..runtimes.base import Runtime
from ..system.cache import Cache, content_key
from ..system.memory import give_back
from ..types import (
    ARTIFACT_LITERT,
    ArtifactInfo,
    Epsilon,
    Evidence,
    InputHint,
    ModelInfo,
    RuntimeId,
    Tensors,
)
from .model_card import ModelCard, card_of, stored_card
from .versions import own_code, published_converter, versions

if TYPE_CHECKING:
    from ..artifact.long_sums import LongSums
    from ..model import Model
    from ..runtimes.native.artifact import ArtifactRuntime

T = TypeVar("T")

#: The most samples that int8 is calibrated with; the ranges of activations change little with more.
_CALIBRATING_SAMPLES = 128


_ARTIFACT = TypeAdapter(ArtifactInfo)


class Source:
    """One model of one run. `model` is a path or a live Keras model."""

    def __init__(
        self, model: Path | Any, options: Options, cache: Cache, executor: Executor, *, base: Source | None = None
    ) -> None:
        self._given = model
        self._base = base
        self._options = options
        self._cache = cache
        self._executor = executor
        self._once: dict[str, asyncio.Task[Any]] = {}

    def variant(self, options: Options) -> Source:
        """Share the loaded model with a source that has its own artifact, as `options` say."""
        return Source(self._given, options, self._cache, self._executor, base=self)

    def adopt(self, artifact: ArtifactInfo) -> None:
        """Use this artifact instead of converting."""
        self._once["artifact"] = asyncio.ensure_future(_done(artifact))

    async def is_known(self) -> bool:
        """Tell whether `info` is in the cache; ModelFileError if there is no model, before anything is loaded."""
        key = await self.cache_key()
        return key is not None and self._cache.find("model", key) is not None

    async def check_tflite(self) -> None:
        """Check a given .tflite file as far as that needs no model; ArtifactFileError if LiteRT.js cannot run it."""
        if file := self._options.tflite_model:
            await asyncio.to_thread(_check_tflite, file)
        identity = await self._identity()
        if identity and identity.format == TFLITE:
            await asyncio.to_thread(_check_tflite, identity.path)

    async def info(self) -> ModelInfo:
        """Return format, hash and signature. ModelFileError if the file is not a model."""
        return (await self._card()).info

    async def input_hints(self) -> dict[str, InputHint]:
        """Return the hints of the model for its inputs: entries of a table, a scale, a mask."""
        return (await self._card()).input_hints

    async def largest_activation(self) -> int:
        """Return the number of elements of the largest value within the model for one sample."""
        return (await self._card()).largest_activation

    async def model(self) -> Model:
        """Load the model; imports TensorFlow."""
        return await self._memo("model", self._load)

    async def layer_names(self) -> frozenset[str]:
        """Return the names of the Keras layers, also of nested models; empty if it is not a Keras model."""
        return frozenset((await self._card()).layers)

    async def evidence(self, *, with_artifact: bool = True) -> Evidence:
        """Return the evidence that the model, and its artifact for TF.js, give without a run."""
        card, artifact = await self._card(), await self.artifact() if with_artifact else None

        def read() -> Evidence:
            if artifact is None:
                return Evidence(weights=card.weights)
            try:
                found = ArtifactEvidence(artifact.folder / artifact.model_file, card.layers)
                given = found.epsilons()
                epsilons = tuple(
                    Epsilon(layer, card.epsilons.get(layer), *given.get(layer, (None, False)))
                    for layer in dict.fromkeys([*card.epsilons, *given])
                )
                weights = (*card.weights, *found.weights())
                return Evidence((), weights, epsilons, found.bilinear_layers(), found.faults())
            except ArtifactFileError:  # running the model gives a better message
                return Evidence(weights=card.weights)

        return replace(
            await asyncio.to_thread(read),
            training_calls=card.training_calls,
            precision=card.precision,
            inputs_of_outputs=card.inputs_of_outputs,
            casts_inside=card.casts_inside,
        )

    async def tensorflow(self) -> None:
        """Import TensorFlow without its messages, for work that does not need the model."""
        from ..model.tensorflow_import import import_tensorflow

        await self._in_thread(import_tensorflow)

    def runtime(self, id: RuntimeId, *, in_shapes: bool = False) -> Runtime:
        """Make a runtime of the model in Python, not started; see `NativeRuntime` for `in_shapes`."""
        if id == ARTIFACT_LITERT:
            from ..runtimes.native.litert import LitertRuntime

            return LitertRuntime(self.own_artifact(), executor=self._executor)
        if id.engine == "artifact":
            from ..runtimes.native.artifact import ArtifactRuntime

            return ArtifactRuntime(id, self.own_artifact(), executor=self._executor)
        from ..runtimes.native.model import NativeRuntime

        return NativeRuntime(id, self.model(), executor=self._executor, in_shapes=in_shapes)

    def long_sums(self, artifact: ArtifactInfo) -> LongSums | None:
        """Read an artifact, in TensorFlow's thread, to simulate its long sums; None for a .tflite file."""
        from ..artifact import read_artifact
        from ..artifact.long_sums import LongSums

        return None if artifact.format == "tflite" else LongSums(read_artifact(artifact.folder / artifact.model_file))

    def artifact_runtime(
        self, id: RuntimeId, *, layers: Collection[str] = (), like: ArtifactRuntime | None = None
    ) -> ArtifactRuntime:
        """Make a runtime of the artifact in Python, not started; see `ArtifactRuntime` for `layers` and `like`."""
        from ..runtimes.native.artifact import ArtifactRuntime

        return ArtifactRuntime(id, self.artifact(), executor=self._executor, layers=layers, like=like)

    async def artifact(self) -> ArtifactInfo:
        """Return the artifact: the given one, or the model itself, or that in the cache, or a new conversion."""
        return await self._memo("artifact", self._convert)

    async def is_converted(self, *of_litert: Any) -> bool:
        """Tell whether the artifact is at hand; `of_litert` are the arguments of `litert_artifact`, for that one."""
        if of_litert and await self.given_tflite():
            return True
        if not of_litert and (self._options.tfjs_model or await self.is_artifact()):
            return True
        key = await (self._litert_key(*of_litert) if of_litert else self._artifact_key())
        return key is not None and self._cache.find("artifact", key) is not None

    async def litert_artifact(self, shapes: Mapping[str, tuple[int, ...]], inputs: Inputs) -> ArtifactInfo:
        """Return the .tflite file of the model: that in the cache, or a new conversion.

        `shapes` are those of its inputs; `inputs` calibrate int8.
        """
        return await self._memo("litert_artifact", lambda: self._convert_litert(shapes, inputs))

    async def given_tflite(self) -> ArtifactInfo | None:
        """Return the .tflite file that was given beside the model, or is the model; None if there is none."""
        if self._options.tflite_model:
            return await self._memo("given_tflite", self._open_tflite)
        identity = await self._identity()
        return await self.own_artifact() if identity and identity.format == TFLITE else None

    @property
    def is_given(self) -> bool:
        """Tell whether the artifact was given in addition to the model."""
        return self._options.tfjs_model is not None

    async def is_artifact(self) -> bool:
        """Tell whether MODEL is itself a TF.js model or a .tflite file."""
        identity = await self._identity()
        return identity is not None and identity.format in (TFJS, TFLITE)

    async def own_artifact(self) -> ArtifactInfo:
        """Return MODEL as an artifact, if it is one."""
        return await self._memo("own_artifact", self._open_own)

    async def cache_key(self) -> str | None:
        """Return the cache key of everything computed from this model; None if it has none.

        A live model has no file, and code that custom objects name may change while the file does not.
        """
        return await self._memo("cache_key", self._make_key)

    async def _make_key(self) -> str | None:
        identity = await self._identity()
        if identity is None or self._options.custom_objects:
            return None
        return content_key(
            identity.format,
            identity.sha256,
            self._options.signature,
            self._options.trust_model,
            versions(self._cache),  # different versions may convert or compute differently
            own_code(),
        )

    async def close(self) -> None:
        """Cancel work in progress."""
        for task in self._once.values():
            task.cancel()
        await asyncio.gather(*self._once.values(), return_exceptions=True)

    async def _memo(self, name: str, make: Callable[[], Awaitable[T]]) -> T:
        if self._base and name not in ("artifact", "litert_artifact", "given_tflite"):
            return await self._base._memo(name, make)
        if name not in self._once:
            self._once[name] = asyncio.ensure_future(make())
        return await asyncio.shield(self._once[name])

    async def _identity(self) -> ModelSource | None:
        if not isinstance(self._given, Path):
            return None
        return await self._memo("identity", lambda: asyncio.to_thread(identify, self._given))

    async def _in_thread(self, function: Callable[..., T], *args: Any) -> T:
        def work() -> T:
            try:
                return function(*args)
            finally:
                give_back()

        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    async def _load(self) -> Model:
        return await self._in_thread(self.read_model, await self._identity() or self._given)

    def read_model(self, given: ModelSource | Any) -> Model:
        """Load the model now, in TensorFlow's thread."""
        from ..model import load

        options = self._options
        return load(
            given,
            custom_objects=options.custom_objects,
            trust=options.trust_model,
            signature=options.signature,
        )

    async def _card(self) -> ModelCard:
        return await self._memo("card", self._find_card)

    async def _find_card(self) -> ModelCard:
        key = await self.cache_key()
        if key and (card := self._cache.read("model", key, stored_card)):
            return replace(card, info=replace(card.info, path=str(self._given)))
        model = await self.model()
        card = await self._in_thread(card_of, model)
        if key:
            pending = self._cache.reserve("model", key)
            card.write(pending.folder)
            pending.publish()
        return card

    async def _open_own(self) -> ArtifactInfo:
        options, path = self._options, Path(self._given)
        is_tflite = (await self._identity() or ModelSource(path, TFJS, "")).format == TFLITE
        formats = ("auto", "tflite") if is_tflite else ("auto",)
        if options.quantize != "none" or options.format not in formats or options.converter != "pycheck":
            named = ".tflite file" if is_tflite else "TF.js model"
            raise UsageError(
                f"{path} is already a {named}, so pycheck does not convert it.",
                "Remove --format, --quantize and --converter, or give the model that it was converted from.",
            )
        signature = (await self.info()).signature
        open_ = open_tflite if is_tflite else open_artifact
        return await asyncio.to_thread(open_, path, signature, reason="given as the model")

    async def _open_tflite(self) -> ArtifactInfo:
        options, signature = self._options, (await self.info()).signature
        assert options.tflite_model
        pairs = {} if options.tfjs_model else dict(options.map_output)
        return await asyncio.to_thread(open_tflite, options.tflite_model, signature, pairs)

    async def _published(self) -> PublishedConverter | None:
        """Return the published converter, if the options ask for it. InstallationError if it is not installed."""
        if self._options.converter == "pycheck":
            return None
        return await asyncio.to_thread(published_converter, self._cache)

    async def _convert(self) -> ArtifactInfo:
        options = self._options
        if options.tfjs_model:
            info = await self.info()
            return await asyncio.to_thread(open_artifact, options.tfjs_model, info.signature, dict(options.map_output))
        if await self.is_artifact():
            own = await self.own_artifact()
            if own.format == "tflite":
                raise UsageError(
                    f"Only LiteRT.js runs {self._given}: it is a .tflite file, not a TF.js model.",
                    "Give the model that it was converted from as MODEL, and the file with --tflite-model.",
                )
            return own
        return await self._from_cache(await self._artifact_key(), self.write_artifact)

    async def _artifact_key(self) -> str | None:
        options, model_key = self._options, await self.cache_key()
        published = await self._published()
        return model_key and content_key(
            model_key, options.format, options.quantize, options.keep_float, *([str(published)] if published else [])
        )

    async def _litert_key(self, shapes: Mapping[str, tuple[int, ...]], inputs: Inputs) -> str | None:
        options, model_key = self._options, await self.cache_key()
        calibration = [inputs.info.sha256, inputs.sample_count] if options.quantize == "int8" else []
        return model_key and content_key(model_key, "tflite", options.quantize, sorted(shapes.items()), *calibration)

    async def _convert_litert(self, shapes: Mapping[str, tuple[int, ...]], inputs: Inputs) -> ArtifactInfo:
        from ..conversion import convert_litert

        if given := await self.given_tflite():
            return given
        options = self._options

        def write(model: Model, folder: Path) -> ArtifactInfo:
            samples = _calibrating(inputs, shapes) if options.quantize == "int8" else ()
            return convert_litert(model, folder, shapes, quantize=options.quantize, samples=samples)

        return await self._from_cache(await self._litert_key(shapes, inputs), write)

    async def _from_cache(self, key: str | None, write: Callable[[Model, Path], ArtifactInfo]) -> ArtifactInfo:
        """Return an artifact of the cache, or else what `write` makes in a new folder, in TensorFlow's thread."""
        if key and (known := self._cache.read("artifact", key, _stored_artifact)):
            return known
        model = await self.model()
        pending = self._cache.reserve("artifact", key)
        try:
            artifact = await self._in_thread(write, model, pending.folder / "artifact")
        except BaseException:
            pending.discard()
            raise
        (pending.folder / "artifact.json").write_bytes(_ARTIFACT.dump_json(artifact))
        return replace(artifact, folder=pending.publish() / "artifact")

    def write_artifact(self, model: Model, folder: Path) -> ArtifactInfo:
        """Convert the model now, in TensorFlow's thread, into a folder that does not exist."""
        from ..conversion import convert
        from ..conversion.published import convert_published

        options = self._options
        if options.converter != "pycheck":
            return convert_published(
                model,
                folder,
                find_published(self._cache),
                format=options.format,
                quantize=options.quantize,
                signature=options.signature,
            )
        return convert(
            model,
            folder,
            format=options.format,
            quantize=options.quantize,
            keep_float=options.keep_float if options.quantize != "none" else (),
        )


def _calibrating(inputs: Inputs, shapes: Mapping[str, tuple[int, ...]]) -> Iterator[Tensors]:
    """Yield the first samples in the shapes of the file."""
    size = next((shape[0] for name, shape in shapes.items() if name not in inputs.whole), 1)
    for batch in itertools.islice(inputs.batches(size), max(1, _CALIBRATING_SAMPLES // size)):
        if all(batch.tensors[name].shape == shape for name, shape in shapes.items()):
            yield batch.tensors


def _check_tflite(file: Path) -> None:
    check_for_litert_js(read_tflite(file), str(file))


async def _done(value: T) -> T:
    return value


def _stored_artifact(entry: Path) -> ArtifactInfo:
    return replace(_ARTIFACT.validate_json((entry / "artifact.json").read_bytes()), folder=entry / "artifact")
