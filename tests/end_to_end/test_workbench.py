"""Several runs at one workbench: what they share, and that they do not touch one another."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pycheck.errors import UsageError
from pycheck.options.reading import build
from pycheck.runtimes.browser.host import BrowserHost
from pycheck.types import Verdict
from pycheck.workflow.pipeline import Workbench

pytestmark = pytest.mark.real

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[BrowserHost]:
    """Every host that starts during the test."""
    hosts: list[BrowserHost] = []
    start = BrowserHost.__aenter__

    async def recorded(host: BrowserHost) -> BrowserHost:
        hosts.append(host)
        return await start(host)

    monkeypatch.setattr(BrowserHost, "__aenter__", recorded)
    return hosts


@pytest.mark.exhaustive
def test_runs_side_by_side_and_after_a_failure_share_one_browser_and_keep_their_own_results(
    started: list[BrowserHost],
) -> None:
    cpu = build({"runtimes": ["chromium:cpu"], "samples": 2})
    webgl = build({"runtimes": ["chromium:webgl"], "samples": 2})

    async def work() -> tuple[Verdict, ...]:
        async with Workbench() as bench:
            first, second = await asyncio.gather(
                bench.compare(MODELS / "two_io.keras", MODELS / "two_io_inputs.npz", cpu),
                bench.compare(MODELS / "webgl_nan.keras", MODELS / "webgl_nan_inputs.npy", webgl),
            )
            with pytest.raises(UsageError, match="nowhere"):
                await bench.compare(MODELS / "two_io.keras", None, build({"atol": ["nowhere:1"], "samples": 2}))
            third = await bench.compare(MODELS / "two_io.keras", MODELS / "two_io_inputs.npz", webgl)
            return first.verdict, second.verdict, third.verdict

    assert asyncio.run(work()) == (Verdict.PASS, Verdict.NAN_DIVERGENCE, Verdict.PASS)
    assert len(started) == 1


@pytest.mark.exhaustive
def test_a_run_that_asks_for_another_browser_gets_one_of_its_own(started: list[BrowserHost]) -> None:
    plain = build({"runtimes": ["chromium:cpu"], "samples": 2})
    wide = build({"runtimes": ["chromium:cpu"], "samples": 2, "browser_args": ["--window-size=900,600"]})

    async def work() -> list[bool]:
        async with Workbench() as bench:
            return [(await bench.compare(MODELS / "two_io.keras", None, o)).passed for o in (plain, wide)]

    assert asyncio.run(work()) == [True, True]
    assert len(started) == 2
