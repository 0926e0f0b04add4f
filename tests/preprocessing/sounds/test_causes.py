"""Each fault of a page is named from the inputs of sounds alone, and a right page is never blamed."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.signal

from pycheck.preprocessing import find_causes
from pycheck.preprocessing.sounds import causes
from pycheck.preprocessing.sounds.resamplers import ENGINES, resample_as
from pycheck.preprocessing.sounds.waveforms import WaveformSearch

from ...conftest import more
from ..table import missed
from . import steps
from .faults import FAULTS, RIGHT, TABLE, inputs
from .sounds import write_sounds

EVERY = TABLE.cases()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_sounds(tmp_path_factory.mktemp("sounds") / "sounds")


def test_the_yardstick_has_faults_of_every_kind_alone_and_in_pairs() -> None:
    assert len(FAULTS) >= 40
    assert len({code for fault in FAULTS for code in fault.codes}) == 11
    assert sum(len(case.faults) == 2 for case in EVERY) >= 40


@pytest.mark.parametrize(
    "title",
    [
        "wave: not resampled",
        "yamnet: log10",
        *more("librosa: HTK + ln", "long wave: clipped + the end", "whisper: HTK", "plain: transposed"),
    ],
)
def test_a_fault_is_named_exactly(files: list[Path], title: str) -> None:
    found = TABLE.outcome(TABLE.case(title), files)
    assert found.exact, str(found)
    assert found.explained.unexplained_rms < 1e-4


@pytest.mark.exhaustive
def test_at_least_95_percent_of_all_faults_are_named_exactly(files: list[Path]) -> None:
    outcomes = [TABLE.outcome(case, files) for case in EVERY if case.faults]
    assert np.mean([each.exact for each in outcomes]) >= 0.95, missed(outcomes)


@pytest.mark.parametrize("name", ["wave", "yamnet"])
def test_noise_of_another_float_arithmetic_is_no_cause(files: list[Path], name: str) -> None:
    python = inputs(RIGHT[name], files)
    page = python + np.random.default_rng(0).normal(size=python.shape).astype(np.float32) * 1e-4 * python.std()
    assert find_causes(files, python, page).causes == ()


@pytest.mark.exhaustive
def test_a_logarithm_is_named_beside_the_filter_of_another_resampler(
    files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    python = inputs(RIGHT["yamnet"], files)
    resample = scipy.signal.resample_poly
    monkeypatch.setattr(
        scipy.signal, "resample_poly", lambda x, up, down: resample(x, up, down, window=("kaiser", 9.0))
    )
    page = inputs(replace(RIGHT["yamnet"], log="log10"), files)
    monkeypatch.undo()
    found = find_causes(files, python, page)
    assert {cause.code for cause in found.causes} == {"log-differs", "resampler-differs"}


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("plain", {"power": 2, "log": "log10", "add": 1e-5}, "log10 of power + 1e-05"),
        *more(
            ("yamnet", {"hop": 150, "place": "end"}, "a frame every 150 samples"),
            ("yamnet", {"hop": 150}, "a frame every 150 samples"),
            ("yamnet", {"fft": 2048}, "FFT of 2048"),
        ),
    ],
)
def test_numbers_that_no_library_has_by_itself_are_found(
    files: list[Path], name: str, change: dict[str, Any], said: str
) -> None:
    right, page = RIGHT[name], replace(RIGHT[name], **change)
    found = find_causes(files, inputs(right, files), inputs(page, files))
    assert said in " ".join(cause.page for cause in found.causes), found
    assert found.unexplained_rms < 1e-2


def test_scaled_files_do_not_tell_a_sum_of_channels_from_their_mean(files: list[Path]) -> None:
    right = replace(RIGHT["wave"], loudness="peak")
    found = find_causes(files, inputs(right, files), inputs(replace(RIGHT["wave"], resample="linear"), files))
    assert {cause.code for cause in found.causes} == {"audio-scale", "resampler-differs"}


@pytest.mark.parametrize(("error", "is_named"), [(0.09, True), (0.11, False)])
def test_a_side_of_python_that_is_described_badly_has_no_cause(
    files: list[Path], error: float, is_named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    best = WaveformSearch.best
    monkeypatch.setattr(WaveformSearch, "best", lambda *given: replace(best(*given), error=error))
    monkeypatch.setattr(causes, "_PYTHON", OrderedDict())
    right = inputs(RIGHT["wave"], files)
    assert bool(find_causes(files, right, right / 2).causes) is is_named


def test_inputs_that_follow_from_no_sound_have_no_cause(files: list[Path]) -> None:
    python, page = np.random.default_rng(0).normal(size=(2, len(files), 4000)).astype(np.float32)
    assert find_causes(files, python, page).causes == ()
    right = inputs(RIGHT["wave"], files)
    for other in (np.zeros_like(right), np.random.default_rng(1).normal(size=right.shape)):
        found = find_causes(files, right, other)
        assert found.causes == () and found.unexplained_rms > 0.01


@pytest.mark.parametrize(
    ("engine", "title"),
    [
        ("Chromium", "yamnet: right"),
        ("WebKit", "yamnet: power"),
        *more(
            ("Firefox", "own: TensorFlow's triangles"),
            ("WebKit", "own: magnitude + left channel"),
            ("WebKit", "librosa: scaled each + no range"),
            ("WebKit", "own: TensorFlow's triangles + dB"),
        ),
    ],
)
def test_the_resampler_of_a_browser_is_a_cause_of_its_own(
    files: list[Path], monkeypatch: pytest.MonkeyPatch, engine: str, title: str
) -> None:
    case = TABLE.case(title)
    python = inputs(case.steps, files)
    monkeypatch.setattr(
        steps, "_resampled", lambda signal, rate, wanted, how: resample_as(engine, signal, rate, wanted)
    )
    page = inputs(case.page, files)
    monkeypatch.undo()
    found = find_causes(files, python, page)
    named = {cause.code: cause.page for cause in found.causes}
    assert named.pop("resampler-differs") == f"the resampler of {engine}"
    assert named.keys() == case.codes and all(fault.said in " ".join(named.values()) for fault in case.faults)
    assert found.unexplained_rms < 1e-3 * python.std()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_resampler_keeps_slow_tones_and_the_length_in_seconds(engine: str) -> None:
    for rate, wanted in ((44100, 16000), (8000, 22050), (48000, 16000)):
        made = resample_as(engine, np.sin(2 * np.pi * 300 * np.arange(rate) / rate), rate, wanted)
        delay = 1 / 8 if engine == "WebKit" else 0  # of a sample of the file: GStreamer begins a place too late
        right = np.sin(
            2 * np.pi * 300 * (np.arange(len(made)) / wanted - (delay if wanted * 2 > rate else 1 / 4) / rate)
        )
        assert abs(len(made) - wanted) < 2 + wanted / rate
        assert np.abs(made - right)[200:-200].max() < 0.02


#: Waveforms alone, which a quick test has time for.
REAL = ("wave: right", "wave: left channel", "wave: not resampled")


@pytest.mark.real
@pytest.mark.parametrize("engine", ["chromium", *more("firefox", "webkit")])
def test_faults_of_a_real_page_are_named_and_a_right_page_is_not_blamed(
    files: list[Path], tmp_path: Path, engine: str
) -> None:
    outcomes = list(TABLE.outcomes_in(engine, [TABLE.case(title) for title in REAL], files, tmp_path))
    assert len(outcomes) == len(REAL)
    assert not missed(outcomes)
    resampled = [(cause.code, cause.page.lower()) for cause in outcomes[0].explained.causes]
    assert resampled == [("resampler-differs", f"the resampler of {engine}")]
    assert outcomes[0].explained.unexplained_rms < 1e-4  # decoders of MP3 and OGG


@pytest.mark.exhaustive
@pytest.mark.real
@pytest.mark.parametrize("engine", ["chromium", "firefox", "webkit"])
def test_at_least_95_percent_of_all_faults_are_named_in_real_pages(
    files: list[Path], tmp_path: Path, engine: str
) -> None:
    outcomes = list(TABLE.outcomes_in(engine, EVERY, files, tmp_path))
    assert not missed([each for each in outcomes if not each.case.faults])
    for count in (1, 2):
        some = [each for each in outcomes if len(each.case.faults) == count]
        assert len(some) > 40 and np.mean([each.exact for each in some]) >= 0.95, missed(some)
