"""Prints emitted code's proof: for each runtime the difference of the inputs, and what the decoders share of it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.text import Text

from ..types import Emitted, EmittedFile, EmittedProof, FileMedium
from .codec import encode
from .layout import capture, hanging, line, paragraph
from .wording import short

_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class _Words:
    """How the differences of a medium are said; `legend` explains the columns, `inexact` what a description leaves."""

    decoder: Callable[[float], str]
    rest: Callable[[float], str]
    legend: str
    inexact: float
    has_decoder: bool = True


def _bytes(rms: float) -> str:
    return "0" if rms < 5e-4 else f"{short(rms)} of 255" if math.isfinite(rms) else "other size"


def _full_scale(rms: float) -> str:
    return "0" if not rms else short(rms) if math.isfinite(rms) else "other channels"


def _share(rms: float) -> str:
    return "infinite" if not math.isfinite(rms) else "0" if rms < 1e-6 else f"{short(100 * rms)} %"


def _ids(rms: float) -> str:
    return "0" if not rms else f"{short(rms)} ids" if math.isfinite(rms) else "infinite"


_MEDIA: Mapping[FileMedium, _Words] = {
    "image": _Words(
        _bytes, _bytes,
        "decoder: RMS difference of the decoded pixels from Pillow's. rest: of the input, if Python takes the pixels "
        "that the page decodes.", 0.05,
    ),
    "sound": _Words(
        _full_scale, _share,
        "decoder: RMS difference of the decoded samples from those of soundfile, of which the largest is 1. rest: of "
        "the input, as a share of its RMS or deviation, if Python takes the samples that the page decodes.", 1e-3,
    ),
    "text": _Words(_ids, _ids, "", 0.0, has_decoder=False),
}  # fmt: skip


def emitted_json(made: Emitted) -> str:
    """Return everything as JSON, with the code."""
    return json.dumps(encode(made), indent=2, ensure_ascii=False, allow_nan=False)


def print_emitted(made: Emitted, file: TextIO, out: Path | None, *, verbosity: int, no_color: bool) -> None:
    """Print what the code does and the proof of each runtime; `out` is the file that was written.

    A negative `verbosity` prints only whether the code does the same, a positive one each file.
    """
    console = Console(file=file, no_color=no_color or None, highlight=False)
    end = [paragraph(text, console.width, style=style) for text, style in _conclusion(made, out)]
    if verbosity < 0:
        file.write(capture(end, console))
        return
    side = "Python" if made.language == "js" else "The page"
    parts = [hanging(Text(f"{side} ({made.origin}): ", "bold"), f"{made.described}.", console.width)]
    ran = [proof for proof in made.proofs if not proof.missing]
    if ran:
        parts += [Text(), *_table(ran, _MEDIA[made.medium])]
    for proof in made.proofs:
        if proof.missing:
            parts.append(paragraph(f"{proof.runtime}: not proven here: {proof.missing}.", console.width))
    parts.append(Text())
    parts += [paragraph(text, console.width) for text in (_remarks(made, verbosity > 0) if ran else ())]
    file.write(capture([*parts, *end], console))


def _table(proofs: list[EmittedProof], words: _Words) -> Iterator[Text]:
    columns = ("runtime", "input RMS", "largest", *(("decoder", "rest") if words.has_decoder else ()), "result")
    rows = [columns, *(_row(proof, words) for proof in proofs)]
    widths = [max(len(row[place]) for row in rows) + 2 for place in range(len(columns))]
    for number, row in enumerate(rows):
        cells = "".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        yield line(cells, style="bold" if number == 0 else "" if proofs[number - 1].passed else "red")


def _row(proof: EmittedProof, words: _Words) -> tuple[str, ...]:
    files = [file for file in proof.files if not file.own]
    parts = (
        _told([file.decoder_rms for file in files], words.decoder),
        _told([file.rest_rms for file in files], words.rest),
    )
    return (
        str(proof.runtime),
        short(_rms([file.input_rms for file in files])),
        short(max((file.input_max for file in files), default=0.0)),
        *(parts if words.has_decoder else ()),
        "the same" if proof.passed else "DIFFERS",
    )


def _rms(values: list[float]) -> float:
    return math.sqrt(sum(value * value for value in values) / len(values)) if values else 0.0


def _told(values: list[float | None], say: Callable[[float], str]) -> str:
    known = [value for value in values if value is not None]
    return say(_rms(known)) if known else "unknown"


def _remarks(made: Emitted, verbose: bool) -> Iterator[str]:
    words = _MEDIA[made.medium]
    if words.legend:
        yield words.legend
    counts = {len([file for file in proof.files if not file.own]) for proof in made.proofs if proof.files}
    if counts and max(counts) < made.file_count:
        yield f"Proven on {max(counts)} of {made.file_count} files, spread over all."
    for proof in made.proofs:
        for failure in proof.failed[:_MOST_NAMED]:
            yield f"{proof.runtime}: {failure}."
        wrong = [file for file in proof.files if not file.passed and not file.own]
        if wrong:
            yield f"{proof.runtime} differs for {_named(wrong, words)}."
        if proof.without:
            other = "JavaScript" if made.language == "js" else "Python"
            yield f"{proof.runtime}: the {other} does not do this part: {'; '.join(proof.without)}."
        own = [file for file in proof.files if file.own and not file.passed]
        if own:
            yield f"{proof.runtime} differs for files that pycheck made of yours: {_named(own, words)}."
        for file in proof.files if verbose else ():
            yield f"{proof.runtime} {_named([file], words)}"


def _named(files: list[EmittedFile], words: _Words) -> str:
    told = []
    for file in files[:_MOST_NAMED]:
        rest = f"rest {_told([file.rest_rms], words.rest)}"
        told.append(
            f"{file.name} (decoder {_told([file.decoder_rms], words.decoder)}, {rest})"
            if words.has_decoder
            else f"{file.name} ({_told([file.rest_rms], words.rest)})"
        )
    more = f" and {len(files) - _MOST_NAMED} more" if len(files) > _MOST_NAMED else ""
    return ", ".join(told) + more


def _conclusion(made: Emitted, out: Path | None) -> Iterator[tuple[str, str]]:
    written = "" if out else " The code was not written. To write it, add --unproven."
    if all(proof.missing for proof in made.proofs):
        yield (
            f"No browser ran the code, so that nothing is proven.{written} To check the browsers: pycheck doctor",
            "red",
        )
        return
    if made.passed and out:
        yield f"{out} does the same.", "green"
    elif made.passed:
        yield "The code does the same.", "green"
    elif out:
        yield f"{out} does not do the same. It was written because of --unproven.", "red"
    else:
        yield "The code does not do the same, and was not written. To write it, add --unproven.", "red"
    words = _MEDIA[made.medium]
    if made.error is not None and made.error > words.inexact and not made.passed:
        yield (
            f"The description of {made.origin} is not exact: a difference of {words.rest(made.error)} (RMS) has no "
            "equivalent.",
            "",
        )
