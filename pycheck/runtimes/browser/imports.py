"""Resolves what the user's modules import, without Node: the import map of a page.

Browsers resolve relative imports to exact files only. A bare import, such as ``lodash-es``, and a relative one without
a suffix need an entry of an import map. The entries come from the text of the modules, and follow Node's resolution of
packages: https://nodejs.org/api/packages.html. An import that cannot be resolved gets an entry too, to an address that
the server refuses with the reason, because a match in the text may be a comment.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: TF.js's packages, and the module of the page that stands for each.
TFJS = {
    f"@tensorflow/{name}": f"./harness/{module}.js"
    for name, module in {
        "tfjs": "tfjs",
        "tfjs-core": "tfjs",
        "tfjs-layers": "tfjs",
        "tfjs-converter": "tfjs",
        **{f"tfjs-backend-{kind}": f"tfjs-backend-{kind}" for kind in ("cpu", "wasm", "webgl", "webgpu")},
    }.items()
}
#: The conditions of ``exports`` that hold for a native module in a browser.
_CONDITIONS = ("browser", "import", "module", "module-sync", "default")
_SUFFIXES = ("", ".js", ".mjs", "/index.js", "/index.mjs")
_STATIC = re.compile(r"""(?:^|[^\w$.])(?:import|export)\s*(?:[\w$*{},\s]*?[\s}*]from\s*)?["']([^"'\n]+)["']""")
_DYNAMIC = re.compile(r"""(?:^|[^\w$.])import\s*\(\s*(?:/\*.*?\*/\s*)?["'`]([^"'`$\n]+)["'`]\s*[),]""")
_IS_MODULE = re.compile(r"""(?:^|[;}\n])\s*(?:import\s*[\w{*"'$]|export\s*[\w{*])""")
_IS_COMMONJS = re.compile(r"\bmodule\.exports\b|\bexports\.\w|\brequire\s*\(|\bdefine\.amd\b")
#: The most modules that are read; an app that has more is better bundled.
_MOST_MODULES = 5000


@dataclass(frozen=True, slots=True)
class Refusal:
    """The reason why a file is not served, and how to fix that."""

    message: str
    advice: str = ""


@dataclass(slots=True)
class ImportMap:
    """The import map of a page, and its refusals by the name in ``app/refused/NAME``.

    `modules` are all that were read.
    """

    imports: dict[str, str] = field(default_factory=lambda: dict(TFJS))
    scopes: dict[str, dict[str, str]] = field(default_factory=dict)
    refused: dict[str, Refusal] = field(default_factory=dict)
    modules: frozenset[Path] = frozenset()

    def refuse(self, refusal: Refusal) -> str:
        """Return an address that the server refuses for this reason."""
        name = str(len(self.refused))
        self.refused[name] = refusal
        return f"./app/refused/{name}"


def url_in(roots: Sequence[Path], file: Path) -> str | None:
    """Return the URL of a file below one of the roots, relative to the page; None if it is below none."""
    for number, root in enumerate(roots):
        if file.is_relative_to(root):
            return f"app/{number}/{file.relative_to(root).as_posix()}"
    return None


def read_imports(roots: Sequence[Path], modules: Sequence[Path]) -> ImportMap:
    """Return the import map for these modules and all that they import; everything is below `roots`."""
    found = ImportMap()
    queue = deque(modules)
    seen = set(modules)
    while queue and len(seen) <= _MOST_MODULES:
        importer = queue.popleft()
        for specifier in _specifiers(importer):
            target = _resolve(roots, importer, specifier, found)
            if target is not None and target not in seen:
                seen.add(target)
                queue.append(target)
    found.modules = frozenset(seen)
    return found


def _specifiers(module: Path) -> Iterator[str]:
    try:
        text = module.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for pattern in (_STATIC, _DYNAMIC):
        for match in pattern.finditer(text):
            yield match[1]


def _resolve(roots: Sequence[Path], importer: Path, specifier: str, found: ImportMap) -> Path | None:
    """Add the entry of one import, if it needs one; return the file, if it is a module of the user's."""
    if specifier.startswith(("./", "../")):
        return _resolve_relative(roots, importer, specifier, found)
    if specifier.startswith(("https://", "http://", "//")):
        found.imports[specifier] = found.refuse(
            Refusal(
                f"{importer} imports {specifier}, and the page has no network.",
                "Install the package beside the module with npm, and import it by its name.",
            )
        )
        return None
    if specifier.startswith("/") or specifier.endswith("/") or ":" in specifier or specifier in TFJS:
        return None
    scope = found.scopes.setdefault(_scope(roots, importer), {})
    outcome = _package_file(importer, specifier)
    url = url_in(roots, outcome) if isinstance(outcome, Path) else None
    if isinstance(outcome, Path) and url is None:
        outcome = Refusal(
            f"{importer} imports {specifier}, which is outside of the folders that pycheck serves: {outcome}.",
            _bundle(importer),
        )
    if isinstance(outcome, Refusal):
        scope[specifier] = found.refuse(outcome)
        return None
    scope[specifier] = f"./{url}"
    return outcome


def _resolve_relative(roots: Sequence[Path], importer: Path, specifier: str, found: ImportMap) -> Path | None:
    path = re.split(r"[?#]", specifier)[0]
    url = url_in(roots, importer) or ""
    asked = posixpath.normpath(posixpath.join(posixpath.dirname(url), path))
    exact = (importer.parent / path).resolve()
    if url_in(roots, exact) is None:
        found.imports[f"./{asked}"] = found.refuse(
            Refusal(
                f"{importer} imports {specifier}, which is outside of the module's folder.",
                f"{_bundle(importer)}\nOr give a module whose folder has both files.",
            )
        )
        return None
    file = _with_suffix(exact)
    if file is None or file == exact:
        return file
    found.imports[f"./{asked}"] = f"./{url_in(roots, file)}"
    return file


def _scope(roots: Sequence[Path], importer: Path) -> str:
    """Return the scope of a module's imports: the folder of its package, or that of the app."""
    *folder, _ = (url_in(roots, importer) or "").split("/")
    root = roots[int(folder[1])]
    depth = 2
    names = [root.name if root.name == "node_modules" else "", *folder[2:]]
    for number, name in enumerate(names):
        if name == "node_modules" and number + 1 < len(names):
            depth = 2 + number + (2 if names[number + 1].startswith("@") else 1)
    return "./" + "/".join(folder[:depth]) + "/"


def _package_file(importer: Path, specifier: str) -> Path | Refusal:
    """Return the file of a bare import, after following links, or why there is none for a browser."""
    parts = specifier.split("/")
    name = "/".join(parts[: 2 if specifier.startswith("@") else 1])
    subpath = "/".join([".", *parts[len(name.split("/")) :]])
    if name in TFJS:
        return Refusal(
            f"{importer} imports {specifier}, a file within TF.js. The page has its own TF.js, as whole packages.",
            f"Import it from {name}.",
        )
    folder = next(
        (path for path in (above / "node_modules" / name for above in importer.parents) if path.is_dir()), None
    )
    if folder is None:
        return Refusal(
            f"{importer} imports {specifier}, and no folder node_modules beside it or above it has {name}.",
            f"Install it: npm install {name}. If it is a module of Node, browsers do not have it.",
        )
    try:
        package = json.loads((folder / "package.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        package = {}
    file = _entry(folder.resolve(), package if isinstance(package, dict) else {}, subpath)
    if file is None:
        return Refusal(
            f"{importer} imports {specifier}, and {folder / 'package.json'} has no such file.", _bundle(importer)
        )
    if _is_commonjs(file):
        return Refusal(
            f"{importer} imports {specifier}, which is CommonJS ({file}). Browsers cannot import it.", _bundle(importer)
        )
    return file


def _entry(folder: Path, package: Mapping[str, Any], subpath: str) -> Path | None:
    if package.get("exports") is not None:
        target = _exported(package["exports"], subpath)
        return _with_suffix((folder / target).resolve()) if target else None
    if subpath != ".":
        return _with_suffix((folder / subpath).resolve())
    candidates = [package.get(key) for key in ("module", "jsnext:main", "browser", "main")]
    files = (_with_suffix((folder / name).resolve()) for name in [*candidates, "index.js"] if isinstance(name, str))
    return next((file for file in files if file), None)


def _exported(exports: Any, subpath: str) -> str | None:
    """Return the target of a subpath in the field ``exports`` of a package."""
    table = exports if isinstance(exports, dict) and any(key.startswith(".") for key in exports) else {".": exports}
    if subpath in table:
        return _by_condition(table[subpath], "")
    patterns = sorted((key for key in table if "*" in key), key=lambda key: (-key.index("*"), -len(key)))
    for key in patterns:
        head, tail = key.split("*", 1)
        if subpath.startswith(head) and subpath.endswith(tail) and len(subpath) >= len(key):
            return _by_condition(table[key], subpath[len(head) : len(subpath) - len(tail)])
    return None


def _by_condition(target: Any, star: str) -> str | None:
    if isinstance(target, str):
        return target.replace("*", star)
    values = target if isinstance(target, list) else []
    if isinstance(target, dict):
        values = [value for condition, value in target.items() if condition in _CONDITIONS]
    return next((found for value in values if (found := _by_condition(value, star))), None)


def _with_suffix(file: Path) -> Path | None:
    """Return the file, or the one that bundlers take for this name; None if there is none."""
    return next((path for path in (Path(f"{file}{suffix}") for suffix in _SUFFIXES) if path.is_file()), None)


def _is_commonjs(file: Path) -> bool:
    if file.suffix in (".mjs", ".cjs"):
        return file.suffix == ".cjs"
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return not _IS_MODULE.search(text) and _IS_COMMONJS.search(text) is not None


def _bundle(importer: Path) -> str:
    return (
        f"Bundle your module, and give the bundle instead: npx esbuild {importer.name} --bundle --format=esm "
        "--outfile=prep.bundle.js '--external:@tensorflow/*'"
    )
