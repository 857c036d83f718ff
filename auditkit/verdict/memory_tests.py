"""The tests of what is left in mind: residual memory under every query, and spared records."""

import math

from auditkit.claims.criteria import Criteria
from auditkit.core.ids import EXACT, SPARED_RECORDS, Query, question_part, residual_memory
from auditkit.evidence.numbers import ONE_RUN, incomparable, rho_number
from auditkit.evidence.schema import Finding, Number, Ran, Skipped
from auditkit.reports.method_page import METHOD
from auditkit.signals.arms import Arms
from auditkit.statistics.hypotheses import p_above, paired
from auditkit.statistics.power import POWER
from auditkit.statistics.prediction import rho_equivalence, spared_one
from auditkit.statistics.residual import Memory, memory
from auditkit.statistics.spared import spared
from auditkit.verdict.finding import equivalence_finding

NULL_GROUPS = 999
"""Divisions of the retrained runs that make the null of the spared-records test."""


def residual_finding(arms: Arms, query: Query, criteria: Criteria) -> Finding:
    """Residual memory under one kind of query, against +-margin."""
    test_id = residual_memory(query)
    question = f"Is the memory left of the forget records{question_part(query)} as small as after retraining?"
    if not all(query in arm.margins for arm in (arms.original, arms.unlearned, arms.retrained, arms.honest)):
        return Skipped(
            test_id, question, "not every compared model could be changed so and still give finite answers"
        )
    O, U, R = (arm.margins[query] for arm in (arms.original, arms.unlearned, arms.retrained))
    measured = memory(O, U, R)
    number = rho_number(measured, criteria.alpha)
    if reason := incomparable(U, R) or nothing_remembered(measured, criteria.alpha):
        return Skipped(test_id, question, reason, number)
    test = rho_equivalence(measured, criteria.residual_memory)
    return equivalence_finding(
        test_id,
        question,
        number,
        criteria.residual_memory,
        test,
        two_sided=True,
        needs_informative=True,
    )


def nothing_remembered(seen: Memory, alpha: float) -> str | None:
    """Why there is no residual memory to speak of (the power gate), None if there is."""
    p = p_above(*paired(seen.G), 0)
    if p <= alpha:
        return None
    return (
        "the original runs show no measurable memory of the forget records compared with retrained runs "
        f"(p = {p:.2f}), so there is nothing whose loss could be shown"
    )


def spared_finding(arms: Arms, criteria: Criteria, seed: int, share: float = 1.0) -> Finding:
    """Whether a few forget records were never removed.

    This test passes by finding nothing: a stricter level would make that easier. So at every look
    it passes above the whole of alpha only, and what a look spends is the chance to miss spared
    records: share x (1 - POWER).
    """
    test_id, question = SPARED_RECORDS, "Was any forget record left in?"
    O, U, R, H = (arm.margins[EXACT] for arm in (arms.original, arms.unlearned, arms.retrained, arms.honest))
    if reason := incomparable(U, R):
        return Skipped(test_id, question, reason)
    one_run = U.runs == 1
    if one_run:
        result = spared_one(O, U, R, H, parts=arms.parts, seed=seed, alpha=criteria.alpha)
        null = f"{len(result.null)} retrained runs, each in the place of the one"
    else:
        # Groups enough that the smallest p-value stands Holm's correction at the level of this
        # look, too.
        groups = math.ceil((NULL_GROUPS + 1) / share) - 1
        result = spared(O, U, R, H, parts=arms.parts, groups=groups, seed=seed, alpha=criteria.alpha)
        null = f"{groups} divisions of the retrained runs"
    if not result.visible:
        return Skipped(test_id, question, "memory is visible in no single forget record")
    seen = (
        f"had one in ten of the {result.visible} records in which memory is visible been left in, this test "
        f"would have noticed with probability {result.power:.2g}"
    )
    least = (
        f" The fewest it would notice with probability {POWER:g}: {result.fewest}." if result.fewest else ""
    )
    # One run can hardly ever see a few records: that its noise hides them is what the kind of claim
    # leaves open.
    if result.p > criteria.alpha and result.power < 1 - share * (1 - POWER) and not one_run:
        reason = (
            f"{seen}, which is too little to rely on (unlearned runs differ from retrained ones also on"
            f" records that nobody was to forget: {result.kappa:.2g} times what chance explains)"
        )
        return Skipped(test_id, question, reason)
    number = Number(
        value=result.T,
        low=None,
        high=None,
        confidence=None,
        n_runs=U.runs,
        n_records=result.visible,
        method=(
            "log likelihood ratio, spared against removed, over the records in which memory is visible: one"
            f" in ten, one in a hundred, half of a class or person; null from {null}"
        ),
        source=f"{METHOD}#{ONE_RUN}" if one_run else f"{METHOD}#spared-records",
    )
    return Ran(
        test=test_id,
        question=question,
        number=number,
        margin=None,
        two_sided=False,
        p_passed=None,
        p_refuted=result.p,
        p_refuted_holm=1.0,
        result="undecided",
        informative=True,
        support_needs_informative=True,
        explanation=f"{seen[0].upper()}{seen[1:]}.{least}",
    )
