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

from auditkit.claims.criteria import Criteria
from auditkit.claims.required import required_tests
from auditkit.core.ids import VISIBLE_RECORDS
from auditkit.evidence.schema import (
    Control,
    Decision,
    Finding,
    Findings,
    Look,
    Verdict,
)
from auditkit.signals.arms import Arms
from auditkit.statistics.sequential import Level
from auditkit.verdict.controls import known_findings, made_controls, of_memory
from auditkit.verdict.judging import (
    blocking_findings,
    conclude,
    informative_nowhere,
    judge,
    refuted_tests,
)
from auditkit.verdict.required_findings import Terms, findings_by
from auditkit.verdict.runs_needed import with_outlook
from auditkit.verdict.sentences import reasons, sentence


def decide(
    arms: Arms,
    criteria: Criteria,
    test_records: int,
    seed: int,
    other_findings: Sequence[Finding] = (),
    share: float = 1.0,
) -> Decision:
    """Decide the claim, and the same for arms whose answer is known.

    Args:
        arms: what is judged, run by run.
        criteria: margins and level of every test.
        test_records: how many test records the accuracies are over.
        seed: of the null of the spared-records test and of the control with exchanged labels.
        other_findings: of required tests that do not compare arms, not yet judged.
        share: of alpha, that this look spends; 1 where it is the only one.
    """
    terms, level = Terms(criteria, test_records, seed, share), Level(criteria.alpha, share)
    honest, noop = known_findings(arms, terms)
    passed_by_noop = informative_nowhere(noop, level)
    required = {**findings_by(terms, arms), **{finding.test: finding for finding in other_findings}}
    # Whether the stress world is looked at hangs on how the plain one came out: Holm's correction
    # is over the tests of both from the first look on.
    family = len(required_tests(criteria, stress=arms.placebo is not None)) + len(other_findings)
    findings = judge(required, passed_by_noop, level, family)

    def judged(found: Findings) -> Findings:
        return judge(of_memory(found), passed_by_noop, level, family)

    controls = made_controls(arms, terms, judged, judged(honest), judged(noop))
    return Decision(findings, controls, verdict(findings, controls, criteria, share, family))


def held_up_by_visibility(decision: Decision) -> bool:
    """Whether all that stands in the way of support is that too few forget records show memory:
    the stress world may show more."""
    open_yet = [finding.test for finding in blocking_findings(decision.findings)]
    right = all(control.passed for control in decision.controls)
    return right and not refuted_tests(decision.findings) and open_yet == [VISIBLE_RECORDS]


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


def verdict(
    findings: Findings,
    controls: Sequence[Control],
    criteria: Criteria,
    share: float = 1.0,
    family: int = 0,
) -> Verdict:
    """The answer, with its reasons in sentences. share: of alpha, that the findings were judged by.
    family: how many tests Holm's correction is over, where that is more than there are."""
    failed, level = [c for c in controls if not c.passed], share * criteria.alpha
    outcome = "inconclusive" if failed else conclude(findings)
    decided = Verdict(
        outcome=outcome,
        sentence=sentence(outcome, findings, failed, level),
        reasons=tuple(reasons(findings, failed, level)),
        margin=criteria.residual_memory,
        confidence=1 - 2 * level,
        runs_needed=None,
    )
    if outcome != "inconclusive":
        return decided
    tests = max(family, len(findings))
    return with_outlook(decided, blocking_findings(findings), tests, failed, criteria, share)
