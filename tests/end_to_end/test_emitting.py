"""The preprocessing of Python as code of the page, proven in real browsers."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile

from ..conftest import Cli, more
from ..preprocessing.images.faults import RIGHT
from ..preprocessing.images.javascript import javascript
from ..preprocessing.images.photos import write_photos
from ..preprocessing.sounds.sounds import voice, write_sounds
from ..preprocessing.texts.faults import RIGHT as TEXT_STEPS_OF
from ..preprocessing.texts.faults import vocabulary, write_texts

pytestmark = pytest.mark.real

PREP = """
import numpy as np
from PIL import Image, ImageFilter
from tests.preprocessing.images.faults import RIGHT

right = RIGHT

def load(path):
    return np.asarray(Image.open(path).convert("RGB").resize((96, 96), Image.BILINEAR), np.float32) / 127.5 - 1

def of_text(path):
    return np.arange(96 * 96 * 3, dtype=np.float32).reshape(96, 96, 3)

def blurred(path):
    image = Image.open(path).convert("RGB").resize((96, 96)).filter(ImageFilter.GaussianBlur(3))
    return np.asarray(image, np.float32) / 255
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Has m.keras, prep.py and photos."""
    folder = tmp_path_factory.mktemp("emitting")
    image = keras.Input((96, 96, 3), name="image")
    keras.Model(image, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(image))).save(folder / "m.keras")
    write_photos(folder / "photos", 0.5)
    functions = "".join(f"{name} = RIGHT[{name!r}]\n" for name in RIGHT)
    (folder / "prep.py").write_text(PREP + functions)
    return folder


def test_a_function_becomes_javascript_that_gives_the_same_bits(folder: Path, tmp_path: Path, command: Cli) -> None:
    told = command(
        "preprocess", folder / "m.keras", folder / "photos", "--preprocess", f"{folder / 'prep.py'}:load",
        "--emit", "js", "--out", tmp_path / "prep.js", "--json", tmp_path / "r.json", "--runtime", "chromium:cpu",
    )  # fmt: skip
    assert told.code == 0, told
    assert f"{tmp_path / 'prep.js'} does the same." in told.out.replace("\n", " ")
    made = json.loads((tmp_path / "r.json").read_text())
    assert made["code"] == (tmp_path / "prep.js").read_text()
    assert "bilinear, antialiased" in made["described"] and "EXIF orientation ignored" in made["described"]
    (proof,) = made["proofs"]
    assert len([file for file in proof["files"] if file["own"]]) == 5
    for file in proof["files"]:
        assert file["passed"] and file["rest_rms"] < 1e-3, file
        assert file["lossy"] or file["input_max"] < 1e-6, file


@pytest.mark.parametrize("unproven", [False, *more(True)])
def test_what_has_no_equivalent_is_an_error_and_is_written_only_if_asked(
    folder: Path, tmp_path: Path, command: Cli, unproven: bool
) -> None:
    photos = sorted((folder / "photos").glob("*.png"))[:2]  # the search for a description tries all that there is
    told = command(
        "preprocess", folder / "m.keras", *photos, "--preprocess", f"{folder / 'prep.py'}:blurred", "--emit", "js",
        "--out", tmp_path / "prep.js", "--runtime", "chromium:cpu", *(["--unproven"] if unproven else []),
    )  # fmt: skip
    assert told.code == 1
    assert "DIFFERS" in told.out and "has no equivalent" in told.out.replace("\n", " ")
    assert (tmp_path / "prep.js").exists() == unproven
    assert not unproven or "export default" in (tmp_path / "prep.js").read_text()


def test_a_page_becomes_python_that_gives_the_same(folder: Path, tmp_path: Path, command: Cli) -> None:
    (tmp_path / "page.js").write_text(f"export default {javascript(RIGHT['letterbox'])}")
    told = command(
        "preprocess", folder / "m.keras", folder / "photos", "--js-preprocess", tmp_path / "page.js",
        "--emit", "python", "--out", tmp_path / "prep.py", "--runtime", "chromium:cpu",
    )  # fmt: skip
    assert told.code == 0, told.out
    compile((tmp_path / "prep.py").read_text(), "prep.py", "exec")


SOUNDS = """
import numpy as np, soundfile

def left(path):
    signal, _ = soundfile.read(path, always_2d=True)
    signal = signal[:4000, 0] * 2
    return np.pad(signal, (0, 4000 - len(signal))).astype(np.float32)[:, None]
"""
TEXTS = """
import re
import numpy as np

IDS = {word: number for number, word in enumerate(WORDS, 3)}

def load(path):
    ids = [IDS.get(word, 1) for word in re.findall(r"\\w+|[^\\w\\s]", path.read_text().lower())][:18]
    return np.array([0] * (18 - len(ids)) + [2, *ids, 2])
"""


@pytest.mark.parametrize("engine", ["chromium", *more("firefox", "webkit")])
def test_functions_of_sounds_and_texts_become_javascript(tmp_path: Path, command: Cli, engine: str) -> None:
    sound, words = keras.Input((4000, 1), name="sound"), keras.Input((20,), dtype="int32", name="words")
    keras.Model(sound, keras.layers.GlobalAveragePooling1D()(sound)).save(tmp_path / "sound.keras")
    keras.Model(words, keras.layers.Embedding(90, 2)(words)).save(tmp_path / "text.keras")
    (tmp_path / "sounds").mkdir()
    soundfile.write(tmp_path / "sounds" / "a.wav", voice(16000, 0.4, 1), 16000)
    vocabulary_of = vocabulary(write_texts(tmp_path / "texts", count=3))
    (tmp_path / "sounds.py").write_text(SOUNDS)
    (tmp_path / "texts.py").write_text(TEXTS.replace("WORDS", str([*vocabulary_of, "zebra"])))
    for model, files, code, told in (
        ("sound.keras", "sounds", "sounds.py:left", "left channel; from the first sample, zeros at the end"),
        ("text.keras", "texts", "texts.py:load", "ids around the words: 2 before, 2 after; the first words"),
    ):
        done = command(
            "preprocess", tmp_path / model, tmp_path / files, "--preprocess", tmp_path / code, "--emit", "js",
            "--json", "-", "--runtime", f"{engine}:cpu",
        )  # fmt: skip
        assert done.code == 0, done
        made = json.loads(done.out)
        assert told in made["described"] and made["medium"] == files[:-1]
        for file in made["proofs"][0]["files"]:
            assert file["passed"] and file["rest_rms"] < 1e-4, file


@pytest.mark.exhaustive
@pytest.mark.parametrize("language", ["js", "python"])
def test_a_page_of_words_and_a_spectrogram_become_the_other_language(
    tmp_path: Path, command: Cli, language: str
) -> None:
    sound, words = keras.Input((96, 64), name="sound"), keras.Input((20,), dtype="int32", name="words")
    keras.Model(sound, keras.layers.GlobalAveragePooling1D()(sound)).save(tmp_path / "sound.keras")
    keras.Model(words, keras.layers.Embedding(90, 2)(words)).save(tmp_path / "text.keras")
    texts = write_texts(tmp_path / "texts", count=4)
    write_sounds(tmp_path / "sounds")
    (tmp_path / "words.txt").write_text("\n".join(vocabulary(texts)))
    (tmp_path / "page.js").write_text(f"export default {TEXT_STEPS_OF['keras'].javascript(vocabulary(texts))};")
    page, option = tmp_path / "page.js", "--preprocess" if language == "js" else "--js-preprocess"
    for model, files, code in (
        ("sound.keras", "sounds", "yamnet"),
        ("text.keras", "texts", f"vocabulary({tmp_path / 'words.txt'})"),
        *([("text.keras", "texts", page)] if language == "python" else []),
    ):
        told = command(
            "preprocess", tmp_path / model, tmp_path / files, option, code, "--emit", language, "--json", "-"
        )
        assert told.code == 0, told.err
        assert len(json.loads(told.out)["proofs"]) == 3


@pytest.mark.parametrize("engine", more("chromium", "firefox", "webkit"))
def test_every_page_becomes_python(folder: Path, tmp_path: Path, command: Cli, engine: str) -> None:
    for name, steps in RIGHT.items():
        if (code := javascript(steps)) is None:
            continue
        (tmp_path / f"{name}.js").write_text(f"export default {code}")
        told = command(
            "preprocess", folder / "m.keras", folder / "photos", "--js-preprocess", tmp_path / f"{name}.js",
            "--emit", "python", "--json", "-", "--runtime", f"{engine}:cpu",
        )  # fmt: skip
        assert told.code == 0, (name, told.err)


@pytest.mark.parametrize("engine", more("chromium", "firefox", "webkit"))
def test_every_right_pipeline_becomes_javascript(folder: Path, command: Cli, engine: str) -> None:
    for name in RIGHT:
        told = command(
            "preprocess", folder / "m.keras", folder / "photos", "--preprocess", f"{folder / 'prep.py'}:{name}",
            "--emit", "js", "--json", "-", "--runtime", f"{engine}:cpu",
        )  # fmt: skip
        assert told.code == 0, (name, told.out)
        (proof,) = json.loads(told.out)["proofs"]
        rest = np.array([file["rest_rms"] for file in proof["files"]])
        print(
            engine, name, f"rest at most {rest.max():.2g}, decoder {max(f['decoder_rms'] for f in proof['files']):.2g}"
        )
        assert rest.max() < 0.05


def test_without_a_browser_nothing_is_proven_and_nothing_written(folder: Path, tmp_path: Path, command: Cli) -> None:
    told = command(
        "preprocess", folder / "m.keras", folder / "photos", "--preprocess", "tf", "--emit", "js",
        "--out", tmp_path / "prep.js", "--runtime", "chromium:cpu", "--browser-path", "/nowhere/chromium", "-q",
    )  # fmt: skip
    assert told.code == 3 and told.out.startswith("No browser ran the code, so that nothing is proven.")
    assert not (tmp_path / "prep.js").exists()


@pytest.mark.parametrize(
    ("extra", "what"),
    [
        ([], "needs the code that it is to be like"),
        (["--preprocess", "tf", "--js-preprocess", "tf"], "has no effect"),
        (["--preprocess", "prep.js"], "names no function and no recipe"),
        (["--preprocess", "{folder}/prep.py:of_text"], "its input is no row of ids of words"),
    ],
)
def test_a_command_that_cannot_work_says_why(folder: Path, command: Cli, extra: list[str], what: str) -> None:
    (folder / "texts").mkdir(exist_ok=True)
    (folder / "texts" / "a.txt").write_text("a text")
    files = folder / ("texts" if "of_text" in str(extra) else "photos")
    given = [word.format(folder=folder) for word in extra]
    told = command("preprocess", folder / "m.keras", files, "--emit", "js", *given)
    assert told.code in (1, 2) and what in told.err.replace("\n", " ")


@pytest.mark.parametrize("runtimes", [["chromium:cpu"], *more(["firefox:cpu", "webkit:cpu"])])
def test_decoders_of_browsers_are_compared_with_those_of_python(
    folder: Path, tmp_path: Path, command: Cli, runtimes: list[str]
) -> None:
    soundfile.write(tmp_path / "a.wav", np.sin(np.arange(4000) / 9) / 2, 16000)
    (tmp_path / "broken.png").write_bytes(b"no image")
    files = [*(folder / "photos").iterdir(), tmp_path / "a.wav", tmp_path / "broken.png"]
    told = command("decoders", *files, "--json", "-", *(f"--runtime={runtime}" for runtime in runtimes))
    assert told.code == 0, told.err
    for engine in json.loads(told.out)["engines"]:
        found = {Path(file["name"]).name: file for file in engine["files"]}
        assert len(found) == len(files) - 1
        for name in ("i_plain.png", "h_gray.png"):
            assert found[name]["largest"] == 0 and not found[name]["failure"], found[name]
        assert found["e_turned.jpg"]["facts"] == ["orientation applied"]
        assert "profile applied" in found["j_profile.png"]["facts"]
        assert "invisible colors lost" in found["g_clear.png"]["facts"]
        assert found["a.wav"]["largest"] < 1e-4 and found["a.wav"]["kind"] == "WAV, 16000 Hz"
