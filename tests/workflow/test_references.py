"""The results in Python, which are read while they are computed and put into the cache."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.errors import ConversionError
from pycheck.inputs import from_arrays
from pycheck.runtimes.base import Runtime
from pycheck.runtimes.fake import FakeModel, FakeReference, Step
from pycheck.system.cache import Cache, Pending
from pycheck.types import NATIVE_FLOAT32, NATIVE_FLOAT64, RuntimeId, Signature, Tensors, TensorSpec
from pycheck.workflow.references import References

SIGNATURE = Signature((TensorSpec("x", "float32", (None, 3)),), (TensorSpec("y", "float32", (None, 3)),))


class Unchecked:
    """A model without a predict of its own, which cannot become a graph."""

    own = None

    def frozen(self) -> None:
        raise ConversionError("no graph")


class Source:
    """A model that the cache knows by a key."""

    async def model(self) -> Unchecked:
        return Unchecked()

    async def cache_key(self) -> str:
        return "key"

    async def tensorflow(self) -> None:
        pass

    def runtime(self, id: RuntimeId, *, in_shapes: bool) -> Runtime:
        return FakeReference(id, FakeModel(SIGNATURE, {"y": Step(("x",), lambda x: 2 * x)}))


def test_a_batch_can_be_read_at_the_very_moment_at_which_the_cache_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.ones((4, 3), np.float32)
    inputs = from_arrays(x, SIGNATURE)
    source: Any = Source()
    publish = Pending.publish

    async def work() -> list[Tensors]:
        read: list[Tensors] = []
        with ThreadPoolExecutor(1) as executor:
            references = References(
                source, (NATIVE_FLOAT32, NATIVE_FLOAT64), inputs, 4, Cache(tmp_path), executor, lambda *_: None
            )
            reader = threading.Thread(target=lambda: read.append(asyncio.run(references.batch(0)).classes))

            def published(pending: Pending) -> Path:
                folder = publish(pending)
                reader.start()
                reader.join(0.5)  # for it to look where nothing is any more
                return folder

            monkeypatch.setattr(Pending, "publish", published)
            await references.compute()
            reader.join()
        return read

    (batch,) = asyncio.run(work())
    np.testing.assert_array_equal(batch["y"], 2 * x)
