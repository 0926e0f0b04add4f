"""Finds runtimes whose answer to the first batch changes when they predict it again."""

from __future__ import annotations

from collections.abc import Iterator

from ..types import AnswerLimits, ChangedAnswer, Finding, Severity
from .case import Case, Rule, are, elements, place, unlike
from .codes import finding

_AFTER = {
    "itself": "directly after the first result",
    "batches": "after the other batches",
    "shape": "after all batches and one sample alone",
}


def changed_answers(case: Case) -> Iterator[Finding]:
    """Find nondeterministic and stale-state: the first batch, predicted again, gives a different answer.

    Without a finding if predict itself differs at each call: reference-differs says so.
    """
    ran = {record.id for record in case.runtimes}
    for answer in case.evidence.changed_answers:
        if answer.runtime in ran and not _is_random(case, answer.tensor):
            if answer.after == "kept":
                yield _unlike_kept(case, answer)
            else:
                yield _finding(case, answer, case.answer_limits.get((answer.runtime, answer.tensor)))


def _is_random(case: Case, tensor: str) -> bool:
    check = case.evidence.reference
    return check is not None and check.outcome == "random" and (not check.tensors or tensor in check.tensors)


def _finding(case: Case, answer: ChangedAnswer, limits: AnswerLimits | None) -> Finding:
    element = answer.element
    chance = answer.is_random
    return finding(
        "nondeterministic" if chance else "stale-state",
        Severity.ERROR if limits and limits.is_decisive else Severity.WARNING,
        runtimes=(answer.runtime,),
        tensor=answer.tensor,
        summary=f"{answer.tensor} on {answer.runtime}: the first batch gives a different result in prediction "
        f"{answer.iteration}, {_AFTER[answer.after]}: {_how(case, answer)}. "
        f"{_state(answer)}{_judged(limits)}",
        advice=_of_chance(limits) if chance else _of_state(answer),
        evidence={
            "iteration": answer.iteration,
            "after": answer.after,
            "is_repeatable": answer.is_repeatable,
            "is_restored": answer.is_restored,
            "is_by_shape": answer.is_by_shape,
            "changed_count": answer.changed_count,
            "element_count": answer.element_count,
            "max_change": answer.max_change,
            "shapes": answer.shapes,
            **({"sample": element.sample, "index": list(element.index)} if element else {}),
            **({"first": element.reference, "again": element.candidate} if element else {}),
            **({"first_within": limits.first, "again_within": limits.again} if limits else {}),
        },
    )


def _unlike_kept(case: Case, answer: ChangedAnswer) -> Finding:
    element = answer.element
    return finding(
        "nondeterministic",
        Severity.WARNING,
        runtimes=(answer.runtime,),
        tensor=answer.tensor,
        summary=f"{answer.tensor} on {answer.runtime}: batch {answer.iteration} gives a different result than in the "
        f"run of {answer.kept_at}, with the same artifact, inputs and browser: {_how(case, answer)}.",
        advice="Run again with --fresh. If the results differ each time, the model draws random numbers, or this "
        "backend computes in an order that varies.",
        evidence={
            "after": answer.after,
            "kept_at": answer.kept_at,
            "batch": answer.iteration,
            "changed_count": answer.changed_count,
            "element_count": answer.element_count,
            **({"sample": element.sample, "index": list(element.index)} if element else {}),
        },
    )


_RESTORED = (
    "After the artifact is loaded again, the first result returns, so the result depends on earlier predictions."
)
#: By whether loading the artifact again restores the first result, and whether the later one repeats itself.
_STATE = {
    (True, True): _RESTORED,
    (True, False): _RESTORED,
    (False, True): "Two more predictions directly afterwards agree with each other, so the result depends on earlier "
    "predictions.",
    (False, False): "Two more predictions directly afterwards differ too, so the result varies from run to run.",
}


def _state(answer: ChangedAnswer) -> str:
    if answer.is_by_shape:
        return (
            "After the artifact is loaded again, the first result returns, and it changes only after one sample alone, "
            "so the result depends on a change of the batch size."
        )
    return _STATE[answer.is_restored, answer.is_repeatable]


def _how(case: Case, answer: ChangedAnswer) -> str:
    if answer.element is None:
        return f"its shapes are {answer.shapes}"
    outputs = case.model.signature.outputs if case.model else ()
    dtype = next((spec.dtype for spec in outputs if spec.name == answer.tensor), None)
    first, again = unlike(answer.element.reference, answer.element.candidate)
    return (
        f"{elements(answer.changed_count, answer.element_count)} {are(answer.changed_count)} different, most at "
        f"{place(answer.element, dtype)}: {first}, then {again}"
    )


def _judged(limits: AnswerLimits | None) -> str:
    if limits is None:
        return ""
    if limits.first and limits.again:
        return " All of these results are within the limits."
    if limits.first:
        return " The first result is within the limits and a later one is not."
    if limits.again:
        return " The first result exceeds a limit and the later ones do not."
    apart = "" if limits.change else ", and differ from each other by more than a limit"
    return f" The first result and a later one exceed a limit{apart}."


def _of_chance(limits: AnswerLimits | None) -> str:
    if limits and not limits.is_decisive:
        return "Differences of this size are chance on this runtime: run again before you look for a cause."
    return (
        "Either the model draws random numbers, or this backend has a fault. To tell the two apart, run pycheck trace, "
        "which also runs the artifact twice in Python."
    )


def _of_state(answer: ChangedAnswer) -> str:
    if answer.is_by_shape:
        return (
            "Predict only batches of one size in a page, or load the artifact again before a batch of a different size."
        )
    if answer.is_restored:
        return (
            "The loaded artifact keeps values between predictions, for example in an LSTM with stateful=True. Convert "
            "the model without this state, or load the artifact again before each prediction."
        )
    library = "LiteRT.js" if answer.runtime.is_litert else "TF.js"
    return (
        f"Run a different browser and a different backend: if they pass, {library} or the driver keeps values of "
        "earlier predictions. Use a backend that passes, or open the page again for each prediction."
    )


RULES: tuple[Rule, ...] = (changed_answers,)
