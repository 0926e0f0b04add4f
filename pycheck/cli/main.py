"""Runs one command line, and maps every error to its message and exit code."""

from __future__ import annotations

import errno
import functools
import re
import sys
import traceback
from typing import Any

from typer.main import get_command

from ..errors import PycheckError
from ..system import process
from ..system.interrupts import Interrupted
from .commands import app

EXIT_USAGE = 2
EXIT_BUG = 70

#: Errors of the machine rather than of pycheck.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


def run(arguments: list[str]) -> int:
    """Run one command line, and return its exit code."""
    verbose = sum(len(a) - 1 if re.fullmatch("-v+", a) else a == "--verbose" for a in arguments) > 1
    try:
        _commands()(arguments, prog_name="pycheck")
        return 0
    except SystemExit as done:  # typer ends with it, also after usage errors
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    except Interrupted as interrupted:
        print("pycheck: Interrupted. The browsers are closed.", file=sys.stderr, flush=True)
        return interrupted.exit_code
    except PycheckError as error:
        if verbose:
            traceback.print_exc()
        print(error.told(), file=sys.stderr)
        return error.exit_code
    except Exception as error:
        if verbose:
            traceback.print_exc()
        if isinstance(error, OSError) and error.errno in _FULL:
            print(f"pycheck: Cannot write {error.filename or 'a file'}: {error.strerror}.", file=sys.stderr)
            return EXIT_USAGE
        print(
            f"pycheck: This is a bug in pycheck: {type(error).__name__}: {error}\n"
            "  Run the command again with -vv, and report its output.",
            file=sys.stderr,
        )
        return EXIT_BUG


@functools.cache
def _commands() -> Any:
    """Return what parses command lines; to make it takes as long as a small command."""
    return get_command(app)


def main() -> None:
    """Run the `pycheck` command."""
    process.own = True
    process.end(run(sys.argv[1:]))  # a TensorFlow call in its thread cannot be interrupted
