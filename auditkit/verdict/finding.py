"""What all tests put into their findings."""

from auditkit.evidence.values import Number, Ran
from auditkit.statistics.hypotheses import Equivalence, t_quantile

METHOD = "docs/method.md"
ONE_RUN = "one-run-against-many"
"""The section on what is said of a single unlearned run."""


def difference_number(
    difference: tuple[float, float, float],
    alpha: float,
    runs: int,
    records: int,
    what: str,
    *,
    one_run: bool = False,
) -> Number:
    """A difference of two arms' means with its interval of level 1 - 2 alpha, by Welch's t. one_run: one of the arms
    is a single run, and `welch` has predicted it from the other."""
    mean, error, df = difference
    half = t_quantile(1 - alpha, df) * error
    method, section = (
        f"difference of means over runs ({what}) on these records, Welch's t over runs",
        "differences",
    )
    if one_run:
        section = ONE_RUN
        method = (
            f"difference of one run to the mean of the others ({what}), prediction interval by Student's t"
        )
    return Number(mean, mean - half, mean + half, 1 - 2 * alpha, runs, records, method, f"{METHOD}#{section}")


def ran(
    name: str,
    question: str,
    number: Number,
    margin: float,
    test: Equivalence,
    *,
    two_sided: bool,
    needs_informative: bool,
) -> Ran:
    """A test against a margin, not yet judged: see `auditkit.verdict.judge`."""
    return Ran(
        name=name,
        question=question,
        number=number,
        margin=margin,
        two_sided=two_sided,
        p_passed=test.p_within,
        p_refuted=test.p_outside,
        p_refuted_holm=1.0,
        result="undecided",
        informative=True,
        support_needs_informative=needs_informative,
        explanation="",
    )
