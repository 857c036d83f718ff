"""From tests to an answer.

supported      every required test passed, those that must be were informative, every control was
               right
not_supported  some test is refuted (Holm over all of them), every control was right
inconclusive   anything else

A result is never read by itself: a test that the no-op control passes too cannot support, and if a
control with a known answer comes out wrong it is the audit that has failed, not the claim.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import assert_never

import numpy as np

from auditkit.claims.criteria import Criteria
from auditkit.core.ids import DIFFERENTIAL_PRIVACY, EXACT, residual_memory
from auditkit.evidence.schema import (
    Control,
    Decision,
    Finding,
    Findings,
    Look,
    Outcome,
    Ran,
    Skipped,
    Verdict,
)
from auditkit.signals.arms import Arm, Arms
from auditkit.statistics.sequential import Level
from auditkit.verdict.judging import (
    blocking_findings,
    blocking_reason,
    conclude,
    format_number,
    informative_nowhere,
    judge,
    refuted_tests,
)
from auditkit.verdict.required_findings import Terms, findings_by
from auditkit.verdict.runs_needed import with_outlook

NOT_REFUTED: tuple[Outcome, ...] = ("supported", "inconclusive")
REFUTED: tuple[Outcome, ...] = ("not_supported",)
EXPECTED = {NOT_REFUTED: "not refuted", REFUTED: "not supported"}
WORDS: dict[Outcome, str] = {
    "supported": "supported",
    "not_supported": "not supported",
    "inconclusive": "inconclusive",
}
RHO = residual_memory(EXACT)
"""The test whose number heads a report."""
HONEST_MEANING = "more runs retrained from scratch, passed off as the unlearned ones"
NOOP_MEANING = "the original runs as they are, passed off as the unlearned ones"
SHUFFLED_MEANING = "the labels unlearned and retrained exchanged in half of the runs"


def decide(
    arms: Arms,
    criteria: Criteria,
    test_records: int,
    seed: int,
    other_findings: Sequence[Finding] = (),
    share: float = 1.0,
) -> Decision:
    """Decide the claim, and the same for three arms whose answer is known.

    Args:
        arms: what is judged, run by run.
        criteria: margins and level of every test.
        test_records: how many test records the accuracies are over.
        seed: of the null of the spared-records test and of the shuffled control.
        other_findings: of required tests that do not compare arms, not yet judged.
        share: of alpha, that this look spends; 1 where it is the only one.
    """
    terms, level = Terms(criteria, test_records, seed, share), Level(criteria.alpha, share)
    parts = tuple(tuple(part.tolist()) for part in arms.parts)
    known = arms.original, arms.retrained, arms.honest
    honest, noop = _known_findings(*known, tuple(sorted(arms.skipped.items())), parts, terms)
    passed_by_noop = informative_nowhere(noop, level)

    def judged(findings: Findings) -> Findings:
        return judge(findings, passed_by_noop, level)

    findings = judged({**findings_by(terms, arms), **{finding.test: finding for finding in other_findings}})
    shuffled = findings_by(terms, arms.shuffled(seed))
    controls = (
        control("honest retrain", HONEST_MEANING, judged(honest), NOT_REFUTED),
        control("no-op", NOOP_MEANING, judged(noop), REFUTED),
        control("shuffled labels", SHUFFLED_MEANING, judged(shuffled), NOT_REFUTED),
    )
    return Decision(findings, controls, verdict(findings, controls, criteria, share))


@lru_cache(maxsize=2)  # claims on the same runs have these controls in common
def _known_findings(
    original: Arm,
    retrained: Arm,
    honest: Arm,
    skipped: tuple[tuple[str, str], ...],
    parts: tuple[tuple[int, ...], ...],
    terms: Terms,
) -> tuple[Findings, Findings]:
    """The findings of the honest arm and of the original one in the place of the unlearned."""
    arms = Arms(original, honest, retrained, honest, dict(skipped), [np.array(part) for part in parts])
    return findings_by(terms, arms), findings_by(terms, arms.claiming(original))


def with_diverged(decision: Decision, diverged: Sequence[str]) -> Decision:
    """The decision, but inconclusive where runs diverged: those left may be like each other for no
    better reason than that the others are gone. diverged: in words, each with its seed."""
    if not diverged:
        return decision
    decided = decision.verdict
    which = (
        f"Answers that are not finite numbers: {', '.join(diverged)}. Their numbers are left out of every"
        " arm."
    )
    sentence = f"Inconclusive: {len(diverged)} run(s) diverged, so this audit decides nothing."
    reasons = (which, *decided.reasons)
    verdict = Verdict("inconclusive", sentence, reasons, decided.margin, decided.confidence, None)
    return replace(decision, verdict=verdict)


def record_look(decision: Decision, runs: int, level: float) -> Look:
    """What is kept of the decision at a look. runs: an arm; level: of its tests."""
    failed = tuple(control.name for control in decision.controls if not control.passed)
    return Look(runs, level, decision.verdict.outcome, failed)


def control(name: str, meaning: str, findings: Findings, right: tuple[Outcome, ...]) -> Control:
    """A case whose answer is known: was the audit right about it? findings: judged."""
    outcome, rho = conclude(findings), findings[RHO]
    return Control(
        name=name,
        meaning=meaning,
        expected=EXPECTED[right],
        found=WORDS[outcome],
        outcome=outcome,
        rho=rho.number,
        passed=outcome in right,
    )


def verdict(
    findings: Findings, controls: Sequence[Control], criteria: Criteria, share: float = 1.0
) -> Verdict:
    """The answer, with its reasons in sentences. share: of alpha, that the findings were judged
    by."""
    failed = [c for c in controls if not c.passed]
    outcome = "inconclusive" if failed else conclude(findings)
    decided = Verdict(
        outcome=outcome,
        sentence=_sentence(outcome, findings, failed),
        reasons=tuple(_reasons(findings, failed)),
        margin=criteria.residual_memory,
        confidence=1 - criteria.alpha,
        runs_needed=None,
    )
    if outcome != "inconclusive":
        return decided
    return with_outlook(decided, blocking_findings(findings), len(findings), failed, criteria, share)


def _sentence(outcome: Outcome, findings: Findings, failed: Sequence[Control]) -> str:
    """The answer in one sentence."""
    rho = findings[RHO]
    match outcome:
        case "supported":
            headline = f"residual memory {format_number(rho)}" if isinstance(rho, Ran) else rho.reason
            return (
                "Supported: on every required test the unlearned runs are like runs retrained without the "
                f"forget records, {headline}."
            )
        case "not_supported":
            if refuted_tests(findings) == [DIFFERENTIAL_PRIVACY]:
                return "Not supported: training gives away more than the claimed epsilon allows."
            return "Not supported: the unlearned runs are not like runs retrained without the forget records."
        case "inconclusive":
            if isinstance(rho, Skipped):
                return f"Inconclusive: {rho.reason}."
            if failed:
                return "Inconclusive: the audit itself failed a control, so it decides nothing."
            return "Inconclusive: this audit can neither support nor refute the claim."
        case _:
            assert_never(outcome)


def _reasons(findings: Findings, failed: Sequence[Control]) -> list[str]:
    reasons = [f"Control {c.name}: expected {c.expected}, found {c.found}. The audit failed." for c in failed]
    reasons += [
        f"{f.test}: {format_number(f)} is refuted (p = {f.p_refuted_holm:.2g} after Holm's correction)."
        for f in findings.values()
        if isinstance(f, Ran) and f.result == "refuted"
    ]
    reasons += [why for f in findings.values() if (why := blocking_reason(f))]
    return reasons or ["Every required test passed, and every control came out as it must."]
