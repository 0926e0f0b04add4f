"""Decides which variants a cluster can run, and which of them are divided into parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..checks.variants import Variant
from ..errors import PycheckError, UsageError
from ..options.table import BY_NAME
from ..options.values import Options
from ..workflow.pipeline import with_runtimes_for
from .parcels import Parcel

#: Options that name code of the user, which stays on this machine.
_CODE = ("preprocess", "js_preprocess", "postprocess", "js_postprocess", "custom_objects")
#: Options that name one browser, which a cluster has no use for.
_BROWSERS = ("connect", "capabilities", "public_url", "public_port")


@dataclass(frozen=True, slots=True)
class Work:
    """One variant, as its worker needs it. `parcels` are its files; without them the worker reads its paths.

    `token` is that of the check, whose progress is a topic of that name. `packages` are the versions of the workers
    with TensorFlow. With `is_here` the worker is a process of this machine.
    """

    name: str
    model: Path
    inputs: Path | None
    options: Options
    token: str
    packages: Mapping[str, str]
    is_here: bool = False
    parcels: tuple[Parcel, ...] = ()


def check_variants(variants: Iterable[Variant], *, is_here: bool) -> None:
    """Raise UsageError for a variant that needs something that cannot be on a worker.

    With `is_here` the workers are processes of this machine.
    """
    for variant in variants:
        options = variant.options
        if device := next((runtime for runtime in options.runtimes if runtime.is_on_device), None):
            raise UsageError(
                f"{variant.name}: {device} is a device of this machine, which a cluster cannot reach.",
                "Check it without --dask.",
            )
        for name in (*_BROWSERS, *(() if is_here else _CODE)):
            if getattr(options, name):
                what = "code" if name in _CODE else "a browser"
                raise UsageError(
                    f"{variant.name}: {BY_NAME[name].option} names {what} of this machine, which does not go to a "
                    "cluster.",
                    f"Check {variant.name} without --dask"
                    + (", or with --dask local, whose workers are of this machine." if name in _CODE else "."),
                )


def is_divided(options: Options) -> bool:
    """Tell whether the parts of a variant can run apart.

    A trace and fixes need pages that stay open, files and decisions run in the page too, and without a key in the cache
    no part finds what another has made.
    """
    whole = ("trace", "try_remedies", *_CODE)
    return not any(getattr(options, name) for name in whole)


def runtimes_of(work: Work) -> Iterator[str]:
    """Yield the names of the runtimes of a variant, those that run longest first."""
    try:
        options = with_runtimes_for(work.model, work.options)
    except PycheckError:  # the conclusion says why
        return
    for runtime in sorted(options.runtimes, key=lambda runtime: not runtime.kind.startswith("web")):
        yield str(runtime)
