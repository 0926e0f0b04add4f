"""Which workers a check can use, and what it says about the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pycheck.cluster.members import (
    PYTHON,
    Member,
    check_members,
    engine_resource,
    fitting_worker,
    share_of,
    without_browser,
)
from pycheck.errors import UsageError
from pycheck.types import RuntimeId

OWN = Member("0.1.0", "3.11", "code", "page", {"tensorflow": "2.19.0", "numpy": "2.1.0"})
BOTH = replace(OWN, engines=("chromium", "firefox"))
BROWSER_ONLY = replace(OWN, packages={"numpy": "2.1.0"}, engines=("firefox",))


def test_workers_with_the_same_versions_are_all_used() -> None:
    members = {"tcp://a": BOTH, "tcp://b": OWN, "tcp://c": BROWSER_ONLY}
    assert check_members(OWN, members) == members


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (replace(OWN, pycheck="0.2.0"), "pycheck 0.2.0, and this is pycheck 0.1.0"),
        (replace(OWN, code="x"), "other code of pycheck 0.1.0"),
        (replace(OWN, page="x"), "other releases of TF.js or LiteRT.js"),
        (replace(OWN, python="3.12"), "Python 3.12, and this is Python 3.11"),
        (replace(OWN, packages={**OWN.packages, "tensorflow": "2.20.0"}), "tensorflow 2.20.0 instead of 2.19.0"),
        (replace(OWN, packages={"tensorflow": "2.19.0"}), "numpy is missing instead of 2.1.0"),
        (Exception("ModuleNotFoundError(\"No module named 'pycheck'\")"), "pycheck is not installed there"),
        (Exception("ModuleNotFoundError(\"No module named 'pycheck.cluster'\")"), "it has a different pycheck"),
    ],
)
def test_a_worker_that_would_compute_something_else_is_named(other: Member | BaseException, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_members(OWN, {"tcp://a": BOTH, "tcp://b": other, "tcp://c": other})
    assert "tcp://b and tcp://c" in refused.value.message
    assert told in refused.value.message
    assert "tcp://a" not in refused.value.message


def test_without_tensorflow_here_the_workers_need_only_agree_with_one_another() -> None:
    own = replace(OWN, packages={"numpy": "2.4.0"})
    assert check_members(own, {"tcp://a": OWN, "tcp://b": BOTH})
    with pytest.raises(UsageError, match=r"tensorflow 2\.20\.0 instead of 2\.19\.0"):
        check_members(own, {"tcp://a": OWN, "tcp://b": replace(OWN, packages={**OWN.packages, "tensorflow": "2.20.0"})})


def test_a_worker_that_died_meanwhile_is_left_out() -> None:
    assert check_members(OWN, {"tcp://a": BOTH, "tcp://b": ConnectionResetError("lost")}) == {"tcp://a": BOTH}


def test_a_cluster_without_tensorflow_is_refused() -> None:
    with pytest.raises(UsageError, match="No worker of the cluster has TensorFlow: tcp://c") as refused:
        check_members(OWN, {"tcp://c": BROWSER_ONLY})
    assert "pycheck[tensorflow,dask]" in refused.value.advice


def test_an_engine_that_no_worker_has_is_named_with_those_that_are_there() -> None:
    members = {"tcp://a": OWN, "tcp://c": BROWSER_ONLY}
    asked = [RuntimeId.parse(text) for text in ("webkit:cpu", "firefox:cpu", "webkit:wasm")]
    assert without_browser(asked, members).startswith("No worker has webkit, they have firefox.")
    assert not without_browser(asked[1:2], members)
    assert "none has a browser" in without_browser(asked, {"tcp://a": OWN})


def test_work_that_is_not_divided_goes_to_the_worker_with_most_of_its_engines() -> None:
    members = {"tcp://a": OWN, "tcp://b": replace(OWN, engines=("chromium",)), "tcp://c": BROWSER_ONLY}
    assert fitting_worker(["chromium", "firefox"], members) == {PYTHON: 1, engine_resource("chromium"): 1}
    assert fitting_worker(["firefox"], members) == {PYTHON: 1}
    assert fitting_worker(["firefox", "chromium"], {**members, "tcp://d": BOTH}).keys() == BOTH.resources.keys()


@pytest.mark.parametrize("workers", range(1, 9))
@pytest.mark.parametrize("engines", [(), ("chromium",), ("chromium", "firefox"), ("chromium", "firefox", "webkit")])
def test_the_workers_of_one_machine_start_as_few_browsers_as_they_can(engines: tuple[str, ...], workers: int) -> None:
    shares = [share_of(engines, number, workers) for number in range(workers)]
    started = [engine for share in shares for engine in share]
    assert set(started) == set(engines)
    assert len(started) == (max(len(engines), workers) if engines else 0)
    sizes = [len(share) for share in shares]
    assert max(sizes) - min(sizes) <= 1


def test_of_two_workers_one_has_the_engine_with_most_runtimes_alone() -> None:
    engines = ("chromium", "firefox", "webkit")
    assert [share_of(engines, number, 2) for number in range(2)] == [("firefox", "webkit"), ("chromium",)]
