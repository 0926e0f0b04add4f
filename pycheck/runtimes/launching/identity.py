"""Identifies a browser and this machine without starting the browser.

If the identity is the same as before, the browser computes the same: the executable, its arguments, the processor, the
graphics drivers and the settings of these are the same.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from ...errors import RuntimeUnavailableError
from ...types import DEVICE
from .finding import PLACES, find_browser

#: The beginnings of the names of variables that choose displays and graphics drivers.
_VARIABLES = re.compile(
    r"(DISPLAY|WAYLAND_|LIBGL_|MESA_|GALLIUM_|LP_|EGL_|__GL|__EGL|__NV|VK_|DRI_|PLAYWRIGHT_|MOZ_|WEBKIT_)"
)
#: Files of Linux that change with a graphics driver: NVIDIA's version, and the folders of Mesa and of Vulkan's drivers.
_DRIVERS = ("/proc/driver/nvidia/version", "/usr/share/vulkan/icd.d", "/usr/lib/*/dri", "/usr/lib/*/libgallium-*.so")


def identify(
    engine: str, *, path: Path | None = None, address: str | None = None, headed: bool = False, args: Sequence[str] = ()
) -> str | None:
    """Return the identity of the browser that would be started; None if it is elsewhere, or there is none."""
    if address is not None or engine.startswith(DEVICE):
        return None
    try:
        found = find_browser(path, engine=engine, headed=headed)
    except RuntimeUnavailableError:
        return None
    # What is found may be a script, or a link to the program that starts all packages of a kind.
    files = [found.path, *(Path(place) for place in PLACES[engine].linux)]
    parts = (engine, found.source, *map(_state, files), *_snaps(found.path), str(headed), *args, *machine())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@functools.cache
def machine() -> tuple[str, ...]:
    """Return what kind of machine this is: system, processor, number of cores, graphics drivers and their settings."""
    variables = sorted(f"{name}={value}" for name, value in os.environ.items() if _VARIABLES.match(name))
    drivers = [_state(file) for pattern in _DRIVERS for file in sorted(Path("/").glob(pattern[1:]))]
    return (platform.platform(), _processor(), str(os.cpu_count()), *drivers, *variables)


def _processor() -> str:
    with suppress(OSError):
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        return "\n".join(re.findall(r"^(?:model name|flags|Features)\s*:.*$", text, re.M)[:2])
    return f"{platform.machine()} {platform.processor()}"


def _state(file: Path) -> str:
    """Return path, size and time of change of a file or folder."""
    with suppress(OSError):
        real = file.resolve()
        state = real.stat()
        return f"{real} {state.st_size} {state.st_mtime_ns}"
    return f"{file} -"


def _snaps(path: Path) -> Iterator[str]:
    """Yield the revision of a Snap package, whose command stays the same when it is updated."""
    if "snap" in path.parts:
        with suppress(OSError):
            yield str(Path("/snap", path.name, "current").readlink())
