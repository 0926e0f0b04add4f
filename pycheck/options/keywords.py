"""Defines the keywords of the public functions: their signatures, their documentation, and errors with their names."""

from __future__ import annotations

import difflib
import functools
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from ..errors import PycheckError
from .table import BY_NAME, Option, of_command

F = TypeVar("F", bound=Callable[..., Any])

#: A command within a message stays unchanged.
_COMMAND = re.compile(r"pycheck [a-z].*?(?=\. |$)", re.MULTILINE)
_OPTION = re.compile(r"--(no-)?([a-z][a-z-]*)")
_FLAGS = {option.option[2:]: option for option in BY_NAME.values()}


def accepts(command: str) -> Callable[[F], F]:
    """Decorate a public function: its ``**options`` are the options of a command.

    `inspect.signature` and `help` show each of them. An unknown keyword is a TypeError, as for every function.
    pycheck's errors then name keywords instead of options of the command line.
    """

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        taken = of_command(command)
        known = [*(parameter.name for parameter in own), *(option.name for option in taken)]

        @functools.wraps(function)
        def called(*arguments: Any, **keywords: Any) -> Any:
            for name in keywords:
                if name not in known:
                    raise TypeError(
                        f"{function.__name__}() got an unexpected keyword argument {name!r}{_near(name, known)}"
                    )
            try:
                return function(*arguments, **keywords)
            except PycheckError as error:
                in_python(error)
                raise

        shown = signature.replace(parameters=[*own, *map(_parameter, taken)])
        called.__signature__ = shown  # type: ignore[attr-defined]
        called.__doc__ = _documented(inspect.getdoc(function) or "", taken)
        return called  # type: ignore[return-value]

    return decorate


def in_python(error: PycheckError) -> PycheckError:
    """Replace options of the command line in an error by keywords of Python."""
    error.message, error.advice = _in_python(error.message), _in_python(error.advice)
    error.args = (error.message,)
    return error


def _in_python(text: str) -> str:
    parts, end = [], 0
    for command in _COMMAND.finditer(text):
        parts += [_OPTION.sub(_keyword, text[end : command.start()]), command[0]]
        end = command.end()
    return "".join([*parts, _OPTION.sub(_keyword, text[end:])])


def _keyword(match: re.Match[str]) -> str:
    option = _FLAGS.get(match[2])
    if not option:
        return match[0]
    return f"{option.name}={not match[1]}" if option.kind.keyword == "bool" else option.name


def _near(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f". Did you mean {near[0]!r}?" if near else ""


def _parameter(option: Option) -> inspect.Parameter:
    annotation = f"{option.kind.keyword} | None"
    return inspect.Parameter(option.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _documented(text: str, options: Iterable[Option]) -> str:
    """Add the options to the arguments in a docstring."""
    head, marker, rest = text.partition("\nArgs:\n")
    arguments, separator, after = rest.partition("\n\n")
    return f"{head}{marker}{arguments}\n" + "\n".join(_explained(options)) + separator + after


def _explained(options: Iterable[Option]) -> Iterator[str]:
    for option in options:
        yield from textwrap.wrap(
            f"{option.name}: {option.doc or option.explained}", 112, initial_indent=" " * 4, subsequent_indent=" " * 8
        )
