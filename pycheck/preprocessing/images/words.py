"""Says in a short clause how a side makes its inputs, for each kind of difference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .description import LAYOUTS, Description
from .scaling import KNOWN
from .sources import CURVES

_NAMES = {
    "caffe": "0 to 255 minus the means 103.939, 116.779, 123.68",
    "torch": "0 to 1, with the means and deviations of ImageNet",
}


def words(code: str, python: Description, page: Description) -> tuple[str, str]:
    """Return the clauses for Python and for the page."""
    say = _WORDS[code]
    both = say(python), say(page)
    if code == "resize-differs" and both[0] == both[1]:
        return str(python.making.kernel), str(page.making.kernel)
    return both


def _scale(description: Description) -> str:
    for name, (scale, offset) in KNOWN.items():
        if name in _NAMES:
            count = len(description.scale)
            if sorted(zip(description.scale, description.offset, strict=True)) == sorted(
                zip(scale[:count], offset[:count], strict=True)
            ):
                return _NAMES[name]
    ranges = [
        f"{_number(o)} to {_number(255 * s + o)}" for s, o in zip(description.scale, description.offset, strict=True)
    ]
    return ranges[0] if len(set(ranges)) == 1 else ", ".join(ranges)


def _number(value: float) -> str:
    text = f"{value:.4g}" if abs(value) >= 1e-3 else "0" if abs(value) < 1e-6 else f"{value:.2g}"
    return "0" if text == "-0" else text


def _range(description: Description) -> str:
    said = [description.making.rounding]
    for name, ends in (("at least", description.low), ("at most", description.high)):
        if ends:
            said.append(f"clipped to {name} {_number(ends[0] * description.scale[0] + description.offset[0])}")
    if len(said) > 1 and description.making.rounding == "not rounded":
        said = said[1:]
    return ", ".join(said) if said != ["not rounded"] else "not rounded, not clipped"


def _mix(description: Description) -> str:
    return "".join(description.mix) if set(description.mix) <= set("RGB") else description.mix[0]


def _placement(description: Description) -> str:
    return str(replace(description.making.placement))


def _color(description: Description) -> str:
    profile = "color profile applied" if description.making.managed else "color profile ignored"
    curve = description.making.curve
    return profile if curve == CURVES[0] else f"{curve}, {profile}"


_WORDS: dict[str, Callable[[Description], str]] = {
    "channels-first": lambda side: "channels first" if side.first else "channels last",
    "image-flipped": lambda side: LAYOUTS[side.layout],
    "image-orientation": lambda side: "EXIF orientation " + ("applied" if side.making.upright else "ignored"),
    "channels-swapped": _mix,
    "pixel-scale": _scale,
    "pixel-range": _range,
    "crop-differs": _placement,
    "resize-differs": lambda side: str(side.making.kernel),
    "alpha-differs": lambda side: f"transparency {side.making.alpha}",
    "color-differs": _color,
}


def sentence(description: Description, seen: frozenset[str]) -> str:
    """Describe a side in one line; `seen` has the parts of the decoding that the files can tell."""
    making = description.making
    said = [_placement(description), str(making.kernel), _range(description), _mix(description), _scale(description)]
    said += [LAYOUTS[description.layout]] if description.layout else []
    said += ["channels first"] if description.first else []
    said += ["EXIF orientation " + ("applied" if making.upright else "ignored")] if "upright" in seen else []
    said += [f"transparency {making.alpha}"] if "alpha" in seen else []
    said += [_color(description)] if "managed" in seen or making.curve != CURVES[0] else []
    return "; ".join(said)
