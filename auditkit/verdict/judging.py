"""What findings come to: which are passed, which refute, and which stand in the way of support."""

from collections.abc import Collection
from dataclasses import replace

from auditkit.core.ids import DIFFERENTIAL_PRIVACY, TEST_ACCURACY, VISIBLE_RECORDS, TestId
from auditkit.evidence.schema import Finding, Findings, Interval, Outcome, Ran, Result, Skipped
from auditkit.statistics.hypotheses import holm
from auditkit.statistics.sequential import Level


def informative_nowhere(noop: Findings, level: Level) -> frozenset[TestId]:
    """The tests that the no-op control passes too. It passes by the whole of alpha at every look: a
    stricter level would make a test informative for no better reason than being strict."""
    whole = Level(level.alpha)
    return frozenset(test for test, f in noop.items() if isinstance(f, Ran) and passes(f, whole))


def judge(findings: Findings, passed_by_noop: Collection[TestId], level: Level, family: int = 0) -> Findings:
    """The findings with their results: Holm-adjusted, and informative unless the no-op passes too.

    Args:
        findings: of `required_findings`.
        passed_by_noop: the tests that show nothing, see `informative_nowhere`.
        level: of this look.
        family: how many tests Holm's correction is over, where that is more than there are here.
    """
    adjusted = holm({test: f.p_refuted for test, f in findings.items() if isinstance(f, Ran)}, family)

    def judged(test: TestId, f: Ran) -> Ran:
        refuted = adjusted[test] <= level.spent
        result: Result = "refuted" if refuted else "passed" if passes(f, level) else "undecided"
        informative = f.informative and test not in passed_by_noop
        return replace(f, result=result, p_refuted_holm=adjusted[test], informative=informative)

    return {test: judged(test, f) if isinstance(f, Ran) else f for test, f in findings.items()}


def passes(finding: Ran, level: Level) -> bool:
    """Whether a test speaks for the claim: it shows at the level of the look that the truth lies
    within the margin, or, for a test without a margin, does not find what it looks for even at the
    whole of alpha."""
    if finding.p_passed is None:
        return finding.p_refuted > level.alpha
    return finding.p_passed <= level.spent


def conclude(findings: Findings) -> Outcome:
    """The outcome of judged findings by themselves, controls apart."""
    if refuted_tests(findings):
        return "not_supported"
    return "inconclusive" if blocking_findings(findings) else "supported"


def refuted_tests(findings: Findings) -> list[TestId]:
    """The tests that refute the claim."""
    return [test for test, f in findings.items() if isinstance(f, Ran) and f.result == "refuted"]


def blocking_findings(findings: Findings) -> list[Finding]:
    """The findings that refute nothing and yet stand in the way of support."""
    return [f for f in findings.values() if blocking_reason(f)]


def blocking_reason(finding: Finding) -> str | None:
    """Why a finding that refutes nothing stands in the way of support; None if it does not."""
    if isinstance(finding, Skipped):
        return f"{finding.test}: not decided, because {finding.reason}."
    if finding.test == DIFFERENTIAL_PRIVACY and finding.result == "undecided":
        return (
            f"{finding.test}: {format_number(finding)} refutes nothing, and a lower bound of epsilon can"
            " never support a claim."
        )
    if finding.test == VISIBLE_RECORDS and finding.result == "undecided":
        return (
            f"{finding.test}: {finding.explanation[0].lower()}{finding.explanation[1:-1]}, fewer than the"
            f" {finding.margin:.0%} that support takes; of the others nothing can be said."
        )
    if finding.result == "undecided" and finding.margin is None:
        return (
            f"{finding.test}: {format_number(finding)} is suspicious (p = {finding.p_refuted:.2g}) but"
            " refutes nothing."
        )
    if finding.result == "undecided":
        return f"{finding.test}: {format_number(finding)} {undecided_because(finding)}."
    if finding.support_needs_informative and not finding.informative:
        return (
            f"{finding.test}: passed, but so does a model from which nothing was removed, so it shows"
            " nothing."
        )
    return None


def undecided_because(finding: Ran) -> str:
    """What left a test against a margin undecided, and what would help, in words that follow its
    number."""
    n, margin = finding.number, finding.margin
    if margin is None or n.low is None or n.high is None:
        return "does not settle on which side of the margin the truth lies"
    if not _outside(Interval(n.low, n.high), margin, two_sided=finding.two_sided):
        more = "more runs" + (" or more test records" if finding.test == TEST_ACCURACY else "")
        return f"reaches across the margin: the noise between runs leaves it open, and {more} would narrow it"
    wider = finding.refuting
    if wider and not _outside(wider, margin, two_sided=finding.two_sided):
        return (
            "lies outside the margin for these records, but other records need not show it: over runs and"
            f" records it is {wider.low:.3g} to {wider.high:.3g}; more forget and control records would"
            " narrow that, more runs hardly"
        )
    return (
        f"lies outside the margin, but not far enough to refute (p = {finding.p_refuted:.2g}, and"
        f" {finding.p_refuted_holm:.2g} after Holm's correction); more runs would decide it"
    )


def _outside(interval: Interval, margin: float, *, two_sided: bool) -> bool:
    """Whether an interval lies wholly beyond the margin."""
    return interval.low > margin or (two_sided and interval.high < -margin)


def format_number(finding: Ran) -> str:
    """The finding's number, interval and margin in words."""
    n = finding.number
    value = "no value" if n.value is None else f"{n.value:.3g}"
    interval = "" if n.low is None or n.high is None else f" ({n.low:.3g} to {n.high:.3g})"
    sides = "±" if finding.two_sided else ""
    margin = "" if finding.margin is None else f" against a margin of {sides}{finding.margin:g}"
    return value + interval + margin
