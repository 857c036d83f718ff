"""The verdict on one run: a released checkpoint, or the answers of one model.

The required tests are those of a procedure, with prediction intervals in the place of confidence
intervals (`auditkit.statistics.prediction`). The controls put runs whose answer is known into the
checkpoint's place, one after the other, each by the same code: a single one of them comes out wrong
now and then, so it is their share that must be right.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from auditkit.claims.criteria import Criteria
from auditkit.core.ids import DIFFERENTIAL_PRIVACY, EXACT, TestId
from auditkit.evidence.numbers import rho_number
from auditkit.evidence.schema import (
    Control,
    Decision,
    Finding,
    Findings,
    Number,
    Outcome,
    Ran,
    Skipped,
    Verdict,
)
from auditkit.signals.arms import Arm, Arms
from auditkit.statistics.prediction import as_one_more, most_by_chance, runs_to_settle
from auditkit.statistics.residual import memory
from auditkit.statistics.sequential import Level
from auditkit.verdict.controls import RHO
from auditkit.verdict.decision import verdict
from auditkit.verdict.judging import (
    blocking_reason,
    conclude,
    format_number,
    judge,
    passes,
    refuted_tests,
)
from auditkit.verdict.required_findings import required_findings
from auditkit.verdict.sentences import visible_words

HONEST_MEANING = "each of the further retrained runs in turn, passed off as the released model"
NOOP_MEANING = "each original run in turn, passed off as the released model and left out of the originals"
EXCHANGED_MEANING = (
    "each retrained run in turn, passed off as the released model and left out of the retrained ones"
)
SENTENCES: dict[Outcome, str] = {
    "supported": (
        "Supported, as far as a single model can be,{of}: at most {margin:g} of the memory can be left,"
        " residual memory {rho}.{rest}"
    ),
    "not_supported": "Not supported: this model is not like models retrained without the forget records.",
}


def decide_single_model(
    arms: Arms, criteria: Criteria, test_records: int, seed: int, other_findings: Sequence[Finding] = ()
) -> Decision:
    """Decide a claim about one run, `arms.unlearned`, and the same for runs whose answer is known.

    Args:
        arms, criteria, test_records, seed, other_findings: as for `auditkit.verdict.decide`.
    """
    level = Level(criteria.alpha)

    def findings_of(case: Arms) -> Findings:
        return required_findings(case, criteria, test_records, seed)

    n = len(arms.retrained.accuracy)
    originals = [findings_of(_without(arms, k, arms.original)) for k in range(n)]
    uninformative = _passed_too_often(originals, level)

    def outcomes(cases: Iterable[Findings]) -> list[Outcome]:
        return [conclude(judge(findings, uninformative, level)) for findings in cases]

    honest = outcomes(
        findings_of(arms.claiming(_run(arms.honest, k))) for k in range(len(arms.honest.accuracy))
    )
    exchanged = outcomes(findings_of(_without(arms, k, arms.retrained)) for k in range(n))
    controls = (
        _seldom_refuted(
            "honest retrain", HONEST_MEANING, honest, _rho(arms, arms.honest, criteria), criteria
        ),
        _mostly_refuted("no-op", NOOP_MEANING, outcomes(originals), _rho(arms, arms.original, criteria)),
        _seldom_refuted("exchanged labels", EXCHANGED_MEANING, exchanged, None, criteria),
    )
    required = {**findings_of(arms), **{finding.test: finding for finding in other_findings}}
    findings = judge(required, uninformative, level)
    plain = as_one_more(arms.memory(EXACT))
    return Decision(findings, controls, _verdict(findings, controls, criteria, plain))


def _run(arm: Arm, k: int) -> Arm:
    return arm.take(np.array([k]))


def _without(arms: Arms, k: int, arm: Arm) -> Arms:
    """The audit of run k of an arm, which is left out of the originals and of the retrained
    runs."""
    others = np.delete(np.arange(len(arms.retrained.accuracy)), k)
    return replace(
        arms,
        original=arms.original.take(others),
        unlearned=_run(arm, k),
        retrained=arms.retrained.take(others),
        placebo=None,
    )


def _passed_too_often(originals: Sequence[Findings], level: Level) -> frozenset[TestId]:
    """The tests that more original runs pass than a test at this level may let through."""
    times = Counter(
        test
        for findings in originals
        for test, f in findings.items()
        if isinstance(f, Ran) and passes(f, level)
    )
    return frozenset(test for test, n in times.items() if n > level.alpha * len(originals))


def _seldom_refuted(
    name: str, meaning: str, outcomes: Sequence[Outcome], rho: Number | None, criteria: Criteria
) -> Control:
    """A control whose runs are honest: as many may be refuted as the level allows by chance."""
    most, n, wrong = (
        most_by_chance(len(outcomes), criteria.alpha),
        len(outcomes),
        outcomes.count("not_supported"),
    )
    found = f"{wrong} of {n} refuted, {outcomes.count('supported')} supported"
    outcome: Outcome = "inconclusive" if wrong <= most else "not_supported"
    return Control(name, meaning, f"at most {most} of {n} refuted", found, outcome, rho, wrong <= most)


def _mostly_refuted(name: str, meaning: str, outcomes: Sequence[Outcome], rho: Number | None) -> Control:
    """A control whose runs forgot nothing: at least half must be refuted, and none supported."""
    n, right, wrong = len(outcomes), outcomes.count("not_supported"), outcomes.count("supported")
    least = -(-n // 2)
    found = f"{right} of {n} refuted, {wrong} supported"
    passed = right >= least and not wrong
    outcome: Outcome = "not_supported" if passed else "inconclusive"
    return Control(
        name, meaning, f"at least {least} of {n} refuted, 0 supported", found, outcome, rho, passed
    )


def _rho(arms: Arms, arm: Arm, criteria: Criteria) -> Number:
    """Residual memory of a whole arm of runs."""
    O, U, R = (a.margins[EXACT] for a in (arms.original, arm, arms.retrained))
    return rho_number(memory(O, U, R), criteria.alpha)


def _plain_test(p: float) -> str:
    """The plain prediction test in words."""
    return (
        "Beside the margin, as one model among others: one more of those it is compared with would lie as far"
        f" out or further with probability {p:.2g}."
    )


def _verdict(
    findings: Findings, controls: Sequence[Control], criteria: Criteria, as_retrained: float
) -> Verdict:
    """The answer, in words that claim no more than one run can show. as_retrained: of the plain
    prediction test."""
    decided, rho = verdict(findings, controls, criteria), findings[RHO]
    sentence = SENTENCES.get(decided.outcome, decided.sentence)
    if refuted_tests(findings) == [DIFFERENTIAL_PRIVACY]:
        sentence = decided.sentence
    if isinstance(rho, Ran):
        of, rest = visible_words(findings)
        said = {
            "of": of or " of all forget records",
            "rest": rest,
            "margin": criteria.residual_memory,
            "rho": format_number(rho),
        }
        sentence = sentence.format(**said)
    decided = replace(decided, reasons=(*decided.reasons, _plain_test(as_retrained)))
    open_yet = decided.outcome == "inconclusive" and all(c.passed for c in controls)
    decided = replace(decided, sentence=sentence, runs_needed=None, further_runs=None, outlook="")
    return _with_outlook(decided, findings, criteria) if open_yet else decided


def _with_outlook(decided: Verdict, findings: Findings, criteria: Criteria) -> Verdict:
    """What would settle it: retrained runs, as far as their noise and not that of the one run is in
    the way."""
    runs = _runs_needed(findings, criteria)
    if runs is None:
        return replace(
            decided,
            outlook=(
                "No number of retrained runs can be promised to decide it: the noise of the one model stays."
            ),
        )
    further = runs - max(f.number.n_runs for f in findings.values() if isinstance(f, Ran))
    words = (
        f"It would take about {runs} runs an arm to decide, {further} further ones, if the truth is what it"
        " now seems."
    )
    return replace(decided, runs_needed=runs, further_runs=further, outlook=words)


def _runs_needed(findings: Findings, criteria: Criteria) -> int | None:
    """The runs an arm with which every undecided test would pass if the value found is the true
    one; None where no number of retrained runs would do, as the noise of the one run stays."""
    needed = []
    for f in findings.values():
        if not blocking_reason(f):
            continue
        if isinstance(f, Skipped) or f.result != "undecided" or f.margin is None:
            return None
        n = f.number
        if n.value is None or n.low is None or n.high is None:
            return None
        value = abs(n.value) if f.two_sided else n.value
        needed.append(runs_to_settle(value, (n.high - n.low) / 2, n.n_runs, f.margin, criteria.alpha))
    found = [runs for runs in needed if runs is not None]
    return max(found) if found and len(found) == len(needed) else None
