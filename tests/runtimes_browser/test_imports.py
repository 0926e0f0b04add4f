"""What the page of an app may fetch, and its import map, which Node does not make."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pycheck.errors import AppCodeError
from pycheck.runtimes.browser.app import App
from pycheck.runtimes.browser.imports import TFJS
from pycheck.types import AppCode

ES = "export default 1;"
CJS = "module.exports = 1;"
HTML = '<head>\n    <script type="module" src="harness/main.js"></script></head>'

Write = Callable[..., App]


@pytest.fixture
def app(tmp_path: Path) -> Write:
    """Writes an app below ``project/web``, whose module is prep.js, and opens it; paths are from ``project``."""

    def write(module: str, **files: str | dict[str, Any]) -> App:
        for name, content in {"web/prep.js": module, **files}.items():
            path = tmp_path / "project" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return App([AppCode(tmp_path / "project" / "web" / "prep.js")])

    return write


def map_of(app: App) -> dict[str, Any]:
    html, _ = app.page(HTML)
    (text,) = re.findall(r'<script type="importmap">(.*?)</script>', html)
    found: dict[str, Any] = json.loads(text)
    return found


def entry(app: App, specifier: str, scope: str = "./app/0/") -> str:
    """The address of a bare import, or the reason why it has none."""
    address: str = map_of(app)["scopes"][scope][specifier]
    return address if "refused" not in address else reason(app, address)


def reason(app: App, address: str) -> str:
    assert app.file(address.removeprefix("./app/"), is_script=True) is None
    return app.refused[-1].message


def test_the_import_map_comes_before_the_module_of_the_page_and_the_policy_has_its_hash(app: Write) -> None:
    html, digest = app(ES).page(HTML)
    (text,) = re.findall(r'<script type="importmap">(.*?)</script>\s*<script type="module"', html)
    assert digest == f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_tfjs_is_that_of_the_page_also_where_the_app_has_its_own(app: Write) -> None:
    own = {
        "web/node_modules/@tensorflow/tfjs/package.json": {"main": "x.js"},
        "web/node_modules/@tensorflow/tfjs/x.js": ES,
    }
    found = map_of(app("import '@tensorflow/tfjs';", **own))
    assert found == {"imports": TFJS, "scopes": {}}


@pytest.mark.parametrize(
    ("package", "specifier", "target"),
    [
        ({"module": "es.js", "main": "cjs.js"}, "p", "es.js"),
        ({"main": "./es"}, "p", "es.js"),
        ({}, "p", "index.js"),
        ({}, "p/lib/es", "lib/es.js"),
        ({}, "p/lib", "lib/index.js"),
        ({"exports": "./es.js"}, "p", "es.js"),
        ({"exports": {"import": "./es.js", "require": "./cjs.js"}, "module": "index.js"}, "p", "es.js"),
        ({"exports": {"node": "./cjs.js", "require": "./cjs.js", "default": "./es.js"}}, "p", "es.js"),
        ({"exports": {".": {"types": "./t.d.ts", "browser": {"import": "./es.js"}}}}, "p", "es.js"),
        ({"exports": {".": ["./es.js"], "./lib": "./lib/es.js"}}, "p/lib", "lib/es.js"),
        ({"exports": {"./*": "./lib/*.js", "./*.js": "./lib/*.js"}}, "p/es.js", "lib/es.js"),
        ({"exports": {"./f/*": {"import": "./lib/*.js"}}}, "p/f/es", "lib/es.js"),
    ],
)
def test_a_package_is_resolved_as_node_and_bundlers_do_for_a_native_module(
    package: dict[str, Any], specifier: str, target: str, app: Write
) -> None:
    at = "web/node_modules/p"
    files = dict.fromkeys([f"{at}/es.js", f"{at}/index.js", f"{at}/lib/es.js", f"{at}/lib/index.js"], ES)
    found = app(f"import x from '{specifier}';", **files, **{f"{at}/cjs.js": CJS, f"{at}/package.json": package})
    assert entry(found, specifier) == f"./app/0/node_modules/p/{target}"


@pytest.mark.parametrize(
    ("package", "specifier", "said"),
    [
        ({"main": "cjs.js"}, "p", "is CommonJS"),
        ({"main": "umd.js"}, "p", "is CommonJS"),
        ({"exports": {"require": "./cjs.js"}}, "p", "has no such file"),
        ({"exports": {".": "./es.js"}}, "p/es.js", "has no such file"),
        ({"exports": {"./lib/*": None}}, "p/lib/a", "has no such file"),
        ({"main": "gone.js"}, "p/gone", "has no such file"),
        ({}, "q", "no folder node_modules beside it or above it has q"),
        ({}, "@a/q/r", r"no folder node_modules beside it or above it has @a/q"),
    ],
)
def test_a_package_without_a_module_for_browsers_is_refused_with_the_reason(
    package: dict[str, Any], specifier: str, said: str, app: Write
) -> None:
    at = "web/node_modules/p"
    umd = "(function (r, f) { typeof define === 'function' && define.amd ? define(f) : f(); })(this, () => {});"
    files = {f"{at}/cjs.js": CJS, f"{at}/umd.js": umd, f"{at}/es.js": ES, f"{at}/package.json": package}
    found = app(f"import x from '{specifier}';", **files)
    assert re.search(rf"web/prep\.js imports {specifier}.*{said}", entry(found, specifier))


def test_a_damaged_package_json_is_as_none(app: Write) -> None:
    files = {"web/node_modules/p/package.json": "{", "web/node_modules/p/index.js": ES}
    assert entry(app("import 'p';", **files), "p") == "./app/0/node_modules/p/index.js"


def test_packages_are_found_in_folders_above_and_the_nearest_counts(app: Write) -> None:
    found = app(
        "import a from 'a'; import b from 'b';",
        **{"node_modules/a/index.js": ES, "node_modules/b/index.js": ES, "web/node_modules/b/index.js": ES},
    )
    assert entry(found, "a") == "./app/1/a/index.js"
    assert entry(found, "b") == "./app/0/node_modules/b/index.js"


def test_a_package_s_own_packages_are_for_it_alone(app: Write) -> None:
    found = app(
        "import a from 'a'; import b from 'b'; import './lib/c.js';",
        **{
            "web/lib/c.js": "import b from 'b';",
            "node_modules/a/index.js": "import b from 'b';",
            "node_modules/a/node_modules/b/index.js": ES,
            "node_modules/@s/d/index.js": "import b from 'b';",
            "node_modules/b/index.js": "export * from '@s/d';",
        },
    )
    scopes = map_of(found)["scopes"]
    assert scopes["./app/0/"] == {"a": "./app/1/a/index.js", "b": "./app/1/b/index.js"}
    assert scopes["./app/1/a/"] == {"b": "./app/1/a/node_modules/b/index.js"}
    assert scopes["./app/1/b/"] == {"@s/d": "./app/1/@s/d/index.js"}
    assert scopes["./app/1/@s/d/"] == {"b": "./app/1/b/index.js"}


def test_links_of_pnpm_are_followed_to_the_packages_of_a_package(app: Write, tmp_path: Path) -> None:
    store = "web/node_modules/.pnpm/a@1/node_modules"
    app(ES, **{f"{store}/a/index.js": "import b from 'b';", f"{store}/b/index.js": ES})
    (tmp_path / "project" / "web" / "node_modules" / "a").symlink_to(tmp_path / "project" / store / "a")
    found = app("import a from 'a';")
    assert entry(found, "a") == "./app/0/node_modules/.pnpm/a@1/node_modules/a/index.js"
    inner = "./app/0/node_modules/.pnpm/a@1/node_modules/a/"
    assert entry(found, "b", inner) == "./app/0/node_modules/.pnpm/a@1/node_modules/b/index.js"
    assert found.file("0/node_modules/.pnpm/a@1/node_modules/b/index.js", is_script=True) is not None


def test_a_package_that_is_a_link_to_elsewhere_is_refused(app: Write, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "index.js").write_text(ES)
    app(ES, **{"web/node_modules/x/index.js": ES})
    (tmp_path / "project" / "web" / "node_modules" / "p").symlink_to(elsewhere)
    assert "outside of the folders that pycheck serves" in entry(app("import 'p';"), "p")


@pytest.mark.parametrize(
    "text",
    [
        "import{a as b}from'p';",
        'import "p"',
        "export * from 'p';",
        "export {a,\n  b} from 'p'",
        "import d, {a} from\n 'p'",
        "import * as p from 'p'",
        "const m = await import('p');",
        "import(/* webpackChunkName: 'x' */ 'p')",
        "import v from 'p' with {type: 'json'}",
    ],
)
def test_each_form_of_an_import_is_found(text: str, app: Write) -> None:
    assert entry(app(text, **{"web/node_modules/p/index.js": ES}), "p").endswith("p/index.js")


@pytest.mark.parametrize(
    "text", ["const x = 'import p'; f('p');", "import(`${name}`)", "import('p' + x)", "a.import('p')"]
)
def test_what_is_no_import_of_a_known_name_has_no_entry(text: str, app: Write) -> None:
    assert map_of(app(text))["scopes"] == {}


def test_an_import_in_a_comment_that_is_not_installed_is_harmless(app: Write) -> None:
    found = app("// import x from 'gone';\nexport default 1;")
    assert found.refused == []


def test_relative_imports_get_the_suffix_that_bundlers_add(app: Write) -> None:
    files = {"web/lib/a.js": "import '../b'; import './c.mjs';", "web/b/index.js": ES, "web/lib/c.mjs": ES}
    imports = map_of(app("import './lib/a';", **files))["imports"]
    assert {key: value for key, value in imports.items() if key not in TFJS} == {
        "./app/0/lib/a": "./app/0/lib/a.js",
        "./app/0/b": "./app/0/b/index.js",
    }


def test_several_modules_of_one_folder_share_it(tmp_path: Path) -> None:
    codes = [AppCode(tmp_path / name, export) for name, export in (("a.js", "default"), ("b.js", "x"), ("a.js", "y"))]
    for code in codes:
        code.module.write_text(ES)
    app = App(codes)
    assert [app.url(code) for code in codes] == ["app/0/a.js", "app/0/b.js", "app/0/a.js"]


@pytest.mark.parametrize(
    "path",
    [
        "0/../secret.js",
        "0/%2e%2e/secret.js",
        "0//etc/passwd",
        "0/link.js",
        "0/linked/secret.js",
        "0/.env",
        "0/.git/config",
        "0/gone.js",
        "0/lib",
        "0/",
        "7/prep.js",
        "x/prep.js",
        "refused/9",
        "secret.js",
    ],
)
def test_only_visible_files_of_the_app_s_folders_are_served(path: str, app: Write, tmp_path: Path) -> None:
    project = tmp_path / "project"
    found = app(ES, **{"secret.js": "s", "web/.env": "s", "web/.git/config": "s", "web/lib/a.js": ES})
    (project / "web" / "link.js").symlink_to(project / "secret.js")
    (project / "web" / "linked").symlink_to(project)
    assert found.file(path, is_script=False) is None
    assert len(found.refused) == 1
    assert found.file("0/lib/a.js", is_script=True) == (project / "web" / "lib" / "a.js").resolve()


def test_a_file_that_is_no_script_is_served_to_fetch_but_not_to_an_import(app: Write) -> None:
    found = app(ES, **{"web/vocabulary.json": "{}"})
    assert found.file("0/vocabulary.json", is_script=False) is not None
    assert found.file("0/vocabulary.json", is_script=True) is None
    assert "imports" in found.refused[0].message


@pytest.mark.parametrize(("name", "said"), [("gone.js", "There is no file"), ("prep.ts", r"its suffix is \.ts")])
def test_a_module_that_is_none_is_refused(name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "prep.ts").write_text(ES)
    with pytest.raises(AppCodeError, match=said):
        App([AppCode(tmp_path / name)])
