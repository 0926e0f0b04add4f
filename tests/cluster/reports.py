"""The report of a check, to be compared with that of another run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ..conftest import Cli


def report_of(command: Cli, *words: str) -> tuple[int, Any]:
    """The exit code of a check in which every runtime runs, and its report without times and folders of caches."""
    said = command("check", "--fresh", "--json", "report.json", *words)
    text = Path("report.json").read_text("utf-8")
    text = re.sub(r'"timings_s": \{[^}]*\}', '"timings_s": {}', text)
    text = re.sub(r'"wall_s": [\d.e-]+', '"wall_s": 0', text)
    text = re.sub(r'"folder": "[^"]*/artifact"', '"folder": "artifact"', text)
    return said.code, json.loads(text)
