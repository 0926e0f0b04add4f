"""What the documents say is there, is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer.main
import yaml

from pycheck.cli.commands import app
from pycheck.diagnosis.codes import CODES

from ..scripts import script
from .blocks import words_of_code

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "models/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
#: Options of other programs that the documents mention.
FOREIGN_OPTIONS = {"--transcripts", 
    "--node",  # --node_data_paths of Model Explorer
    "--mobilenet", "--group", "--cask", "--with-deps", "--no-sandbox", "--headless", "--use-angle", "--width",
    "--enable-features", "--disable-vulkan-surface",  # of Chromium
    "--gpu",  # of docs/make_engines.py
    "--no-deps",  # of pip
    "--junit-xml", "--browser", "--snapshot-update",  # of pytest, pytest-playwright and syrupy
    "--tag", "--rm", "--volume", "--user",  # of docker
    "--for",  # of kubectl
}  # fmt: skip
#: Files that are named and are not in a checkout.
MADE_LATER = {".setup/converter", "docs/findings/CODE.md"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]*)(?:#([^)]+))?\)", document.read_text(encoding="utf-8"))
    for link, heading in links:
        target = document.parent / link if link else document
        if "://" not in link:
            assert target.exists(), link
            assert not heading or heading in headings(target), f"{link}#{heading}"


def headings(document: Path) -> set[str]:
    """As links name them."""
    titles = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w-]", "", title.lower().replace(" ", "-")) for title in titles}


def test_options_exist() -> None:
    top = typer.main.get_command(app).commands.values()  # type: ignore[attr-defined]
    commands = [command for one in top for command in getattr(one, "commands", {"": one}).values()]
    known = {option for command in commands for parameter in command.params for option in parameter.opts}
    known |= {"--help"} | {
        option
        for script in (ROOT / "benchmarks").glob("*.py")
        for option in re.findall(r'add_argument\(\s*"(--[a-z-]+)"', script.read_text("utf-8"))
    }
    plugin = (ROOT / "pycheck" / "pytest_plugin" / "__init__.py").read_text("utf-8")
    known |= set(re.findall(r'"(--pycheck-[a-z-]+)"', plugin))
    known |= {option for command in commands for p in command.params for option in p.secondary_opts}
    mentioned = {o for path in DOCUMENTS for o in re.findall(r"(?<![\w-])--[a-z][a-z-]+", path.read_text("utf-8"))}
    assert mentioned - known - FOREIGN_OPTIONS == set()


def test_every_finding_has_its_place_in_troubleshooting() -> None:
    text = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\(findings/([a-z0-9-]+)\.md\)", text)) == set(CODES)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_are_named_exist(document: Path) -> None:
    """Those of a checkout, whose first folder is one of the repository or of the package."""
    missing = []
    for name in words_of_code(document):
        folder, slash, _ = name.partition("/")
        base = next((base for base in (ROOT, ROOT / "pycheck") if (base / folder).is_dir()), None)
        if slash and folder and base and re.fullmatch(r"[\w./*-]+", name) and name not in MADE_LATER:
            missing += [] if list(base.glob(name.rstrip("/"))) else [name]
    assert missing == []


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    mentioned = {t for path in DOCUMENTS for t in re.findall(r"(?:`|^)make ([a-z]+)", path.read_text("utf-8"), re.M)}
    assert mentioned
    assert mentioned <= targets


def test_the_reference_is_that_of_the_code() -> None:
    make_reference = script("make_reference")
    assert make_reference.COMMANDS.read_text("utf-8") == make_reference.commands(), "python docs/make_reference.py"
    assert make_reference.API.read_text("utf-8") == make_reference.api(), "python docs/make_reference.py"


def test_the_site_has_every_page() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    named = set(re.findall(r"[\w/-]+\.md", json.dumps(site["nav"])))
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert named == {page for page in pages if not page.startswith("findings/")} | {"findings/README.md"}


def test_pictures_are_there() -> None:
    for document in DOCUMENTS:
        for link in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", document.read_text("utf-8")):
            assert (document.parent / link).is_file(), f"{document}: {link}"
