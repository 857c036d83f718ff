"""The words of a verdict: its sentence, and its reasons."""

from collections.abc import Sequence
from typing import assert_never

from auditkit.core.ids import DIFFERENTIAL_PRIVACY, STRESS, VISIBLE_RECORDS, TestId
from auditkit.evidence.schema import Control, Findings, Number, Outcome, Ran, Skipped
from auditkit.statistics.hypotheses import holm, p_above, t_quantile
from auditkit.verdict.controls import RHO
from auditkit.verdict.judging import blocking_reason, format_number, refuted_tests


def sentence(outcome: Outcome, findings: Findings, failed: Sequence[Control], level: float) -> str:
    """The answer in a sentence or two. level: of the tests."""
    rho = findings[RHO]
    match outcome:
        case "supported":
            return _supported(findings, level)
        case "not_supported":
            if refuted_tests(findings) == [DIFFERENTIAL_PRIVACY]:
                return "Not supported: training gives away more than the claimed epsilon allows."
            return (
                "Not supported: the unlearned runs are not like runs in which the forget records had never"
                " been."
            )
        case "inconclusive":
            if isinstance(rho, Skipped):
                return f"Inconclusive: {rho.reason}."
            if failed:
                return "Inconclusive: the audit itself failed a control, so it decides nothing."
            return "Inconclusive: this audit can neither support nor refute the claim."
        case _:
            assert_never(outcome)


def _supported(findings: Findings, level: float) -> str:
    """What is supported, of how many records, and how much memory may be left."""
    rho = findings[RHO]
    headline = f"residual memory {format_number(rho)}" if isinstance(rho, Ran) else rho.reason
    left = " Some memory is left, within the margin." if left_within(findings, level) else ""
    of, rest = visible_words(findings)
    return (
        f"Supported{of}: on every required test the unlearned runs are like runs in which the forget records"
        f" had never been, {headline}.{left}{rest}"
    )


def visible_words(findings: Findings) -> tuple[str, str]:
    """Of which records a verdict speaks, and what is to be said of the rest: two parts of a
    sentence, empty where it speaks of all."""
    seen = findings.get(VISIBLE_RECORDS)
    if not isinstance(seen, Ran) or seen.number.value is None:
        return "", ""
    records = seen.number.n_records
    visible = round(seen.number.value * records)
    if visible == records:
        return "", ""
    stress = any(test.world == STRESS for test in findings)
    where = " when they carry wrong labels" if stress else ""
    return (
        f" for the {visible} of {records} forget records whose influence is visible{where}",
        f" Of the other {records - visible} nothing can be said.",
    )


def left_within(findings: Findings, level: float) -> list[TestId]:
    """The passed tests of residual memory that show some memory all the same: little is left, but
    not none. By Holm over them at this level, as one of many intervals lies above zero by
    chance."""
    passed = {
        test: p_positive(f.number)
        for test, f in findings.items()
        if isinstance(f, Ran) and test.kind == RHO.kind and f.result == "passed"
    }
    return [test for test, p in holm(passed).items() if p <= level]


def p_positive(number: Number) -> float:
    """One-sided p-value for "the true value is above 0", from a number's interval over runs."""
    if number.value is None or number.low is None or number.high is None or number.confidence is None:
        return 1.0
    df = number.n_runs - 1.0
    half = (number.high - number.low) / 2
    error = half / t_quantile(1 - (1 - number.confidence) / 2, df)
    return p_above(number.value, error, df, 0)


def reasons(findings: Findings, failed: Sequence[Control], level: float) -> list[str]:
    """Why, one sentence each. level: of the tests."""
    why = [f"Control {c.name}: expected {c.expected}, found {c.found}. The audit failed." for c in failed]
    why += [
        f"{f.test}: {format_number(f)} is refuted (p = {f.p_refuted_holm:.2g} after Holm's correction)."
        for f in findings.values()
        if isinstance(f, Ran) and f.result == "refuted"
    ]
    if refuted_tests(findings):  # what else stands in the way of support is of no account then
        return why
    why += [reason for f in findings.values() if (reason := blocking_reason(f))]
    why = why or ["Every required test passed, and every control came out as it must."]
    return why + [
        f"{test}: {format_number(f)}: within the margin, and yet more than none."
        for test in left_within(findings, level)
        if isinstance(f := findings[test], Ran)
    ]
