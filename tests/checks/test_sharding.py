"""How the variants of a check are divided, and the times that this needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycheck.checks import accepting, baseline_file
from pycheck.checks.baseline_file import Baseline
from pycheck.checks.configuration import ModelEntry
from pycheck.checks.sharding import divide, weights
from pycheck.checks.variants import Variant
from pycheck.options.values import Options

from .made import CPU, WEBGL, comparison, report

#: For each model, the seconds of its variants.
MODELS = st.lists(st.lists(st.integers(1, 500), min_size=1, max_size=4), min_size=1, max_size=12)


def _variants(models: list[list[int]]) -> tuple[tuple[Variant, ...], dict[str, int]]:
    variants: dict[str, Variant] = {}
    seconds: dict[str, int] = {}
    for number, times in enumerate(models):
        entry = ModelEntry(f"m{number}", Path("m"), None, (), (), (), {}, "", {})
        for index, time in enumerate(times):
            name = f"m{number}/v{index}"
            variants[name] = Variant(name, entry, Options(), None, name)
            seconds[name] = time
    return tuple(variants.values()), seconds


@given(MODELS, st.integers(1, 9))
def test_each_variant_is_in_one_shard_in_order_and_models_stay_together(models: list[list[int]], count: int) -> None:
    variants, seconds = _variants(models)
    shards = divide(variants, seconds, count)
    assert len(shards) == count and shards == divide(variants, seconds, count)
    assert sorted(v.name for shard in shards for v in shard) == sorted(seconds)
    for shard in shards:
        assert [v for v in variants if v in shard] == list(shard)
    share = sum(seconds.values()) / count
    for number, times in enumerate(models):
        homes = [i for i, shard in enumerate(shards) if any(v.entry.name == f"m{number}" for v in shard)]
        assert len(homes) == 1 or sum(times) > share


@given(MODELS, st.integers(1, 9))
def test_no_shard_takes_longer_than_a_share_and_the_largest_piece(models: list[list[int]], count: int) -> None:
    variants, seconds = _variants(models)
    share = sum(seconds.values()) / count
    pieces = [[sum(times)] if sum(times) <= share else times for times in models]
    longest = max(sum(seconds[v.name] for v in shard) for shard in divide(variants, seconds, count))
    assert longest <= share + max(time for piece in pieces for time in piece)


def test_the_longest_go_first_and_a_long_model_is_divided() -> None:
    variants, seconds = _variants([[1], [5], [9, 8], [3]])
    shards = divide(variants, seconds, 2)
    assert [[v.name for v in shard] for shard in shards] == [["m0/v0", "m2/v0", "m3/v0"], ["m1/v0", "m2/v1"]]


def test_a_variant_without_a_time_has_the_mean_of_a_runtime_for_each_of_its_own() -> None:
    variants, _ = _variants([[1], [1]])
    assert set(weights(variants, None).values()) == {5}, "three runtimes in browsers and two in Python"
    facts = replace(accepting.facts(report([comparison(CPU)])), seconds=20)
    assert weights(variants, Baseline("0", {}, {"m0/v0": facts})) == {"m0/v0": 20, "m1/v0": 20}
    fewer = replace(variants[1], options=Options(runtimes=(CPU,)))
    assert weights((variants[0], fewer), Baseline("0", {}, {"m0/v0": facts}))["m1/v0"] == 12
    assert weights(variants, Baseline("0", {}, {"m0/v0": replace(facts, seconds=None)}))["m0/v0"] == 5


@pytest.mark.parametrize(("took", "kept"), [(0.0, 1), (1.4, 1), (1.5, 2), (3.1, 2), (3.3, 5), (8, 10), (41.0, 50)])
def test_the_baseline_has_the_time_of_all_browsers_rounded(took: float, kept: int, tmp_path: Path) -> None:
    made = report([comparison(CPU), comparison(WEBGL)])
    others: dict[str, float] = {"launch": 100, "artifact": 100, "first_predict": 100, "per_sample": 100}
    times: list[dict[str, Any]] = [
        {"predict": 100},
        {"predict": took / 2, **others},
        {"page": took / 4, "load": took / 4},
    ]
    records = tuple(replace(r, timings_s=t) for r, t in zip(made.runtimes, times, strict=True))
    baseline_file.write(tmp_path / "b.toml", accepting.accept(None, [replace(made, runtimes=records)], pycheck="0"))
    assert f"seconds = {kept}\n" in (tmp_path / "b.toml").read_text()
    assert baseline_file.read(tmp_path / "b.toml").variants["m"].seconds == kept


def test_a_baseline_without_times_is_read(tmp_path: Path) -> None:
    accepted = accepting.accept(None, [report([comparison(CPU)])], pycheck="0")
    text = baseline_file.render(accepted)
    (tmp_path / "old.toml").write_text(text.replace("seconds = 1\n", ""))
    assert baseline_file.read(tmp_path / "old.toml").variants["m"].seconds is None


def test_an_update_of_some_runtimes_keeps_the_longer_time() -> None:
    both = report([comparison(CPU), comparison(WEBGL)])
    long = replace(both, runtimes=tuple(replace(r, timings_s={"predict": 30.0}) for r in both.runtimes))
    old = accepting.accept(None, [long], pycheck="0")
    assert old.variants["m"].seconds == 50
    assert accepting.accept(old, [report([comparison(CPU)])], pycheck="0").variants["m"].seconds == 50
    assert accepting.accept(old, [both], pycheck="0").variants["m"].seconds == 1
