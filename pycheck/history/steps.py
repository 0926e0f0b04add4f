"""Selects runs and variants of a history, and says what changed from one run to the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from ..errors import UsageError
from ..types import PastRun, PastRuntime, PastVariant

#: Facts of a variant, with the words for each.
_FACTS = {
    "model_sha256": "the model",
    "inputs_sha256": "the inputs",
    "artifact": "the artifact's format",
    "weights_sha256": "the artifact's weights",
    "tflite_sha256": "the .tflite file",
}
#: What a changed model changes by itself.
_FOLLOWS = ("weights_sha256", "tflite_sha256")
#: Facts of a runtime. The values say what they are.
_OF_RUNTIME = ("library", "platform", "renderer", "flags")


def select(runs: Sequence[PastRun], patterns: Sequence[str] = (), last: int | None = None) -> tuple[PastRun, ...]:
    """Keep the variants whose names match a pattern, and of the runs that have one the last ones.

    A pattern matches the name of a variant, or the part of it before the first slash, which is its model. UsageError
    for a pattern without a match.
    """
    for pattern in patterns:
        if not any(_fits(variant.name, pattern) for run in runs for variant in run.variants):
            known = dict.fromkeys(variant.name for run in runs for variant in run.variants)
            raise UsageError(
                f"No run of the history has a variant {pattern!r}.",
                f"It has {', '.join(known)}." if known else "It has no variants.",
            )
    kept = (
        replace(run, variants=tuple(v for v in run.variants if not patterns or any(_fits(v.name, p) for p in patterns)))
        for run in runs
    )
    some = [run for run in kept if run.variants or not patterns]
    return tuple(some[-last:] if last else some)


def _fits(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(name.partition("/")[0], pattern)


def changes(then: tuple[PastRun, PastVariant], now: tuple[PastRun, PastVariant]) -> tuple[str, ...]:
    """Say what changed for a variant between two runs, apart from its results.

    What only one of both knows is no change.
    """
    found = []
    if then[0].pycheck_version != now[0].pycheck_version:
        found.append(f"pycheck {then[0].pycheck_version} -> {now[0].pycheck_version}")
    for name, words in _FACTS.items():
        was, is_ = getattr(then[1], name), getattr(now[1], name)
        if name in _FOLLOWS and "the model" in found:
            continue
        if was and is_ and was != is_:
            found.append(f"{words} {was} -> {is_}" if name == "artifact" else words)
    return (*found, *_of_runtimes(then[1], now[1]))


def _of_runtimes(then: PastVariant, now: PastVariant) -> Iterator[str]:
    """Yield the changes of runtimes, each with its runtimes unless these are all that both have."""
    before, after = ({runtime.id: runtime for runtime in variant.runtimes} for variant in (then, now))
    for word, gone in (("with", after.keys() - before), ("without", before.keys() - after)):
        if gone and before and after:
            yield f"{word} {', '.join(sorted(gone))}"
    both = [(before[runtime.id], runtime) for runtime in now.runtimes if runtime.id in before]
    found: dict[str, list[str]] = {}
    for was, is_ in both:
        for text in _changed(was, is_):
            found.setdefault(text, []).append(is_.id)
    for text, runtimes in found.items():
        yield text if len(runtimes) == len(both) else f"{text} ({', '.join(runtimes)})"


def _changed(was: PastRuntime, now: PastRuntime) -> Iterator[str]:
    for fact in _OF_RUNTIME:
        before, after = getattr(was, fact), getattr(now, fact)
        if fact == "flags":
            before, after = before or "none", after or "none"
        if before and after and before != after and "ok" == was.status == now.status:
            yield f"{'flags ' if fact == 'flags' else ''}{before} -> {after}"
