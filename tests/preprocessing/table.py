"""Puts faults into right pipelines, alone and in pairs, and says how many of them pycheck names exactly.

Each medium has a table: `python -m tests.preprocessing.images.faults --engine firefox --only crop` prints its lines.
Without an engine the page is simulated: the functions of Python make its inputs.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pycheck.preprocessing import Explained, find_causes
from pycheck.types import Array

from ..shared import session
from .pages import in_page


@dataclass(frozen=True)
class Fault:
    """A change of the page, the codes that name it, and words that must be in what is said of the page."""

    title: str
    change: dict[str, Any]
    codes: frozenset[str]
    said: str = ""
    of: tuple[str, ...] = ()  # names of right pipelines; none for all

    def fits(self, steps: Any, name: str) -> bool:
        """Tell whether the pipeline can have the fault."""
        return (not self.of or name in self.of) and replace(steps, **self.change) != steps

    def goes_with(self, other: Fault) -> bool:
        """Tell whether both can be seen together."""
        return not self.codes & other.codes and not self.change.keys() & other.change.keys()


def fault(title: str, codes: str, said: str = "", of: str = "", **change: Any) -> Fault:
    """Return a fault; codes are separated by spaces, and names of pipelines by commas."""
    return Fault(title, change, frozenset(codes.split()), said, tuple(of.split(", ")) if of else ())


@dataclass(frozen=True)
class Case:
    """A pipeline, by its name and by its steps, whose page has faults: none, one or two."""

    right: str
    steps: Any
    faults: tuple[Fault, ...] = ()

    @property
    def title(self) -> str:
        return f"{self.right}: {' + '.join(fault.title for fault in self.faults) or 'right'}"

    @property
    def page(self) -> Any:
        steps = self.steps
        for each in self.faults:
            steps = replace(steps, **each.change)
        return steps

    @property
    def codes(self) -> frozenset[str]:
        return frozenset().union(*(each.codes for each in self.faults))


@dataclass(frozen=True)
class Outcome:
    """What pycheck named for a case; `own` are causes that a browser brings by itself, which may be named too."""

    case: Case
    explained: Explained
    seconds: float
    own: frozenset[str] = frozenset()

    @property
    def exact(self) -> bool:
        """Tell whether the codes are those of the faults, and the words too."""
        said = " | ".join(cause.page for cause in self.explained.causes)
        named = frozenset(cause.code for cause in self.explained.causes)
        return named - self.own == self.case.codes - self.own and all(each.said in said for each in self.case.faults)

    def __str__(self) -> str:
        causes = "; ".join(f"{c.code}: {c.page} for {c.python}" for c in self.explained.causes) or "nothing"
        mark = "exact" if self.exact else "WRONG"
        return (
            f"{mark}  {self.case.title:45} {causes} (left {self.explained.unexplained_rms:.2g}, {self.seconds:.1f} s)"
        )


@dataclass(frozen=True)
class Table:
    """The cases of a medium, and how each side makes its inputs."""

    cases: Callable[[], list[Case]]
    #: Files in a folder, by a seed; at full size or not.
    write: Callable[[Path, int, bool], list[Path]]
    #: The inputs by the steps of the second argument, of the files of the third.
    inputs: Callable[[Case, Any, Sequence[Path]], Array]
    #: The function of an app that does the steps of a page in an engine; none if browsers cannot.
    javascript: Callable[[Case, Sequence[Path], str], str | None]
    own: frozenset[str] = frozenset()

    def case(self, title: str) -> Case:
        """Return the case of this title."""
        return next(case for case in self.cases() if case.title == title)

    def outcome(self, case: Case, files: Sequence[Path]) -> Outcome:
        """Return what is named for a page that Python simulates."""
        return self._explained(case, files, self.inputs(case, case.steps, files), self.inputs(case, case.page, files))

    def outcomes_in(self, engine: str, some: Sequence[Case], files: Sequence[Path], folder: Path) -> Iterator[Outcome]:
        """Yield what is named for the cases that a real page of an engine can do."""
        codes = [(case, code) for case in some if (code := self.javascript(case, files, engine))]
        pages = in_page(engine, [code for _, code in codes], files, folder)
        python: dict[str, Array] = {}
        for (case, _), page in zip(codes, pages, strict=True):
            if case.right not in python:
                python[case.right] = self.inputs(case, case.steps, files)
            yield replace(self._explained(case, files, python[case.right], page), own=self.own)

    @staticmethod
    def _explained(case: Case, files: Sequence[Path], python: Array, page: Array) -> Outcome:
        start = time.process_time()
        return Outcome(case, find_causes(files, python, page), time.process_time() - start)

    def main(self, description: str | None) -> None:
        """Print the table, by the arguments of the command line."""
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("--only", default="", help="cases whose title has this text")
        parser.add_argument("--engine", default="", help="chromium, firefox or webkit: the page is real")
        parser.add_argument("--seed", type=int, default=0, help="other files, and another sample of cases")
        parser.add_argument(
            "--sample", type=int, default=0, help="at most this many cases with as many faults, by chance"
        )
        options = parser.parse_args()
        some = sample([case for case in self.cases() if options.only in case.title], options.sample, options.seed)
        made = []
        with tempfile.TemporaryDirectory() as folder, closing(session):
            files = self.write(Path(folder, "files"), options.seed, not options.engine)
            for outcome in (
                self.outcomes_in(options.engine, some, files, Path(folder))
                if options.engine
                else (self.outcome(case, files) for case in some)
            ):
                made.append(outcome)
                print(outcome, flush=True)
        print(summary(made))


def sample(cases: Sequence[Case], count: int, seed: int) -> list[Case]:
    """Return at most `count` cases of each number of faults, by chance; all if it is 0."""
    random = np.random.default_rng(seed)
    made: list[Case] = []
    for faults in range(3):
        some = [case for case in cases if len(case.faults) == faults]
        kept = random.permutation(len(some))[: count or None]
        made += [some[number] for number in sorted(kept)]
    return made


def summary(outcomes: Sequence[Outcome]) -> str:
    """Return how many are named exactly, and how many right pipelines are blamed."""
    lines = []
    for count, title in ((1, "one fault"), (2, "two faults")):
        some = [each for each in outcomes if len(each.case.faults) == count]
        if some:
            lines.append(f"{title}: {sum(each.exact for each in some)} of {len(some)} named exactly")
    right = [each for each in outcomes if not each.case.faults]
    lines.append(f"right pipelines: {sum(not each.exact for each in right)} of {len(right)} have a cause")
    return "\n".join(lines)


def missed(outcomes: Sequence[Outcome]) -> str:
    """Return the lines of those that are not exact."""
    return "\n".join(str(each) for each in outcomes if not each.exact)
