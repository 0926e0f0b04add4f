"""Writes the table of docs/decoders.md: ``python docs/make_decoders.py``, with the browsers that start here."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = Path(__file__).parent / "decoders.md"
_BEGIN, _END = "<!-- generated: docs/make_decoders.py -->", "<!-- end of what is generated -->"


def main() -> None:
    sys.path.insert(0, str(ROOT))
    from tests.preprocessing.images.photos import write_kinds
    from tests.preprocessing.sounds.sounds import write_sounds

    with tempfile.TemporaryDirectory() as folder:
        write_kinds(Path(folder, "files"))
        write_sounds(Path(folder, "files"))
        command = [sys.executable, "-m", "pycheck", "decoders", str(Path(folder, "files")), "--markdown", "-"]
        table = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    page = PAGE.read_text("utf-8")
    made = f"{_BEGIN}\n\n{table.strip()}\n\n{_END}"
    PAGE.write_text(re.sub(f"{_BEGIN}.*{_END}", lambda _: made, page, flags=re.DOTALL), "utf-8")


if __name__ == "__main__":
    main()
