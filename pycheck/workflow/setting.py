"""What one run is made of: its options, its model, and the resources that runs share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from ..options.values import Options
from ..system.cache import Cache
from ..system.fatal_signals import NativeThread
from .browsers import Hosts
from .lazy_model import Source
from .ready import ReadyPages

#: A function that receives progress: runtime, the current step, finished samples, all samples.
Observer = Callable[[str, str, int, int], None]


def silent(runtime: str, step: str, done: int, total: int) -> None:
    """Ignore progress."""


@dataclass(frozen=True, slots=True)
class Shared:
    """The resources that runs share: the browsers, their pages that wait, the thread for TensorFlow, and the cores."""

    hosts: Hosts
    ready: ReadyPages
    executor: NativeThread
    slots: asyncio.Semaphore


@dataclass(frozen=True, slots=True)
class Setting:
    """The setting of one run: its options, its model, the folder of its results, and the shared resources."""

    options: Options
    source: Source
    cache: Cache
    shared: Shared
    observe: Observer = silent
