"""What every refusal looks like: exit code 2, one message that names it and the way out, and nothing written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..conftest import Cli, Said

NO_BROWSER = ("--browser-path", "/nowhere/chrome")


def listed(*folders: Path) -> list[Path]:
    """All that lies there."""
    return sorted(path for folder in folders for path in folder.rglob("*"))


def is_one_clean_message(said: Said) -> bool:
    """Whether nothing but a message was printed, and that is as messages are."""
    noise = ("Traceback", "a bug in pycheck", "Error:", "Warning:", 'File "')
    lines = said.messages.splitlines()
    return (
        said.out == ""
        and not any(word in said.messages for word in noise)
        and lines[0].startswith("pycheck: ")
        and all(line.startswith("  ") for line in lines[1:])
    )


def refusing(run: Cli, cache_dir: Path, *folders: Path) -> Callable[..., str]:
    """Runs `compare`, asserts that it was refused as everything bad is, and gives the message.

    What is wrong is told before a browser answers, so that there need not be one, unless a test wants it.
    """

    def refused(*arguments: str | Path, starts_browser: bool = False) -> str:
        before = listed(*folders)
        said = run("compare", *arguments, *(() if starts_browser else NO_BROWSER))
        assert said.code == 2, said.err
        assert is_one_clean_message(said)
        changed = sorted(map(str, set(listed(*folders)) ^ set(before)))
        assert not changed, f"files appeared or vanished: {', '.join(changed)}"
        assert not list(cache_dir.glob("*/.*"))
        return said.messages

    return refused
