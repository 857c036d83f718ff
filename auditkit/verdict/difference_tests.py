"""The tests of differences between arms, attacks and accuracy, and that of differential privacy."""

import numpy as np

from auditkit.attacks import ATTACKS
from auditkit.claims.criteria import Criteria
from auditkit.core.ids import DIFFERENTIAL_PRIVACY, TEST_ACCURACY, attack_gap
from auditkit.evidence.numbers import difference_number
from auditkit.evidence.schema import Finding, Interval, PrivacySummary, Ran, Skipped
from auditkit.signals.arms import Arms
from auditkit.statistics.hypotheses import Equivalence, equivalence, not_worse, t_quantile, welch
from auditkit.statistics.scores import record_error
from auditkit.verdict.finding import equivalence_finding


def gap_finding(arms: Arms, attack: str, criteria: Criteria) -> Finding:
    """Whether an attack does on the unlearned runs what it does on their placebo."""
    test_id = attack_gap(attack)
    never_in = "after retraining" if arms.placebo is None else "if they had never been in"
    question = f"{ATTACKS[attack].title}: does it find the forget records as often as {never_in}?"
    if reason := arms.skipped.get(attack):
        return Skipped(test_id, question, reason)
    U, P = arms.unlearned.scores[attack], arms.reference.scores[attack]
    mean, error, df = welch(U.auc(), P.auc())
    records = U.forget.shape[1] + U.control.shape[1]
    number = difference_number(
        (mean, error, df),
        criteria.alpha,
        len(P.forget),
        records,
        f"AUC, unlearned - {'retrained' if arms.placebo is None else 'placebo'}",
        one_run=len(U.forget) == 1,
    )
    # To refute, the gap must be there for other records too: a recipe that ranks single records
    # differently moves an AUC without remembering any of them.
    with_records = float(np.hypot(error, record_error(U, P)))
    test = Equivalence(
        p_within=equivalence(mean, error, df, criteria.attack_gap).p_within,
        p_outside=equivalence(mean, with_records, df, criteria.attack_gap).p_outside,
    )
    half = t_quantile(1 - criteria.alpha, df) * with_records
    return equivalence_finding(
        test_id,
        question,
        number,
        criteria.attack_gap,
        test,
        two_sided=True,
        needs_informative=False,
        refuting=Interval(mean - half, mean + half),
    )


def accuracy_finding(arms: Arms, criteria: Criteria, records: int) -> Finding:
    """Whether the unlearned runs are still as useful as retrained ones."""
    loss = welch(arms.retrained.accuracy, arms.unlearned.accuracy)
    return equivalence_finding(
        TEST_ACCURACY,
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
    """Whether training gives away more than it is claimed to. It can refute and never pass: a lower
    bound of epsilon is no reason to think that epsilon is small, so a claim of differential privacy
    is at best inconclusive."""
    return Ran(
        test=DIFFERENTIAL_PRIVACY,
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
