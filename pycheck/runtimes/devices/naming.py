"""Names devices: as the user says, else as the browser says."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ... import protocol

#: Reduced user agents have K instead of the model.
_NO_MODEL = re.compile(r"^(?:K|Mobile|Tablet|rv:.*|[a-z]{2}-[a-z]{2})$", re.I)
_ANDROID_MODEL = re.compile(r"\bAndroid [\d.]+; ([^;)]+?)(?: Build/[^;)]*)?[;)]")
_BROWSERS = (
    ("edge", re.compile(r"\bEdg(?:A|iOS)?/")),
    ("opera", re.compile(r"\bOPR/")),
    ("samsung", re.compile(r"\bSamsungBrowser/")),
    ("firefox", re.compile(r"\b(?:Firefox|FxiOS)/")),
    ("chrome", re.compile(r"(?:Chrome|Chromium|CriOS)/")),
    ("safari", re.compile(r"\bSafari/")),
)
_SYSTEMS = (
    ("iphone", "iOS", re.compile(r"\biPhone\b")),
    ("ipad", "iPadOS", re.compile(r"\biPad\b")),
    ("android", "Android", re.compile(r"\bAndroid\b")),
    ("chromebook", "ChromeOS", re.compile(r"\bCrOS\b")),
    ("mac", "macOS", re.compile(r"\bMacintosh\b")),
    ("windows", "Windows", re.compile(r"\bWindows\b")),
    ("linux", "Linux", re.compile(r"\bLinux\b")),
)
_LONGEST = 32


def system(user_agent: str) -> str:
    """Return the operating system from the browser's user agent; empty if it is unknown."""
    return next((name for _, name, pattern in _SYSTEMS if pattern.search(user_agent)), "")


def suggest(arrived: protocol.Arrived) -> str:
    """Suggest a name, such as pixel-8, iphone, android or firefox-linux."""
    agent = arrived.user_agent
    found = _ANDROID_MODEL.search(agent)
    model = arrived.model or (found[1] if found and not _NO_MODEL.match(found[1]) else "")
    if slug := _slug(model):
        return slug
    word = next((word for word, _, pattern in _SYSTEMS if pattern.search(agent)), "")
    if word in ("iphone", "ipad", "android"):
        return word
    browser = next((name for name, pattern in _BROWSERS if pattern.search(agent)), "browser")
    return f"{browser}-{word}" if word else browser


def choose(arrived: protocol.Arrived, given: Sequence[str], taken: Collection[str]) -> str:
    """Return the first given name that is free, else a suggestion, with a number if that is taken."""
    for name in given:
        if name not in taken:
            return name
    base = suggest(arrived)
    numbered = (base if n == 1 else f"{base}-{n}" for n in range(1, len(taken) + 2))
    return next(name for name in numbered if name not in taken)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:_LONGEST].strip("-")
