"""A page as users have it: npm's TensorFlow.js, and nothing of pycheck but what a report hands out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pycheck.runtimes.launching.finding import find_browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

PACKAGES = Path(__file__).parents[2] / "node_modules" / "@tensorflow"
_SCRIPTS = {
    "core": "tf-core", "backend-cpu": "tf-backend-cpu", "backend-webgl": "tf-backend-webgl",
    "backend-wasm": "tf-backend-wasm", "backend-webgpu": "tf-backend-webgpu",
    "converter": "tf-converter", "layers": "tf-layers",
}  # fmt: skip
_ORIGIN = "http://localhost"  # where WebGPU is let in; nothing is asked of it, every answer is made here
_ARGUMENTS = [
    "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--enable-unsafe-webgpu",
    "--enable-features=Vulkan", "--use-webgpu-adapter=swiftshader",
]  # fmt: skip


@contextmanager
def started() -> Iterator[Browser]:
    """A Chromium with WebGL, without a GPU."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser().path, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def bare_page(browser: Browser, files: Path | None = None) -> Page:
    """A page with `tf`, and below /model/ the files of a folder; any other address leads nowhere."""

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(f"{_ORIGIN}/")
        package, _, rest = path.partition("/")
        file = files / rest if package == "model" and files else PACKAGES / package / "dist" / rest
        if path == "":
            scripts = "".join(
                f'<script src="tfjs-{package}/{name}.min.js"></script>' for package, name in _SCRIPTS.items()
            )
            route.fulfill(body=f"<!doctype html><meta charset=utf-8>{scripts}", content_type="text/html")
        elif file.is_file():
            route.fulfill(path=file)
        else:
            route.fulfill(status=404)

    page = browser.new_page()
    page.set_default_timeout(120_000)
    page.route("**/*", answer)
    page.goto(f"{_ORIGIN}/")
    page.evaluate(f"() => tf.wasm.setWasmPaths('{_ORIGIN}/tfjs-backend-wasm/')")
    page.evaluate("() => tf.env().set('SOFTWARE_WEBGL_ENABLED', true)")
    return page


def run(page: Page, code: str, argument: Any = None) -> Any:
    """What an async function with this body returns, in the page."""
    return page.evaluate(f"async (given) => {{\n{code}\n}}", argument)
