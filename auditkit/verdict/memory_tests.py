"""The tests of what is left in mind: residual memory under every query, and spared records."""

import math

from auditkit.claims.criteria import Criteria
from auditkit.core.ids import EXACT, STRESS, VISIBLE_RECORDS, TestId, question_part
from auditkit.evidence.numbers import ONE_RUN, incomparable_arms, plain_number, rho_number
from auditkit.evidence.schema import Finding, Interval, Number, Ran, Skipped
from auditkit.reports.method_page import METHOD
from auditkit.signals.arms import Arms
from auditkit.statistics.hypotheses import p_above, paired
from auditkit.statistics.likelihood import VISIBLE, visible_records
from auditkit.statistics.margins import stacked
from auditkit.statistics.power import POWER
from auditkit.statistics.prediction import rho_equivalence, spared_one
from auditkit.statistics.residual import Memory, refuting_interval
from auditkit.statistics.spared import Spared, spared
from auditkit.verdict.finding import equivalence_finding

NULL_GROUPS = 999
"""Divisions of the retrained runs that make the null of the spared-records test."""


def residual_finding(arms: Arms, test_id: TestId, criteria: Criteria) -> Finding:
    """Residual memory under one kind of query, in one world, against +-margin."""
    query, there = test_id.query, arms.of_world(test_id.world)
    reference = "after retraining" if arms.placebo is None else "if they had never been in"
    question = f"Is there as little memory of the forget records{question_part(query)} as {reference}?"
    if test_id.world == STRESS:
        question = f"Forget records with wrong labels: {question[0].lower()}{question[1:]}"
    if there is None or not all(query in arm.margins for arm in there.judged):
        return Skipped(
            test_id, question, "not every compared model could be changed so and still give finite answers"
        )
    measured = there.memory(query)
    number = rho_number(measured, criteria.alpha)
    if reason := incomparable_arms(there, query, test_id.world) or nothing_remembered(
        measured, criteria.alpha
    ):
        return Skipped(test_id, question, reason, number)
    margin = criteria.stress_memory if test_id.world == STRESS else criteria.residual_memory
    return equivalence_finding(
        test_id,
        question,
        number,
        margin,
        rho_equivalence(measured, margin),
        two_sided=True,
        needs_informative=True,
        refuting=Interval(*refuting_interval(measured, criteria.alpha)),
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


def spared_finding(arms: Arms, test_id: TestId, criteria: Criteria, seed: int, share: float = 1.0) -> Finding:
    """Whether a few forget records were never removed, in one world.

    This test passes by finding nothing: a stricter level would make that easier. So at every look
    it passes above the whole of alpha only, and what a look spends is the chance to miss spared
    records: share x (1 - POWER).
    """
    question = "Was any forget record left in?"
    if test_id.world == STRESS:
        question = "Forget records with wrong labels: was any left in?"
    if (there := arms.of_world(test_id.world)) is None:
        return Skipped(test_id, question, "that world was not looked at")
    if reason := incomparable_arms(there, EXACT, test_id.world):
        return Skipped(test_id, question, reason)
    one_run = len(there.unlearned.accuracy) == 1
    result, null = (_spared_by_one if one_run else _spared_by_many)(there, criteria.alpha, seed, share)
    if not result.visible:
        return Skipped(test_id, question, "memory is visible in no single forget record")
    seen = (
        f"had one in ten of the {result.visible} records in which memory is visible been left in, this test "
        f"would have noticed with probability {result.power:.2g}"
    )
    # One run can hardly ever see a few records: that its noise hides them is what the kind of claim
    # leaves open.
    if result.p > criteria.alpha and result.power < 1 - share * (1 - POWER) and not one_run:
        reason = (
            f"{seen}, which is too little to rely on (unlearned runs differ from those they are compared with"
            f" also on records that nobody was to forget: {result.kappa:.2g} times what chance explains)"
        )
        return Skipped(test_id, question, reason)
    return _spared_ran(test_id, question, result, null, seen, len(there.unlearned.accuracy))


def _spared_by_one(arms: Arms, alpha: float, seed: int, share: float) -> tuple[Spared, str]:
    """The test on one unlearned run, and what its null is from."""
    del share
    O, U, R, H, P = (arm.margins[EXACT] for arm in arms.judged)
    result = spared_one(O, U, R, H, P, parts=arms.parts, seed=seed, alpha=alpha)
    return result, f"{len(result.null)} retrained runs, each in the place of the one"


def _spared_by_many(arms: Arms, alpha: float, seed: int, share: float) -> tuple[Spared, str]:
    """The test on many, with groups enough that the smallest p-value stands Holm's correction at
    the level of this look, too; and what its null is from."""
    O, U, R, H, P = (arm.margins[EXACT] for arm in arms.judged)
    groups = math.ceil((NULL_GROUPS + 1) / share) - 1
    result = spared(O, U, R, H, P, parts=arms.parts, groups=groups, seed=seed, alpha=alpha)
    return result, f"{groups} divisions of the retrained runs"


def _spared_ran(test_id: TestId, question: str, result: Spared, null: str, seen: str, runs: int) -> Ran:
    least = (
        f" The fewest it would notice with probability {POWER:g}: {result.fewest}." if result.fewest else ""
    )
    method = (
        "log likelihood ratio, spared against removed, over the records in which memory is visible: one"
        f" in ten, one in a hundred, half of a class or person; null from {null}"
    )
    section = ONE_RUN if runs == 1 else "spared-records"
    return Ran(
        test=test_id,
        question=question,
        number=Number(result.T, None, None, None, runs, result.visible, method, f"{METHOD}#{section}"),
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


def visible_finding(arms: Arms, criteria: Criteria) -> Ran:
    """Whether the influence of enough forget records can be seen at all: of the others no test
    here can say anything. It counts, and refutes nothing."""
    records = arms.original.margins[EXACT].forget.shape[1]
    counts = {"plain": visible(arms)} | ({STRESS: visible(arms.stress)} if arms.stress else {})
    best = max(counts.values())
    words = f"of {records} forget records the influence of {counts['plain']} is visible"
    if STRESS in counts:
        words += f", and of {counts[STRESS]} where they carry wrong labels"
    return Ran(
        test=VISIBLE_RECORDS,
        question="Is the influence of enough forget records visible to be judged?",
        number=plain_number(
            best / records,
            len(arms.retrained.accuracy),
            records,
            f"share of the records with (mean original - mean retrained) / s > {VISIBLE:g}",
            "visible-records",
        ),
        margin=criteria.visible,
        two_sided=False,
        p_passed=0.0 if best >= criteria.visible * records else 1.0,
        p_refuted=1.0,
        p_refuted_holm=1.0,
        result="undecided",
        informative=True,
        support_needs_informative=False,
        explanation=f"{words[0].upper()}{words[1:]}.",
    )


def visible(arms: Arms) -> int:
    """How many forget records original runs show a memory of that is visible against all retrained
    ones."""
    O, R, H = (arm.margins[EXACT] for arm in (arms.original, arms.retrained, arms.honest))
    return len(visible_records(O, stacked(R, H)))
