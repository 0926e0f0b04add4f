"""The commands about files on both sides: the code of the other side, and what the decoders make of a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import UsageError
from ..system import interrupts
from .options import Given, JsonPath, MarkdownPath, ModelPath, Screen, build_options, open_console, takes

if TYPE_CHECKING:
    from ..types import Emitted

Files = Annotated[
    list[Path],
    typer.Argument(metavar="FILES", help="Images, sounds or texts to prove the code on: a folder, a pattern or files."),
]
Emit = Annotated[
    str,
    typer.Option(
        "--emit",
        metavar="js|python",
        help="js: write --preprocess as JavaScript for the page; python: write --js-preprocess as Python.",
        autocompletion=lambda: ["js", "python"],
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="PATH", help="File for the code (default: standard output). It is replaced."),
]
Unproven = Annotated[bool, typer.Option("--unproven", help="Write the code even if its proof fails.")]


@takes("preprocess")
def preprocess(
    model: ModelPath,
    files: Files,
    *,
    emit: Emit,
    out: Out = None,
    unproven: Unproven = False,
    json: JsonPath = None,
    given: Given,
    screen: Screen,
) -> None:
    """Write the preprocessing of Python for the page, or the page's for Python, and prove that both do the same.

    The proof runs the code on FILES in each browser that starts, on the CPU unless --runtime names others. Only the
    decoders of images and sounds may differ.
    """
    from ..report.emitted import emitted_json, print_emitted
    from ..workflow.files import emitting
    from ..workflow.pipeline import alone
    from .publishing import check_writable

    language = _language(emit)
    for option, path in (("--out", out), ("--json", json)):
        if path is not None and str(path) != "-":
            check_writable(f"{option} {path}", Path(path))
    options, console = build_options(given, files), open_console(screen)
    with console.progress() as observe:
        work = alone(lambda bench: emitting.emit(bench, model, files, language, options, observe))
        made = interrupts.run(work)
    written = made.passed or unproven
    if json:
        text = emitted_json(made)
        if json == "-":
            print(text)
        else:
            Path(json).write_text(text + "\n", encoding="utf-8")
    if out is not None and written:
        out.write_text(made.code, encoding="utf-8")
    to_screen = sys.stdout if out is not None and json != "-" else sys.stderr
    verbosity = -1 if screen.quiet else screen.verbose
    print_emitted(made, to_screen, out if written else None, verbosity=verbosity, no_color=screen.no_color)
    if out is None and json != "-" and written:
        print(made.code, end="")
    raise typer.Exit(_exit_code(made))


@takes("decoders")
def decoders(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILES", help="Images and sounds: a folder, a pattern or files.")
    ],
    *,
    json: JsonPath = None,
    markdown: MarkdownPath = None,
    given: Given,
    screen: Screen,
) -> None:
    """Decode FILES in each browser as a page does, and compare the pixels and samples with Pillow and soundfile."""
    from ..report.decoders import decoders_json, decoders_markdown
    from ..workflow import pipeline
    from ..workflow.files.decoders import compare_decoders
    from .publishing import check_writable, put

    options, console = build_options(given, files), open_console(screen)
    outputs = {kind: path for kind, path in (("json", json), ("markdown", markdown)) if path}
    for kind, path in outputs.items():
        if path != "-":
            check_writable(f"--{kind} {path}", Path(path))
    with console.progress() as observe:
        found = interrupts.run(pipeline.alone(lambda bench: compare_decoders(bench, files, options, observe)))
    texts = {"json": decoders_json(found), "markdown": decoders_markdown(found)}
    put(texts, outputs, lambda: console.decoders(found))
    raise typer.Exit(3 if all(engine.missing for engine in found.engines) else 0)


def _language(text: str) -> Literal["js", "python"]:
    if text == "js":
        return "js"
    if text == "python":
        return "python"
    raise UsageError(f"--emit {text}: pycheck writes js and python.", "Write --emit js or --emit python.")


def _exit_code(made: Emitted) -> int:
    if made.passed:
        return 0
    return 1 if any(not proof.missing for proof in made.proofs) else 3
