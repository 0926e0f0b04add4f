"""The plugin with TensorFlow and a browser: one suite, run once in one process and once by two workers of xdist."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pycheck.cli import main as cli
from pycheck.report.json import report_from_dict
from pycheck.types import Report

from .conftest import ROOT, loaded

pytestmark = pytest.mark.real

MODELS = ROOT / "models"

_CONFTEST = """
import os
from pathlib import Path
from pycheck.runtimes.browser.host import BrowserHost

start = BrowserHost.__aenter__

async def counted(host):
    with Path("started.txt").open("a") as file:
        print(os.getpid(), host.engine, file=file)
    return await start(host)

BrowserHost.__aenter__ = counted
"""

_SUITE = f"""
from pathlib import Path
import pytest

MODELS = Path({str(MODELS)!r})

@pytest.mark.parametrize("name", ["two_io", "webgl_nan"])
def test_model(name, pycheck_runtime, pycheck_compare):
    (inputs,) = MODELS.glob(f"{{name}}_inputs.*")
    pycheck_compare(MODELS / f"{{name}}.keras", inputs).assert_ok()

@pytest.mark.pycheck(runtimes=["chromium:webgl"])
def test_traced(pycheck_trace):
    report = pycheck_trace(MODELS / "webgl_nan.keras", MODELS / "webgl_nan_inputs.npy", layers=["no_less_than_none"])
    report.assert_ok()

@pytest.mark.pycheck(runtimes=["chromium:cpu"], preprocess="code.py:load", postprocess="code.py:decide")
@pytest.mark.parametrize("allowed", [0.0, 1.0])
def test_files_and_decisions(allowed, pycheck_compare, tmp_path):
    import keras
    import numpy as np

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="scores")])
    code = "export default async (file, tf) => tf.tensor((await file.text()).split(' ').map(Number))"
    (tmp_path / "prep.js").write_text(code)
    (tmp_path / "post.js").write_text("export default async (y) => (await y.data())[0] < -1e9 ? 'low' : 'high'")
    (tmp_path / "files").mkdir()
    for number in range(4):
        (tmp_path / "files" / f"{{number}}.txt").write_text(f"{{number - 1.5}} {{1.5 - number}}")
    js = dict(js_preprocess=str(tmp_path / "prep.js"), js_postprocess=str(tmp_path / "post.js"))
    report = pycheck_compare(model, tmp_path / "files", decisions_changed=allowed, **js)
    assert report.pipeline.rows[0].changed_by_postprocessing > 0
    report.assert_ok()

@pytest.mark.pycheck(runtimes=["chromium:cpu"])
def test_live_model_and_arrays(pycheck_compare):
    import keras
    import numpy as np

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="scores")])
    pycheck_compare(model, np.ones((5, 4), np.float32)).assert_ok()
"""
_CODE = """
import numpy as np

def load(path):
    return np.array(path.read_text().split(), np.float32)

def decide(scores):
    return "high" if scores[0, 0] > 0 else "low"
"""
_RUNTIMES = "--pycheck-runtimes=chromium:cpu,chromium:webgl"


@dataclass(frozen=True)
class Ran:
    """How a session ended, and what it left."""

    folder: Path
    out: str
    code: int

    @property
    def browsers(self) -> list[str]:
        """Each start of a host: the process and the engine."""
        return (self.folder / "started.txt").read_text().splitlines()

    def reports(self, test: str) -> list[Report]:
        """What the reports of a test say."""
        files = sorted((self.folder / "reports").glob(f"*{test}*.json"))
        return [report_from_dict(json.loads(file.read_text())) for file in files]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Ran]:
    """Runs the suite; what it converts and computes in Python stays in the cache of these tests."""

    def run(*arguments: str) -> Ran:
        folder = tmp_path_factory.mktemp("session")
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "conftest.py").write_text(_CONFTEST)
        (folder / "test_models.py").write_text(_SUITE)
        (folder / "code.py").write_text(_CODE)
        command = [sys.executable, "-m", "pytest", *loaded(), "-p", "no:cacheprovider", "--pycheck-report-dir=reports"]
        done = subprocess.run(
            [*command, *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""},
            capture_output=True,
            text=True,
            timeout=280,
        )
        return Ran(folder, done.stdout + done.stderr, done.returncode)

    return run


@pytest.fixture(scope="module")
def ran(session: Callable[..., Ran]) -> Ran:
    return session(_RUNTIMES)


def test_the_model_that_browsers_get_wrong_fails_there_and_nothing_else_does(ran: Ran) -> None:
    assert re.search(r"3 failed, 5 passed", ran.out), ran.out
    assert re.search(r"^FAILED test_models\.py::test_model\[chromium:webgl-webgl_nan\]", ran.out, re.MULTILINE)
    assert re.search(r"^\S+two_io\.keras +pass \d+ % +pass \d+ %$", ran.out, re.MULTILINE)
    assert re.search(r"^\S+webgl_nan\.keras +pass \d+ % +NaN$", ran.out, re.MULTILINE)


def test_a_session_has_one_browser_an_engine(ran: Ran) -> None:
    assert [line.split()[1] for line in ran.browsers] == ["chromium"]


def test_a_test_of_files_fails_by_the_decisions_of_its_page_unless_they_are_allowed(ran: Ran) -> None:
    assert re.search(r"^FAILED test_models\.py::test_files_and_decisions\[0\.0\]", ran.out, re.MULTILINE)
    told = (
        r"^E +(AssertionError: ERROR: \d of 4 files get|error decisions-differ: chromium:cpu: \d of 4 files get) a diff"
    )
    assert len(re.findall(told, ran.out, re.MULTILINE)) == 2


def test_a_trace_says_where_it_starts(ran: Ran) -> None:
    assert re.search(r"^E +Where the error starts$", ran.out, re.MULTILINE)
    assert re.search(r"^E +chromium:webgl: \S+Relu \(Relu, layer no_less_than_none\)$", ran.out, re.MULTILINE)
    (report,) = ran.reports("test_traced")
    assert report.trace is not None


def test_a_live_model_and_arrays_have_a_report_too(ran: Ran) -> None:
    (report,) = ran.reports("test_live_model")
    assert (report.passed, report.command) == (True, "")


@pytest.mark.exhaustive
def test_the_example_passes(session: Callable[..., Ran]) -> None:
    example = session(_RUNTIMES, str(ROOT / "examples"), "-c", "pytest.ini", "-k", "two_io or half or known")
    assert re.search(r"= 4 passed", example.out), example.out


@pytest.mark.exhaustive  # what workers hand over is tried in test_plugin.py, without browsers
def test_workers_of_xdist_have_a_browser_each_and_come_to_the_same(session: Callable[..., Ran], ran: Ran) -> None:
    shared = session(_RUNTIMES, "-n", "2")
    assert re.search(r"3 failed, 5 passed", shared.out), shared.out
    workers = [line.split()[0] for line in shared.browsers]
    assert len(workers) == len(set(workers)) <= 2
    assert _results(shared) == _results(ran)


def _results(ran: Ran) -> list[list[tuple[object, ...]]]:
    reports = ran.reports("test_model-")
    assert len(reports) == 4
    return [[(c.candidate, c.tensor, c.max_abs_error, c.nonfinite, c.passed) for c in r.comparisons] for r in reports]


def test_the_same_failure_is_the_same_story_with_the_same_numbers_everywhere(
    ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    files = {kind: tmp_path / f"report.{kind}" for kind in ("json", "html", "junit", "markdown")}
    model = [str(MODELS / "webgl_nan.keras"), str(MODELS / "webgl_nan_inputs.npy"), "--runtime", "chromium:webgl"]
    code = cli.run(
        ["compare", *model, "--github", *(w for kind, file in files.items() for w in (f"--{kind}", str(file)))]
    )
    terminal, log = capsys.readouterr()
    report = report_from_dict(json.loads(files["json"].read_text()))
    (of_pytest,) = ran.reports("test_model-chromium-webgl-webgl_nan")
    assert (code, of_pytest.verdict, report.verdict) == (1, report.verdict, of_pytest.verdict)
    assert [(c.max_abs_error, c.nonfinite) for c in of_pytest.comparisons] == [
        (c.max_abs_error, c.nonfinite) for c in report.comparisons
    ]

    junit = ElementTree.fromstring(files["junit"].read_text().partition("\n")[2])
    (failure,) = junit.iter("failure")
    told = {
        "terminal": terminal,
        "html": html.unescape(re.sub(r"<[^>]+>", " ", files["html"].read_text())),
        "junit": f"{failure.get('message')} {failure.text}",
        "markdown": re.sub(r"\\(.)", r"\1", files["markdown"].read_text()),
        "github": log.replace("%25", "%").replace("%0A", "\n").replace("%3A", ":"),
        "pytest": "\n".join(line.removeprefix("E") for line in ran.out.splitlines() if line.startswith("E ")),
    }
    (finding,) = [f for f in report.findings if f.code == "nan-introduced"]
    assert finding.summary.startswith("level: 48 of 144 elements are finite in Python but not on chromium:webgl")
    story = (finding.code, finding.summary, finding.advice)
    missing = {(where, part) for where, text in told.items() for part in story if _flat(part) not in _flat(text)}
    assert missing == set()

    (c,) = [c for c in report.comparisons if not c.is_noise_floor]
    largest, limit = re.search(
        r"Greatest absolute difference: (\S+) at .*\(up to (\S+) allowed\)", told["pytest"]
    ).groups()  # type: ignore[union-attr]
    assert {where for where, text in told.items() if largest not in text} == set()
    assert {where for where, text in told.items() if where != "github" and limit not in text} == set()
    share = "Mismatched elements: 48 / 144 (33.3 %), NaN or infinite only on this runtime"
    assert {where for where in ("junit", "markdown", "github", "pytest") if share not in told[where]} == set()
    assert "NAN DIVERGENCE" in terminal and "NAN DIVERGENCE" in told["html"] and "NAN DIVERGENCE" in told["markdown"]
    assert c.nonfinite.introduced == 48


def _flat(text: str) -> str:
    """Without what only the layout adds."""
    return re.sub(r"\s+", " ", text)
