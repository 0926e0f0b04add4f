"""Files become tensors in real browsers, with the JavaScript of an app."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.runtimes.browser.host import BrowserHost
from pycheck.types import AppCode, AppFile, Prepared, RuntimeId

from .conftest import Run
from .media import png

pytestmark = pytest.mark.real

PIXELS = np.random.default_rng(1).integers(0, 256, (4, 6, 3), np.uint8)
IMAGE = AppFile("image.png", png(PIXELS))


def write(folder: Path, **files: str) -> AppCode:
    """Write an app into a folder; the module is its ``prep.js``."""
    for name, text in files.items():
        path = folder / "web" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return AppCode(folder / "web" / "prep.js")


@pytest.fixture
def prepare(run: Run[Any], host_of: Callable[[str], BrowserHost]) -> Callable[..., Any]:
    """Prepares files in a new page; returns the samples, and the notes of the runtime."""

    def preparing(
        code: AppCode,
        files: Sequence[Path | AppFile] = (IMAGE,),
        names: Sequence[str] = ("x",),
        *,
        runtime: str = "chromium:cpu",
        **options: Any,
    ) -> tuple[Prepared, tuple[str, ...]]:
        engine, kind = runtime.split(":")

        async def scenario() -> tuple[Prepared, tuple[str, ...]]:
            async with host_of(engine).runtime(RuntimeId(engine, kind), None, app=[code]) as page:
                prepared = await page.prepare(code, files, names, **options)
                return prepared, page.environment.notes

        done: tuple[Prepared, tuple[str, ...]] = run(scenario())
        return done

    return preparing


def test_a_module_makes_the_sample_of_an_image_with_its_own_imports_and_the_tfjs_of_the_page(
    prepare: Any, tmp_path: Path
) -> None:
    code = write(
        tmp_path,
        **{
            "prep.js": """
                import {scaled} from './lib/scale.js';
                import {browser, tidy, Tensor} from '@tensorflow/tfjs';
                export default async (blob, tf) => {
                  if (Tensor !== tf.Tensor) throw new Error('a second TF.js');
                  const bitmap = await createImageBitmap(blob);
                  return tidy(() => scaled(browser.fromPixels(bitmap)));
                };
            """,
            "lib/scale.js": "export const scaled = (pixels) => pixels.toFloat().div(127.5).sub(1);",
        },
    )
    prepared, _ = prepare(code)
    np.testing.assert_allclose(prepared.tensors["x"], [PIXELS / 127.5 - 1], atol=1e-6)
    (file,) = prepared.files
    assert (file.name, file.leaked_tensors, file.failure) == ("image.png", 0, None)
