"""Serves the user's own JavaScript to a page: the folders of modules, and the packages that they import."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from ...errors import AppCodeError
from ...types import AppCode
from .imports import ImportMap, Refusal, read_imports, url_in

_MODULE = '<script type="module"'
_MODULE_SUFFIXES = (".js", ".mjs", ".cjs")


class App:
    """The modules of a page, with all that their page may fetch.

    That is the folder of each module, and each folder node_modules beside it or above it; hidden files are left out.

    AppCodeError if a module does not exist.
    """

    def __init__(self, codes: Sequence[AppCode]) -> None:
        self._modules = {code: _module(code) for code in codes}
        folders = dict.fromkeys(module.parent for module in self._modules.values())
        above = (folder / "node_modules" for module in self._modules.values() for folder in module.parents)
        folders |= dict.fromkeys(folder.resolve() for folder in above if folder.is_dir())
        self._roots = tuple(folder for folder in folders if not folders.keys() & set(folder.parents))
        self._map: ImportMap = read_imports(self._roots, list(self._modules.values()))
        #: The reasons why files that the page requested are not served.
        self.refused: list[Refusal] = []

    def url(self, code: AppCode) -> str:
        """Return the URL of a module, relative to the page. KeyError if the page was opened without it."""
        return url_in(self._roots, self._modules[code]) or ""

    def page(self, html: str) -> tuple[str, str]:
        """Return the page with an import map, and the hash of the import map for the Content-Security-Policy."""
        text = json.dumps({"imports": self._map.imports, "scopes": self._map.scopes}).replace("<", "\\u003c")
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        element = f'<script type="importmap">{text}</script>'
        return html.replace(_MODULE, f"{element}\n    {_MODULE}", 1), f"'sha256-{digest}'"

    def file(self, path: str, *, is_script: bool) -> Path | None:
        """Return the file that the page requests as ``app/path``; None if it is not served, and `refused` says why."""
        found = self._find(path, is_script)
        if isinstance(found, Path):
            return found
        if found not in self.refused:
            self.refused.append(found)
        return None

    def _find(self, path: str, is_script: bool) -> Path | Refusal:
        number, _, rest = path.partition("/")
        if number == "refused" and rest in self._map.refused:
            return self._map.refused[rest]
        if not number.isdecimal() or int(number) >= len(self._roots):
            return Refusal(f"The app requests {path}, which is outside of the module's folder.")
        asked = self._roots[int(number)] / rest
        file = asked.resolve()
        within = next((root for root in self._roots if file.is_relative_to(root)), None)
        if within is None:
            return Refusal(f"The app requests {asked}, which is outside of the module's folder.")
        if not file.is_file():
            return Refusal(f"The app requests {asked}, which does not exist.")
        if any(part.startswith(".") and part != ".pnpm" for part in file.relative_to(within).parts):
            return Refusal(f"The app requests {asked}, which is hidden.")
        if is_script and file.suffix not in _MODULE_SUFFIXES:
            return Refusal(
                f"The app imports {asked}, and browsers import JavaScript only.",
                "Compile the module with a bundler, or fetch the file: fetch(new URL('FILE', import.meta.url)).",
            )
        return file


def _module(code: AppCode) -> Path:
    """Return the file of a module, after following links."""
    module = code.module.resolve()
    if not module.is_file():
        raise AppCodeError(f"There is no file {code.module}.", "Give the path of an ES module of your app.")
    if module.suffix not in (".js", ".mjs"):
        raise AppCodeError(
            f"{code.module} is not a JavaScript module: its suffix is {module.suffix or 'missing'}.",
            f"Compile it with a bundler, such as: npx esbuild {code.module} --bundle --format=esm --outfile=prep.js "
            "'--external:@tensorflow/*'",
        )
    return module
