"""Files become tensors in real browsers, with the JavaScript of an app."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.errors import AppCodeError, RuntimeTimeoutError
from pycheck.runtimes.browser.host import BrowserHost
from pycheck.types import AppCode, AppFile, ArtifactInfo, FileFailure, Prepared, RuntimeId

from ..conftest import more
from . import artifacts
from .conftest import Run, ready
from .media import JPEG, JPEG_COLOR, png, wav

pytestmark = pytest.mark.real

ENGINES = ["chromium", *more("firefox", "webkit")]
PIXELS = np.random.default_rng(1).integers(0, 256, (4, 6, 3), np.uint8)
IMAGE = AppFile("image.png", png(PIXELS))
ONE = "export default (blob, tf) => tf.tensor([1]);"


def write(folder: Path, **files: str) -> AppCode:
    """Write an app into a folder; the module is its ``prep.js``."""
    for name, text in files.items():
        path = folder / "web" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    return AppCode(folder / "web" / "prep.js")


def texts(*contents: str) -> list[AppFile]:
    """Text files, which a function can obey."""
    return [AppFile(f"{number}.txt", content.encode()) for number, content in enumerate(contents)]


@pytest.fixture
def prepare(run: Run[Any], host_of: Callable[[str], BrowserHost]) -> Callable[..., Any]:
    """Prepares files in a new page, which must be alive afterwards; returns the samples, and the runtime's notes."""

    def preparing(
        code: AppCode,
        files: Sequence[Path | AppFile] = (IMAGE,),
        names: Sequence[str] = ("x",),
        *,
        runtime: str = "chromium:cpu",
        **options: Any,
    ) -> tuple[Prepared, tuple[str, ...]]:
        engine, kind = runtime.split(":")
        host = host_of(engine)

        async def scenario() -> tuple[Prepared, tuple[str, ...]]:
            async with host.runtime(RuntimeId(engine, kind), None, app=[code]) as page:
                try:
                    return await page.prepare(code, files, names, **options), page.environment.notes
                finally:
                    assert page.is_alive

        done: tuple[Prepared, tuple[str, ...]] = run(scenario())
        return done

    return preparing


def failure(prepared: Prepared, position: int = 0) -> FileFailure:
    found = prepared.files[position].failure
    assert found is not None
    return found


# ---------------------------------------------------------------- samples


@pytest.mark.parametrize("kind", ["cpu", *more("wasm", "webgl", "litert-wasm")])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_module_makes_the_sample_of_an_image_with_its_own_imports_and_the_tfjs_of_the_page(
    engine: str, kind: str, prepare: Any, tmp_path: Path
) -> None:
    code = write(
        tmp_path,
        **{
            "prep.js": """
                import {scaled} from './lib/scale.js';
                import {browser, tidy, Tensor} from '@tensorflow/tfjs-core';
                import * as whole from '@tensorflow/tfjs';
                export default async (blob, tf) => {
                  if (Tensor !== tf.Tensor || whole.Tensor !== tf.Tensor) throw new Error('a second TF.js');
                  if (!tf.loadLayersModel || !tf.loadGraphModel) throw new Error('only a part of TF.js');
                  const bitmap = await createImageBitmap(blob);
                  return tidy(() => scaled(browser.fromPixels(bitmap)));
                };
            """,
            "lib/scale.js": "export const scaled = (pixels) => pixels.toFloat().div(127.5).sub(1);",
        },
    )
    prepared, notes = prepare(code, runtime=f"{engine}:{kind}")
    np.testing.assert_allclose(prepared.tensors["x"], [PIXELS / 127.5 - 1], atol=1e-6)
    (file,) = prepared.files
    assert (file.name, file.leaked_tensors, file.failure) == ("image.png", 0, None)
    assert ("prep.js: TF.js on its cpu backend" in notes) == kind.startswith("litert")


DECODERS = {
    "bitmap": "return tf.browser.fromPixels(await createImageBitmap(blob));",
    "element": """
        const image = new Image();
        image.src = URL.createObjectURL(blob);
        await image.decode();
        URL.revokeObjectURL(image.src);
        return tf.browser.fromPixels(image);
    """,
    "canvas": """
        const bitmap = await createImageBitmap(blob);
        const canvas = Object.assign(document.createElement('canvas'), {width: bitmap.width, height: bitmap.height});
        canvas.getContext('2d').drawImage(bitmap, 0, 0);
        return tf.browser.fromPixels(canvas);
    """,
    "offscreen": """
        const bitmap = await createImageBitmap(blob);
        const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
        const context = canvas.getContext('2d');
        context.drawImage(bitmap, 0, 0);
        return tf.browser.fromPixels(context.getImageData(0, 0, bitmap.width, bitmap.height));
    """,
    "fetch": """
        const url = URL.createObjectURL(blob);
        const copy = await (await fetch(url)).blob();
        return tf.browser.fromPixels(await createImageBitmap(copy));
    """,
}


@pytest.mark.parametrize("way", DECODERS)
@pytest.mark.parametrize("engine", ENGINES)
def test_each_way_to_decode_an_image_works(engine: str, way: str, prepare: Any, tmp_path: Path) -> None:
    code = write(tmp_path, **{"prep.js": f"export default async (blob, tf) => {{ {DECODERS[way]} }}"})
    prepared, _ = prepare(code, runtime=f"{engine}:cpu")
    np.testing.assert_array_equal(prepared.tensors["x"], [PIXELS])
    assert prepared.tensors["x"].dtype == np.int32


@pytest.mark.parametrize("engine", ENGINES)
def test_a_jpeg_is_decoded_up_to_the_rounding_of_decoders(engine: str, prepare: Any, tmp_path: Path) -> None:
    code = write(tmp_path, **{"prep.js": f"export default async (blob, tf) => {{ {DECODERS['bitmap']} }}"})
    prepared, _ = prepare(code, [AppFile("photo.jpg", JPEG)], runtime=f"{engine}:cpu")
    assert prepared.tensors["x"].shape == (1, 8, 16, 3)
    assert np.abs(prepared.tensors["x"] - JPEG_COLOR).max() <= 2


@pytest.mark.parametrize("context", ["new OfflineAudioContext(1, 1, 16000)", "new AudioContext({sampleRate: 16000})"])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_sound_is_decoded(engine: str, context: str, prepare: Any, tmp_path: Path) -> None:
    samples = (np.sin(np.arange(800) * 0.1) * 0.5).astype(np.float32)
    module = f"""
        export default async (blob, tf) => {{
          const sound = await ({context}).decodeAudioData(await blob.arrayBuffer());
          return tf.tensor(sound.getChannelData(0));
        }}
    """
    sound = AppFile("sound.wav", wav(samples, 16000))
    prepared, _ = prepare(write(tmp_path, **{"prep.js": module}), [sound], runtime=f"{engine}:cpu")
    np.testing.assert_allclose(prepared.tensors["x"], [samples], atol=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_function_gets_a_file_with_its_own_name_type_and_bytes(engine: str, prepare: Any, tmp_path: Path) -> None:
    module = """
        export default async (blob, tf) => {
          if (!(blob instanceof File)) throw new Error('not a File');
          const text = `${blob.name} ${blob.type} ${await blob.text()}`;
          return tf.tensor([...text].map((letter) => letter.codePointAt(0)), undefined, 'int32');
        };
    """
    path = tmp_path / "Grüße #1.txt"
    path.write_bytes(b"hi\r\n")
    files = [path, AppFile("twice/Grüße #1.json", b"[7]\n")]
    code = write(tmp_path, **{"prep.js": module})
    told = []
    for file in files:
        prepared, _ = prepare(code, [file], runtime=f"{engine}:cpu")
        told.append("".join(chr(letter) for letter in prepared.tensors["x"][0]))
    assert told == ["Grüße #1.txt text/plain hi\r\n", "twice/Grüße #1.json application/json [7]\n"]


def test_an_export_returns_named_tensors_of_each_dtype_and_of_no_axis(prepare: Any, tmp_path: Path) -> None:
    module = """
        export async function inputs(blob, tf) {
          return {b: tf.tensor([true, false]), a: tf.scalar(3, 'int32'), c: tf.complex([1], [NaN])};
        }
    """
    code = AppCode(write(tmp_path, **{"prep.js": module}).module, "inputs")
    prepared, _ = prepare(code, [IMAGE, IMAGE], ["a", "b", "c"])
    np.testing.assert_array_equal(prepared.tensors["a"], np.array([3, 3], np.int32))
    np.testing.assert_array_equal(prepared.tensors["b"], [[True, False]] * 2)
    np.testing.assert_array_equal(prepared.tensors["c"], np.full((2, 1), complex(1, np.nan), np.complex64))
    assert [array.dtype.name for array in prepared.tensors.values()] == ["int32", "bool", "complex64"]


def test_the_samples_of_many_files_come_in_their_order_and_in_several_messages(prepare: Any, tmp_path: Path) -> None:
    module = "export default async (blob, tf) => tf.fill([300000], Number(await blob.text()));"
    prepared, _ = prepare(write(tmp_path, **{"prep.js": module}), texts(*map(str, range(150))))
    np.testing.assert_array_equal(prepared.tensors["x"][:, 0], np.arange(150))
    assert prepared.worked == tuple(range(150))
    assert {file.leaked_tensors for file in prepared.files} == {0}


def test_a_page_that_prepares_files_predicts_with_its_model_as_before(
    run: Run[Any], host: BrowserHost, graph: ArtifactInfo, tmp_path: Path
) -> None:
    code = write(tmp_path, **{"prep.js": "export default (blob, tf) => tf.linspace(-1, 1, 64);"})

    async def scenario() -> Any:
        async with host.runtime(RuntimeId("chromium", "cpu"), ready(graph), app=[code]) as page:
            x = (await page.prepare(code, [IMAGE] * 3, ["X"])).tensors["X"]
            return x, (await page.predict({"X": x}))["Y"], page.tensor_count

    x, y, _ = run(scenario())
    np.testing.assert_allclose(y, artifacts.dense_expected(x), atol=1e-5)


def test_the_backend_that_a_module_chooses_is_its_own_for_all_files_and_the_page_keeps_its_backend(
    run: Run[Any], host: BrowserHost, graph: ArtifactInfo, tmp_path: Path
) -> None:
    module = """
        import * as tf from '@tensorflow/tfjs';
        import {setWasmPaths} from '@tensorflow/tfjs-backend-wasm';
        import '@tensorflow/tfjs-backend-cpu';
        if (!setWasmPaths) throw new Error('no setWasmPaths');
        await tf.setBackend('cpu');
        export default () => tf.tensor([tf.getBackend() === 'cpu' ? 1 : 0]);
    """
    code = write(tmp_path, **{"prep.js": module})

    async def scenario() -> Any:
        async with host.runtime(RuntimeId("chromium", "wasm"), ready(graph), app=[code]) as page:
            chosen = [(await page.prepare(code, [IMAGE], ["x"])).tensors["x"].tolist() for _ in range(2)]
            await page.predict({"X": np.zeros((1, 64), np.float32)})
            return chosen, page.environment.notes

    chosen, notes = run(scenario())
    assert chosen == [[[1.0]], [[1.0]]]
    assert "prep.js chose TF.js's cpu backend" in notes


# ---------------------------------------------------------------- files that fail


THROWS = {
    "throw": "null.x;",
    "reject": "await Promise.reject(new TypeError('a reason'));",
    "text": "throw 'a reason';",
    "callback": "await new Promise(() => setTimeout(() => { throw new Error('a reason'); }));",
    "forgotten promise": "setTimeout(async () => { throw new Error('a reason'); }); await new Promise(() => {});",
}


@pytest.mark.parametrize("way", THROWS)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_function_that_throws_fails_its_file_and_no_other(
    engine: str, way: str, prepare: Any, tmp_path: Path
) -> None:
    module = f"""
        export default async (blob, tf) => {{
          if (await blob.text() === 'bad') {{ {THROWS[way]} }}
          return tf.tensor([1, 2]);
        }};
    """
    code = write(tmp_path, **{"prep.js": module})
    prepared, _ = prepare(code, texts("good", "bad", "good"), runtime=f"{engine}:cpu")
    assert prepared.worked == (0, 2)
    assert prepared.tensors["x"].shape == (2, 2)
    assert failure(prepared, 1).code == "threw"
    assert "a reason" in failure(prepared, 1).message or "null" in failure(prepared, 1).message
    if way != "text":
        assert "(prep.js:3:" in failure(prepared, 1).message


RESULTS = {
    "return undefined;": "undefined",
    "return null;": "null",
    "return [1, 2];": "an Array",
    "return new Float32Array(2);": "a Float32Array",
    "return 3;": "a number",
    "return {};": "no name",
    "return {x: tf.tensor([1]), z: tf.tensor([1])};": "the names x, z",
    "return {x: [1]};": "'x' is an Array",
    "return tf.tensor(['a']);": "dtype string",
    "const t = tf.tensor([1]); t.dispose(); return t;": "disposed",
}


@pytest.mark.parametrize("body", RESULTS)
def test_a_result_that_is_no_tensor_is_named(body: str, prepare: Any, tmp_path: Path) -> None:
    prepared, _ = prepare(write(tmp_path, **{"prep.js": f"export default async (blob, tf) => {{ {body} }}"}))
    assert failure(prepared).code == "result"
    assert RESULTS[body] in failure(prepared).message
    assert prepared.tensors == {}
    assert prepared.files[0].leaked_tensors == 0


def test_one_tensor_for_several_names_is_refused(prepare: Any, tmp_path: Path) -> None:
    prepared, _ = prepare(write(tmp_path, **{"prep.js": ONE}), names=["a", "b"])
    assert "return an object" in failure(prepared).message


@pytest.mark.parametrize(
    ("made", "said"),
    [("tf.zeros([2, 3])", ["float32[2, 3]", "float32[2]"]), ("tf.zeros([2], 'int32')", ["int32[2]", "float32[2]"])],
)
def test_a_sample_that_differs_from_the_first_file_s_fails_also_in_a_later_call(
    made: str, said: list[str], run: Run[Any], host: BrowserHost, tmp_path: Path
) -> None:
    module = f"export default async (blob, tf) => await blob.text() === 'a' ? tf.zeros([2]) : {made};"
    code = write(tmp_path, **{"prep.js": module})

    async def scenario() -> list[Prepared]:
        async with host.runtime(RuntimeId("chromium", "cpu"), None, app=[code]) as page:
            return [await page.prepare(code, texts(*given), ["x"]) for given in (("a", "b"), ("b", "a"))]

    for position, prepared in zip((1, 0), run(scenario()), strict=True):
        assert failure(prepared, position).code == "differs"
        assert all(part in failure(prepared, position).message for part in [*said, "0.txt", "'x'"])
        assert prepared.tensors["x"].shape == (1, 2)


def test_leaked_tensors_are_counted_for_each_file(prepare: Any, tmp_path: Path) -> None:
    module = """
        export default async (blob, tf) => {
          for (let count = Number(await blob.text()); count > 0; count--) tf.zeros([1]);
          return tf.tensor([1]);
        };
    """
    prepared, _ = prepare(write(tmp_path, **{"prep.js": module}), texts("0", "3", "1"))
    assert [file.leaked_tensors for file in prepared.files] == [0, 3, 1]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_promise_that_never_resolves_and_a_loop_without_an_end_fail_their_files(
    engine: str, prepare: Any, tmp_path: Path
) -> None:
    module = """
        export default async (blob, tf) => {
          const text = await blob.text();
          if (text === 'never') await new Promise(() => {});
          if (text === 'loop') for (;;);
          return tf.tensor([text.length]);
        };
    """
    code = write(tmp_path, **{"prep.js": module})
    files = texts("a", "never", "ab", "loop", "abc")
    prepared, notes = prepare(code, files, runtime=f"{engine}:cpu", file_timeout_s=0.5)
    np.testing.assert_array_equal(prepared.tensors["x"], [[1], [2], [3]])
    assert [failure(prepared, position).code for position in (1, 3)] == ["timeout", "timeout"]
    assert "prep.js blocked the page, which was opened again" in notes


def test_three_files_in_sequence_without_a_result_end_the_preparation(prepare: Any, tmp_path: Path) -> None:
    code = write(tmp_path, **{"prep.js": "export default () => new Promise(() => {});"})
    with pytest.raises(RuntimeTimeoutError, match=r"3 files in sequence: 0\.txt, 1\.txt, 2\.txt\."):
        prepare(code, texts(*"abc"), file_timeout_s=0.2)


def test_a_file_that_cannot_be_read_fails_and_no_other(prepare: Any, tmp_path: Path) -> None:
    prepared, _ = prepare(write(tmp_path, **{"prep.js": ONE}), [tmp_path / "gone.png", IMAGE])
    assert failure(prepared).code == "unreadable"
    assert "No such file" in failure(prepared).message
    assert prepared.worked == (1,)


REQUESTS = {
    "fetch": ("await fetch('https://example.com/a');", "https://example.com/a"),
    "image": (
        "const i = new Image(); i.src = 'https://example.com/i.png'; await i.decode();",
        "https://example.com/i.png",
    ),
    "socket": (
        "await new Promise((_, j) => { new WebSocket('wss://example.com/w').onerror = () => j(new Error('w')); });",
        "wss://example.com/w",
    ),
    "import": ("await import('https://' + 'example.com/m.js');", "https://example.com/m.js"),
}


@pytest.mark.parametrize("way", REQUESTS)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_request_of_the_network_fails_with_its_address(engine: str, way: str, prepare: Any, tmp_path: Path) -> None:
    body, address = REQUESTS[way]
    code = write(tmp_path, **{"prep.js": f"export default async (blob, tf) => {{ {body} return tf.tensor([1]); }}"})
    prepared, notes = prepare(code, runtime=f"{engine}:cpu")
    assert (failure(prepared).code, address in failure(prepared).message) == ("network", True)
    assert f"prep.js requested {address}; the page has no network" in notes


def test_a_request_of_the_network_that_a_function_ignores_is_noted(prepare: Any, tmp_path: Path) -> None:
    module = """
        export default async (blob, tf) => {
          await fetch('https://example.com/b').catch(() => {});
          return tf.tensor([1]);
        };
    """
    prepared, notes = prepare(write(tmp_path, **{"prep.js": module}))
    assert prepared.worked == (0,)
    assert "prep.js requested https://example.com/b; the page has no network" in notes


# ---------------------------------------------------------------- modules that cannot be used


BROKEN: dict[str, tuple[dict[str, str], str]] = {
    "syntax": ({"prep.js": "const a = 1;\nexport default () => { return ) };"}, r"SyntaxError: .*\(prep\.js:2"),
    "syntax of an import": ({"prep.js": f"import './x.js';\n{ONE}", "x.js": "\n\nlet y = ;"}, r"\(x\.js:3"),
    "binding": ({"prep.js": f"import {{nope}} from './x.js';\n{ONE}", "x.js": "export const y = 1;"}, "nope"),
    "file": ({"prep.js": f"import './gone.js';\n{ONE}"}, r"requests .*web/gone\.js, which does not exist"),
    "package": ({"prep.js": f"import gone from 'gone';\n{ONE}"}, "imports gone, and no folder node_modules"),
    "computed package": ({"prep.js": f"await import('go' + 'ne');\n{ONE}"}, "gone"),
    "outside": ({"prep.js": f"import '../x.js';\n{ONE}", "../x.js": ""}, r"imports \.\./x\.js, which is outside"),
    "network": ({"prep.js": f"import 'https://cdn.example/x.js';\n{ONE}"}, r"imports https://cdn\.example/x\.js"),
    "part of TF.js": ({"prep.js": f"import '@tensorflow/tfjs-core/dist/x';\n{ONE}"}, "a file within TF.js"),
    "JSON": ({"prep.js": f"import v from './v.json';\n{ONE}", "v.json": "{}"}, r"imports .*v\.json"),
    "no default": ({"prep.js": "export const f = () => 1, b = 2;"}, r"no export 'default'; .*: f\.$"),
    "no function": ({"prep.js": "export default 3;"}, "'default' is not a function"),
    "throws": ({"prep.js": "\nthrow new TypeError('no config');"}, r"TypeError: no config \(prep\.js:2"),
    "never": ({"prep.js": f"await new Promise(() => {{}});\n{ONE}"}, "it has not loaded within 1 s"),
    "CommonJS": (
        {
            "prep.js": f"import _ from 'old';\n{ONE}",
            "node_modules/old/package.json": '{"main": "lib.js"}',
            "node_modules/old/lib.js": "module.exports = {};",
        },
        r"imports old, which is CommonJS \(.*old/lib\.js\)",
    ),
}


@pytest.mark.parametrize("why", BROKEN)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_module_that_cannot_be_used_is_named_with_the_reason(
    engine: str, why: str, prepare: Any, tmp_path: Path
) -> None:
    files, said = BROKEN[why]
    code = write(tmp_path, **files)
    with pytest.raises(AppCodeError, match=rf"prep\.js cannot be used in the browser: .*{said}"):
        prepare(code, runtime=f"{engine}:cpu", file_timeout_s=1.0)


def test_a_module_that_blocks_the_page_while_it_loads_is_a_timeout(
    run: Run[Any], host: BrowserHost, tmp_path: Path
) -> None:
    code = write(tmp_path, **{"prep.js": f"for (;;);\n{ONE}"})

    async def scenario() -> bool:
        async with host.runtime(RuntimeId("chromium", "cpu"), None, app=[code]) as page:
            with pytest.raises(RuntimeTimeoutError, match=r"prep\.js blocks the page while it loads"):
                await page.prepare(code, [IMAGE], ["x"], file_timeout_s=0.2)
            return page.is_alive

    assert run(scenario()) is False


def test_an_error_that_a_module_leaves_behind_does_not_end_the_page(prepare: Any, tmp_path: Path) -> None:
    module = f"setTimeout(() => {{ throw new Error('late'); }}, 20);\n{ONE}"
    prepared, _ = prepare(write(tmp_path, **{"prep.js": module}), [IMAGE] * 40)
    assert prepared.worked


def test_a_module_that_the_page_was_not_opened_with_is_an_error_of_the_caller(
    run: Run[Any], host: BrowserHost, tmp_path: Path
) -> None:
    code = write(tmp_path, **{"prep.js": ONE})

    async def scenario() -> None:
        async with host.runtime(RuntimeId("chromium", "cpu"), None) as page:
            with pytest.raises(ValueError, match="was made without"):
                await page.prepare(code, [IMAGE], ["x"])

    run(scenario())


PACKAGES = {
    "prep.js": """
        import {one} from './lib/one';
        import two from 'two';
        import three from '@scope/three/deep';
        import {read} from 'four';
        export default async (blob, tf) => {
          const {default: five} = await import('five');
          return tf.tensor([one, two, three, await read(), five]);
        };
    """,
    "lib/one.js": "export const one = 1;",
    "node_modules/two/package.json": '{"main": "old.js", "exports": {"import": "./new.mjs", "require": "./old.js"}}',
    "node_modules/two/new.mjs": "import inner from 'inner'; export default inner + 1;",
    "node_modules/two/node_modules/inner/index.js": "export default 1;",
    "node_modules/inner/index.js": "export default 100;",
    "node_modules/@scope/three/package.json": '{"exports": {"./*": "./lib/*.js"}}',
    "node_modules/@scope/three/lib/deep.js": "export {three as default} from './numbers';",
    "node_modules/@scope/three/lib/numbers.js": "export const three = 3;",
    "node_modules/four/package.json": '{"module": "es/index.js"}',
    "node_modules/four/es/index.js": """
        export const read = async () => (await (await fetch(new URL('data.json', import.meta.url))).json()).four;
    """,
    "node_modules/four/es/data.json": '{"four": 4}',
    "../node_modules/five/index.js": "export default 5;",
}


@pytest.mark.parametrize("engine", ENGINES)
def test_packages_are_imported_and_read_their_own_files(engine: str, prepare: Any, tmp_path: Path) -> None:
    prepared, _ = prepare(write(tmp_path, **PACKAGES), runtime=f"{engine}:cpu")
    assert [file.failure for file in prepared.files] == [None]
    np.testing.assert_array_equal(prepared.tensors["x"], [[1, 2, 3, 4, 5]])


def test_a_file_of_the_app_that_does_not_exist_is_noted(prepare: Any, tmp_path: Path) -> None:
    module = """
        export default async (blob, tf) => {
          const answer = await fetch(new URL('gone.json', import.meta.url));
          return tf.tensor([answer.status]);
        };
    """
    prepared, notes = prepare(write(tmp_path, **{"prep.js": module}))
    np.testing.assert_array_equal(prepared.tensors["x"], [[404]])
    assert any("gone.json, which does not exist" in note for note in notes)
