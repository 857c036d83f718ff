"""The tests that a claim must pass, each as a finding.

The tests themselves are in `auditkit.statistics`; here they are put as questions, with their numbers.
"""

import math

import numpy as np

from auditkit.attacks import ATTACKS
from auditkit.claims import Criteria
from auditkit.evidence.values import Finding, Number, PrivacySummary, Ran, Skipped
from auditkit.statistics.arms import Arm, Arms, record_error
from auditkit.statistics.hypotheses import (
    Equivalence,
    equivalence,
    not_worse,
    p_above,
    paired,
    t_quantile,
    welch,
)
from auditkit.statistics.margins import Margins, comparability
from auditkit.statistics.power import POWER
from auditkit.statistics.prediction import rho_equivalence, spared_one
from auditkit.statistics.residual import Memory, memory, rho, rho_interval
from auditkit.statistics.spared import spared

COMPARABILITY_FLOOR = 0.7
"""Below this share of the retrained runs' own agreement on control records, the unlearned runs are too
different a model for their margins to be compared."""
NULL_GROUPS = 999
"""Divisions of the retrained runs that make the null of the spared-records test."""
METHOD = "docs/method.md"
ONE_RUN = "one-run-against-many"
"""The section on what is said of a single unlearned run."""


PRIVACY_TEST = "differential privacy"
"""The name of the test of a claim of differential privacy, which is required where there is one."""


def queries(criteria: Criteria) -> list[str]:
    """How every record is asked about: as it is, near it at each radius, and of models that are reminded of others."""
    relearned = ["relearned"] if "relearned" in criteria.recoveries else []
    return ["exact", *(f"jitter {share:g}" for share in criteria.jitter), *relearned]


def required_tests(criteria: Criteria, *, private: bool = False) -> list[str]:
    """The names of the tests that support needs, in the order of `required_findings`, then that of a claim of
    differential privacy where there is one: what is locked."""
    return [
        *(f"residual memory, {query}" for query in queries(criteria)),
        "spared records",
        *(f"attack gap, {attack}" for attack in criteria.attacks),
        "test accuracy",
        *([PRIVACY_TEST] if private else []),
    ]


def required_findings(
    arms: Arms, criteria: Criteria, test_records: int, seed: int, share: float = 1.0
) -> list[Finding]:
    """Every required test on these arms. Results are not yet judged: see `auditkit.verdict.judge`.

    test_records: how many test records there are; seed: of the spared-records null. share: of alpha, that this look
    spends (see `auditkit.statistics.sequential`); 1 where it is the only one.
    """
    here = criteria.at(share)
    findings: list[Finding] = [residual_finding(arms, query, here) for query in queries(criteria)]
    findings.append(spared_finding(arms, criteria, seed, share))
    findings += [gap_finding(arms, attack, here) for attack in criteria.attacks]
    findings.append(accuracy_finding(arms, here, test_records))
    if reason := copied(arms.unlearned):
        return [Skipped(finding.name, finding.question, reason) for finding in findings]
    return findings


def copied(U: Arm) -> str | None:
    """Why the runs of an arm are not the independent runs that every test takes them for, None if they
    may be: copies answer alike whatever they are asked, while two runs may well predict the same labels."""
    answers = [part for m in U.margins.values() for part in (m.forget, m.control)]
    if len(np.unique(np.hstack([*answers, U.accuracy[:, None]]), axis=0)) == len(U.accuracy):
        return None
    return (
        "some unlearned runs answer exactly alike: they are copies of one run and not independent, or their "
        "answers are too coarse to tell runs apart"
    )


def residual_finding(arms: Arms, query: str, criteria: Criteria) -> Finding:
    """Residual memory under one kind of query, against +-margin."""
    name = f"residual memory, {query}"
    question = f"Is the memory left of the forget records{_asked(query)} as small as after retraining?"
    if not all(query in arm.margins for arm in (arms.original, arms.unlearned, arms.retrained, arms.honest)):
        return Skipped(
            name, question, "not every compared model could be changed so and still give finite answers"
        )
    O, U, R = (arm.margins[query] for arm in (arms.original, arms.unlearned, arms.retrained))
    if reason := incomparable(U, R):
        return Skipped(name, question, reason)
    seen = memory(O, U, R)
    if reason := nothing_remembered(seen, criteria.alpha):
        return Skipped(name, question, reason)
    test = rho_equivalence(seen, criteria.residual_memory)
    return _ran(
        name,
        question,
        rho_number(seen, criteria.alpha),
        criteria.residual_memory,
        test,
        two_sided=True,
        needs_informative=True,
    )


def _asked(query: str) -> str:
    """How a query asks, as part of a question."""
    if query == "exact":
        return ""
    return (
        ", one half learnt again and the other asked about,"
        if query == "relearned"
        else f", asked near them ({query}),"
    )


def incomparable(U: Margins, R: Margins) -> str | None:
    """Why the margins of the two arms cannot be compared, None if they can."""
    ratio = comparability(U, R)
    if ratio >= COMPARABILITY_FLOOR:
        return None
    return (
        f"the unlearned runs rank control records too differently from retrained runs to be compared with them "
        f"(agreement {ratio:.2f} of the retrained runs' own, floor {COMPARABILITY_FLOOR})"
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


def rho_number(seen: Memory, alpha: float) -> Number:
    """Residual memory with its interval; no value where there was nothing to remember."""
    low, high = rho_interval(seen, alpha)
    defined = np.isfinite([low, high]).all()
    return Number(
        value=rho(seen) if defined else None,
        low=low if defined else None,
        high=high if defined else None,
        confidence=1 - 2 * alpha,
        n_runs=len(seen.D),
        n_records=seen.left.shape[1],
        method="cross-fitted residual memory of one run, prediction interval against the retrained runs"
        if defined and seen.one_run
        else "cross-fitted residual memory, interval by inverting the t-test over runs"
        if defined
        else "not defined: the gap between original and retrained runs cannot be told from zero",
        source=f"{METHOD}#{ONE_RUN}" if seen.one_run else f"{METHOD}#residual-memory",
    )


def spared_finding(arms: Arms, criteria: Criteria, seed: int, share: float = 1.0) -> Finding:
    """Whether a few forget records were never removed.

    This test passes by finding nothing: a stricter level would make that easier. So at every look it passes above the
    whole of alpha only, and what a look spends is the chance to miss spared records: share x (1 - POWER).
    """
    name, question = "spared records", "Was any forget record left in?"
    O, U, R, H = (
        arm.margins["exact"] for arm in (arms.original, arms.unlearned, arms.retrained, arms.honest)
    )
    if reason := incomparable(U, R):
        return Skipped(name, question, reason)
    one_run = U.runs == 1
    if one_run:
        result = spared_one(O, U, R, H, parts=arms.parts, seed=seed, alpha=criteria.alpha)
        null = f"{len(result.null)} retrained runs, each in the place of the one"
    else:
        # Groups enough that the smallest p-value stands Holm's correction at the level of this look, too.
        groups = math.ceil((NULL_GROUPS + 1) / share) - 1
        result = spared(O, U, R, H, parts=arms.parts, groups=groups, seed=seed, alpha=criteria.alpha)
        null = f"{groups} divisions of the retrained runs"
    if not result.visible:
        return Skipped(name, question, "memory is visible in no single forget record")
    seen = (
        f"had one in ten of the {result.visible} records in which memory is visible been left in, this test "
        f"would have noticed with probability {result.power:.2g}"
    )
    least = (
        f" The fewest it would notice with probability {POWER:g}: {result.fewest}." if result.fewest else ""
    )
    # One run can hardly ever see a few records: that its noise hides them is what the kind of claim leaves open.
    if result.p > criteria.alpha and result.power < 1 - share * (1 - POWER) and not one_run:
        reason = (
            f"{seen}, which is too little to rely on (unlearned runs differ from retrained ones also on records "
            f"that nobody was to forget: {result.kappa:.2g} times what chance explains)"
        )
        return Skipped(name, question, reason)
    number = Number(
        value=result.T,
        low=None,
        high=None,
        confidence=None,
        n_runs=U.runs,
        n_records=result.visible,
        method="log likelihood ratio, spared against removed, over the records in which memory is visible: one in ten, "
        f"one in a hundred, half of a class or person; null from {null}",
        source=f"{METHOD}#{ONE_RUN}" if one_run else f"{METHOD}#spared-records",
    )
    return Ran(
        name=name,
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


def gap_finding(arms: Arms, attack: str, criteria: Criteria) -> Finding:
    """Whether an attack does on the unlearned runs what it does on retrained ones."""
    name = f"attack gap, {attack}"
    question = f"{ATTACKS[attack].title}: does it find the forget records as well as after retraining?"
    if reason := arms.skipped.get(attack):
        return Skipped(name, question, reason)
    U, R = arms.unlearned.scores[attack], arms.retrained.scores[attack]
    mean, error, df = welch(U.auc(), R.auc())
    records = U.forget.shape[1] + U.control.shape[1]
    number = difference_number(
        (mean, error, df),
        criteria.alpha,
        len(R.forget),
        records,
        "AUC, unlearned - retrained",
        one_run=len(U.forget) == 1,
    )
    # To refute, the gap must be there for other records too: a recipe that ranks single records
    # differently moves an AUC without remembering any of them.
    with_records = float(np.hypot(error, record_error(U, R)))
    test = Equivalence(
        p_within=equivalence(mean, error, df, criteria.attack_gap).p_within,
        p_outside=equivalence(mean, with_records, df, criteria.attack_gap).p_outside,
    )
    return _ran(name, question, number, criteria.attack_gap, test, two_sided=True, needs_informative=False)


def accuracy_finding(arms: Arms, criteria: Criteria, records: int) -> Finding:
    """Whether the unlearned runs are still as useful as retrained ones."""
    loss = welch(arms.retrained.accuracy, arms.unlearned.accuracy)
    return _ran(
        "test accuracy",
        "Is the test accuracy at most the margin lower than after retraining?",
        difference_number(
            loss,
            criteria.alpha,
            len(arms.retrained.accuracy),
            records,
            "test accuracy, retrained - unlearned",
            one_run=len(arms.unlearned.accuracy) == 1,
        ),
        criteria.accuracy,
        not_worse(*loss, criteria.accuracy),
        two_sided=False,
        needs_informative=False,
    )


def privacy_finding(found: PrivacySummary) -> Ran:
    """Whether training gives away more than it is claimed to. It can refute and never pass: a lower bound of epsilon
    is no reason to think that epsilon is small, so a claim of differential privacy is at best inconclusive."""
    return Ran(
        name=PRIVACY_TEST,
        question=f"Does training give away more than epsilon = {found.epsilon:g} allows?",
        number=found.bound,
        margin=found.epsilon,
        two_sided=False,
        p_passed=1.0,
        p_refuted=found.p,
        p_refuted_holm=1.0,
        result="undecided",
        informative=False,
        support_needs_informative=False,
        explanation=found.words,
    )


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


def _ran(
    name: str,
    question: str,
    number: Number,
    margin: float,
    test: Equivalence,
    *,
    two_sided: bool,
    needs_informative: bool,
) -> Ran:
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
