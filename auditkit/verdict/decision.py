"""From tests to an answer.

supported      every required test passed, those that must be were informative, every control was
right not_supported  some test is refuted (Holm over all of them), every control was right
inconclusive   anything else

A result is never read by itself: a test that the no-op control passes too cannot support, and if a
control with a known answer comes out wrong it is the audit that has failed, not the claim.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from auditkit.claims.claim import Criteria
from auditkit.claims.required import PRIVACY_TEST
from auditkit.evidence.schema import (
    Control,
    Finding,
    Look,
    Outcome,
    Ran,
    Result,
    Skipped,
    Verdict,
)
from auditkit.statistics.arms import Arm, Arms
from auditkit.statistics.hypotheses import holm
from auditkit.verdict.required import required_findings
from auditkit.verdict.runs_needed import with_outlook

NOT_REFUTED: tuple[Outcome, ...] = ("supported", "inconclusive")
REFUTED: tuple[Outcome, ...] = ("not_supported",)
EXPECTED = {NOT_REFUTED: "not refuted", REFUTED: "not supported"}
WORDS: dict[Outcome, str] = {
    "supported": "supported",
    "not_supported": "not supported",
    "inconclusive": "inconclusive",
}
HONEST = "more runs retrained from scratch, passed off as the unlearned ones"
NOOP = "the original runs as they are, passed off as the unlearned ones"
SHUFFLED = "the labels unlearned and retrained exchanged in half of the runs"


def decide(
    arms: Arms,
    criteria: Criteria,
    test_records: int,
    seed: int,
    besides: Sequence[Finding] = (),
    share: float = 1.0,
) -> tuple[list[Finding], list[Control], Verdict]:
    """Decide the claim, and the same for three arms whose answer is known.

    test_records: how many test records there are; seed: of the null of the spared-records test and
    of the shuffled control. besides: required tests of something else than the arms, not yet
    judged. share: of alpha, that this look spends; 1 where it is the only one.
    """

    def found(case: Arms) -> list[Finding]:
        return required_findings(case, criteria, test_records, seed, share)

    honest, noop = _of_known(
        arms.original,
        arms.retrained,
        arms.honest,
        tuple(sorted(arms.skipped.items())),
        tuple(tuple(part.tolist()) for part in arms.parts),
        criteria,
        test_records,
        seed,
        share,
    )
    findings = judge([*found(arms), *besides], noop, criteria.alpha, share)
    known = (
        ("honest retrain", HONEST, honest, NOT_REFUTED),
        ("no-op", NOOP, noop, REFUTED),
        ("shuffled labels", SHUFFLED, found(arms.shuffled(seed)), NOT_REFUTED),
    )
    controls = [
        control(name, meaning, judge(case, noop, criteria.alpha, share), right)
        for name, meaning, case, right in known
    ]
    return findings, controls, verdict(findings, controls, criteria, share)


@lru_cache(maxsize=2)  # claims on the same runs have these controls in common
def _of_known(
    original: Arm,
    retrained: Arm,
    honest: Arm,
    skipped: tuple[tuple[str, str], ...],
    parts: tuple[tuple[int, ...], ...],
    criteria: Criteria,
    test_records: int,
    seed: int,
    share: float,
) -> tuple[list[Finding], list[Finding]]:
    """The findings of the honest arm and of the original one in the place of the unlearned; see
    `decide`."""
    arms = Arms(original, honest, retrained, honest, dict(skipped), [np.array(part) for part in parts])
    return (
        required_findings(arms, criteria, test_records, seed, share),
        required_findings(arms.claiming(original), criteria, test_records, seed, share),
    )


def with_diverged(
    decision: tuple[list[Finding], list[Control], Verdict], diverged: Sequence[str]
) -> tuple[list[Finding], list[Control], Verdict]:
    """The decision, but inconclusive where runs diverged: those left may be like each other for no
    better reason than that the others are gone. diverged: in words, each with its seed."""
    findings, controls, decided = decision
    if not diverged:
        return decision
    which = (
        f"Answers that are not finite numbers: {', '.join(diverged)}. Their numbers are left out of every"
        " arm."
    )
    sentence = f"Inconclusive: {len(diverged)} run(s) diverged, so this audit decides nothing."
    reasons = (which, *decided.reasons)
    verdict = Verdict("inconclusive", sentence, reasons, decided.margin, decided.confidence, None)
    return findings, controls, verdict


def record_look(decision: tuple[list[Finding], list[Control], Verdict], runs: int, level: float) -> Look:
    """What is kept of the decision at a look. runs: an arm; level: of its tests."""
    _, controls, decided = decision
    return Look(runs, level, decided.outcome, tuple(c.name for c in controls if not c.passed))


def control(name: str, meaning: str, findings: Sequence[Finding], right: tuple[Outcome, ...]) -> Control:
    """A case whose answer is known: was the audit right about it? findings: judged."""
    outcome = conclude(findings)
    exact = next(f for f in findings if f.name == "residual memory, exact")
    return Control(
        name=name,
        meaning=meaning,
        expected=EXPECTED[right],
        found=WORDS[outcome],
        outcome=outcome,
        rho=exact.number if isinstance(exact, Ran) else None,
        passed=outcome in right,
    )


def judge(
    findings: Sequence[Finding], noop: Sequence[Finding], alpha: float, share: float = 1.0
) -> list[Finding]:
    """The findings with their results: Holm-adjusted, and informative unless the no-op passes too.

    noop: the same tests on the no-op control, which passes by the whole of alpha at every look: a
    stricter level would make a test informative for no better reason than being strict. share: of
    alpha, that this look spends.
    """
    ran = [f for f in findings if isinstance(f, Ran)]
    adjusted = holm({f.name: f.p_refuted for f in ran})
    passed_by_noop = {f.name for f in noop if isinstance(f, Ran) and passes(f, alpha)}

    def judged(f: Finding) -> Finding:
        if isinstance(f, Skipped):
            return f
        refuted = adjusted[f.name] <= share * alpha
        result: Result = "refuted" if refuted else "passed" if passes(f, alpha, share) else "undecided"
        return replace(
            f,
            result=result,
            p_refuted_holm=adjusted[f.name],
            informative=f.informative and f.name not in passed_by_noop,
        )

    return [judged(f) for f in findings]


def passes(finding: Ran, alpha: float, share: float = 1.0) -> bool:
    """Whether a test speaks for the claim: it shows at level share x alpha that the truth lies
    within the margin, or, for a test without a margin, does not find what it looks for even at
    level alpha."""
    return finding.p_passed <= share * alpha if finding.p_passed is not None else finding.p_refuted > alpha


def conclude(findings: Sequence[Finding]) -> Outcome:
    """The outcome of judged findings by themselves, controls apart."""
    if any(isinstance(f, Ran) and f.result == "refuted" for f in findings):
        return "not_supported"
    return "inconclusive" if any(blocking_reason(f) for f in findings) else "supported"


def blocking_reason(finding: Finding) -> str | None:
    """Why a finding that refutes nothing stands in the way of support; None if it does not."""
    if isinstance(finding, Skipped):
        return f"{finding.name}: not decided, because {finding.reason}."
    if finding.name == PRIVACY_TEST and finding.result == "undecided":
        return (
            f"{finding.name}: {format_number(finding)} refutes nothing, and a lower bound of epsilon can"
            " never support a claim."
        )
    if finding.result == "undecided" and finding.margin is None:
        return (
            f"{finding.name}: {format_number(finding)} is suspicious (p = {finding.p_refuted:.2g}) but"
            " refutes nothing."
        )
    if finding.result == "undecided":
        return (
            f"{finding.name}: {format_number(finding)} does not settle on which side of the margin the truth"
            " lies."
        )
    if finding.support_needs_informative and not finding.informative:
        return (
            f"{finding.name}: passed, but so does a model from which nothing was removed, so it shows"
            " nothing."
        )
    return None


def format_number(finding: Ran) -> str:
    """The finding's number, interval and margin in words."""
    n = finding.number
    value = "no value" if n.value is None else f"{n.value:.3g}"
    interval = "" if n.low is None or n.high is None else f" ({n.low:.3g} to {n.high:.3g})"
    sides = "±" if finding.two_sided else ""
    margin = "" if finding.margin is None else f" against a margin of {sides}{finding.margin:g}"
    return value + interval + margin


def verdict(
    findings: Sequence[Finding], controls: Sequence[Control], criteria: Criteria, share: float = 1.0
) -> Verdict:
    """The answer, with its reasons in sentences. share: of alpha, that the findings were judged
    by."""
    outcome = conclude(findings)
    failed = [c for c in controls if not c.passed]
    if failed:
        outcome = "inconclusive"
    refuted = [f.name for f in findings if isinstance(f, Ran) and f.result == "refuted"]
    rho = next(f for f in findings if f.name == "residual memory, exact")
    headline = f"residual memory {format_number(rho)}" if isinstance(rho, Ran) else rho.reason
    sentences = {
        "supported": (
            "Supported: on every required test the unlearned runs are like runs retrained without the "
            f"forget records, {headline}."
        ),
        "not_supported": (
            "Not supported: the unlearned runs are not like runs retrained without the forget records."
        ),
        "inconclusive": "Inconclusive: this audit can neither support nor refute the claim.",
    }
    if refuted == [PRIVACY_TEST]:
        sentences["not_supported"] = (
            "Not supported: training gives away more than the claimed epsilon allows."
        )
    if isinstance(rho, Skipped):
        sentences["inconclusive"] = f"Inconclusive: {rho.reason}."
    elif failed:
        sentences["inconclusive"] = "Inconclusive: the audit itself failed a control, so it decides nothing."
    decided = Verdict(
        outcome=outcome,
        sentence=sentences[outcome],
        reasons=tuple(_reasons(findings, failed)),
        margin=criteria.residual_memory,
        confidence=1 - criteria.alpha,
        runs_needed=None,
    )
    if outcome != "inconclusive":
        return decided
    obstacles = [f for f in findings if blocking_reason(f)]
    return with_outlook(decided, obstacles, len(findings), failed, criteria, share)


def _reasons(findings: Sequence[Finding], failed: Sequence[Control]) -> list[str]:
    reasons = [f"Control {c.name}: expected {c.expected}, found {c.found}. The audit failed." for c in failed]
    reasons += [
        f"{f.name}: {format_number(f)} is refuted (p = {f.p_refuted_holm:.2g} after Holm's correction)."
        for f in findings
        if isinstance(f, Ran) and f.result == "refuted"
    ]
    reasons += [why for f in findings if (why := blocking_reason(f))]
    return reasons or ["Every required test passed, and every control came out as it must."]
