"""What the built page keeps in its folder, and what comes out of it."""

from __future__ import annotations

import shutil
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pycheck.errors import RuntimeFailedError, RuntimeUnavailableError
from pycheck.runtimes.browser import harness as module
from pycheck.runtimes.browser.harness import Harness

ROOT = Path(__file__).parents[2]
LITERT = ("litert_wasm_internal", "litert_wasm_jspi_internal", "litert_wasm_compat_internal")
WASM = "litert_wasm_internal.wasm"


@pytest.fixture
def copy(tmp_path: Path) -> Harness:
    """A page that a test may damage."""
    return Harness.read(shutil.copytree(Harness.read().folder, tmp_path / "page"))


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    module._unpacked.cache_clear()


def test_a_harness_that_is_not_built_is_unavailable_and_says_how_to_build_it(tmp_path: Path) -> None:
    with pytest.raises(RuntimeUnavailableError, match="not built") as caught:
        Harness.read(tmp_path)
    assert "npm run build" in caught.value.advice


def test_the_harness_carries_what_it_serves_and_the_notices_of_what_it_contains() -> None:
    harness = Harness.read()
    assert all(harness.content(name) for name in harness.files)
    notices = (harness.folder / "THIRD_PARTY_NOTICES.txt").read_text(encoding="utf-8")
    assert f"@tensorflow/tfjs-core {harness.tfjs_version}" in notices


def test_nothing_is_in_the_folder_that_the_manifest_does_not_name() -> None:
    harness = Harness.read()
    assert {path.name for path in harness.folder.iterdir()} == {
        *harness.files.values(), "manifest.json", "operations.json",
    }  # fmt: skip


def test_webassembly_and_scripts_come_out_as_they_are_in_the_packages() -> None:
    harness = Harness.read()
    packages = ROOT / "node_modules"
    if not packages.is_dir():
        pytest.skip("a wheel has no packages of npm")
    litert = packages / "@litertjs" / "core" / "wasm"
    tfjs = packages / "@tensorflow" / "tfjs-backend-wasm" / "dist"
    originals = [litert / f"{name}{suffix}" for name in LITERT for suffix in (".js", ".wasm")]
    originals += [tfjs / f"tfjs-backend-wasm{variant}.wasm" for variant in ("", "-simd", "-threaded-simd")]
    assert all(harness.content(file.name) == file.read_bytes() for file in originals)


def test_the_page_takes_less_than_4_mb_of_an_installation() -> None:
    assert sum(path.stat().st_size for path in Harness.read().folder.iterdir()) < 4e6


def test_a_file_that_the_build_does_not_list_is_none() -> None:
    harness = Harness.read()
    assert [harness.content(name) for name in ("manifest.json", "main.js.gz", "litert.tar.xz", "../errors.py")] == [
        None, None, None, None,
    ]  # fmt: skip


def test_requests_at_the_same_time_unpack_the_archive_once() -> None:
    harness = Harness.read()
    with ThreadPoolExecutor(4) as threads:
        contents = list(threads.map(harness.content, [WASM] * 4))
    assert all(content is contents[0] for content in contents)
    assert module._unpacked.cache_info().misses == 1


def test_an_archive_that_was_built_again_is_read_again(copy: Harness) -> None:
    before = copy.content(WASM)
    with tarfile.open(copy.folder / copy.files[WASM], "w:xz") as archive:
        archive.add(__file__, WASM)
    assert before != copy.content(WASM) == Path(__file__).read_bytes()


@pytest.mark.parametrize("name", ["main.js", WASM, "index.html"])
def test_a_missing_file_is_named_even_after_it_was_read(copy: Harness, name: str) -> None:
    assert copy.content(name)
    (copy.folder / copy.files[name]).unlink()
    with pytest.raises(RuntimeFailedError, match="No such file") as caught:
        copy.content(name)
    assert copy.files[name] in caught.value.message
    assert "reinstall it" in caught.value.advice


@pytest.mark.parametrize("name", ["main.js", WASM])
@pytest.mark.parametrize("damage", ["cut", "empty", "other bytes", "changed inside"])
def test_a_damaged_file_is_named(copy: Harness, name: str, damage: str) -> None:
    file = copy.folder / copy.files[name]
    whole = file.read_bytes()
    middle = len(whole) // 2
    changed = whole[:middle] + bytes(byte ^ 0xFF for byte in whole[middle : middle + 64]) + whole[middle + 64 :]
    file.write_bytes(
        {"cut": whole[:middle], "empty": b"", "other bytes": b"no archive", "changed inside": changed}[damage]
    )
    with pytest.raises(RuntimeFailedError) as caught:
        copy.content(name)
    assert file.name in caught.value.message


def test_an_archive_without_the_file_is_named(copy: Harness) -> None:
    archive = copy.folder / copy.files[WASM]
    with tarfile.open(archive, "w:xz"):
        pass
    with pytest.raises(RuntimeFailedError, match=WASM) as caught:
        copy.content(WASM)
    assert archive.name in caught.value.message


def test_a_python_without_lzma_runs_tfjs_and_says_why_it_has_no_litert(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lzma", None)
    harness = Harness.read()
    others = [name for name, file in harness.files.items() if not file.endswith(".xz")]
    assert all(harness.content(name) for name in others)
    with pytest.raises(RuntimeUnavailableError, match=r"files of LiteRT\.js") as caught:
        harness.content(WASM)
    assert "module lzma" in caught.value.advice
