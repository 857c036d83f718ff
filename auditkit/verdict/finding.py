"""What all tests put into their findings."""

from auditkit.core.ids import TestId
from auditkit.evidence.schema import Interval, Number, Ran
from auditkit.statistics.hypotheses import Equivalence


def equivalence_finding(
    test_id: TestId,
    question: str,
    number: Number,
    margin: float,
    test: Equivalence,
    *,
    two_sided: bool,
    needs_informative: bool,
    refuting: Interval | None = None,
) -> Ran:
    """A test against a margin, not yet judged: see `auditkit.verdict.decide`."""
    return Ran(
        test=test_id,
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
        refuting=refuting,
    )
