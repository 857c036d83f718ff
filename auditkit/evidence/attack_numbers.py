"""What the attacks found, as values of evidence.json: each number computed here, once."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np

from auditkit.attacks import ATTACKS
from auditkit.attacks.battery import NearAucs
from auditkit.core.ids import (
    ORIGINAL,
    PLACEBO,
    RETRAINED,
    UNLEARNED,
    ArmKey,
    Query,
    TestId,
    attack_gap,
    reference_in,
)
from auditkit.evidence.numbers import difference_number, mean_number, plain_number
from auditkit.evidence.schema import AttackSummary, Number, OperatingPoint
from auditkit.reports.method_page import METHOD
from auditkit.signals.measurements import AttackScores
from auditkit.statistics.hypotheses import welch
from auditkit.statistics.margins import Floats
from auditkit.statistics.proportions import lower_limit, upper_limit
from auditkit.statistics.roc import balanced_accuracy, lowest_quotable_fpr, tpr_at
from auditkit.statistics.scores import Scores

Key = TypeVar("Key")

FPRS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""False-positive rates a report quotes, as far as there are non-members enough (3/N)."""
SHOWN_ARMS = (ORIGINAL, UNLEARNED, PLACEBO, RETRAINED)


def attack_summaries(
    scores: AttackScores, near: NearAucs, required: Collection[TestId], alpha: float
) -> tuple[AttackSummary, ...]:
    """One row an attack.

    Args:
        scores: attack -> arm -> scores.
        near: of `auditkit.attacks.battery.near_aucs`.
        required: the tests whose findings carry their own numbers.
        alpha: intervals are of level 1 - 2 alpha.
    """
    asked = {
        name: {arm: by_arm[arm].asked() for arm in SHOWN_ARMS if arm in by_arm}
        for name, by_arm in scores.items()
    }
    aucs = {name: {arm: s.auc() for arm, s in by_arm.items()} for name, by_arm in asked.items()}
    leaders: dict[str, str] = {}
    for name in sorted(asked, key=lambda name: aucs[name][ORIGINAL].mean()):
        leaders[ATTACKS[name].family] = name
    return tuple(
        _attack_summary(
            name,
            by_arm,
            aucs[name],
            near.get(name, {}),
            alpha,
            leads=leaders[ATTACKS[name].family] == name,
            carried=attack_gap(name) in required,
        )
        for name, by_arm in asked.items()
    )


def _attack_summary(
    name: str,
    by_arm: Mapping[ArmKey, Scores],
    aucs: Mapping[ArmKey, Floats],
    near: Mapping[Query, Mapping[ArmKey, Floats]],
    alpha: float,
    *,
    leads: bool,
    carried: bool,
) -> AttackSummary:
    """The row of one attack. leads: the strongest of its family. carried: the finding of a required
    test carries its gap."""
    records = sum(part.shape[1] for part in (by_arm[ORIGINAL].forget, by_arm[ORIGINAL].control))
    runs = len(aucs[RETRAINED])

    def gap(found: Mapping[ArmKey, Floats], what: str) -> Number:
        other = reference_in(found)
        difference, what = welch(found[UNLEARNED], found[other]), f"{what}, unlearned - {other}"
        return difference_number(difference, alpha, runs, records, what, one_run=len(found[UNLEARNED]) == 1)

    attack = ATTACKS[name]
    summary = AttackSummary(
        name=name,
        title=attack.title,
        paper=attack.paper,
        family=attack.family,
        auc={arm: mean_number(a, records, alpha, "the AUC, ties half") for arm, a in aucs.items()},
        gap=None if carried else gap(aucs, "AUC"),
        near={query: gap(found, "AUC asked near the records") for query, found in near.items()},
        balanced_accuracy={arm: _balanced_number(s, alpha) for arm, s in by_arm.items()},
        points=operating_points(by_arm, alpha),
        leads=leads,
    )
    return _without_intervals(summary) if attack.judges_by_others else summary


def _without_intervals(summary: AttackSummary) -> AttackSummary:
    """The row of an attack that learns from the very runs it is mounted on: they lean on each
    other, and an interval that takes them for independent is far too narrow (docs/coverage.md)."""

    def bare(number: Number) -> Number:
        method = f"{number.method}: left out, as each of these runs is judged by the others"
        return replace(number, low=None, high=None, confidence=None, method=method)

    def all_bare(numbers: Mapping[Key, Number]) -> dict[Key, Number]:
        return {name: bare(number) for name, number in numbers.items()}

    return replace(
        summary,
        auc=all_bare(summary.auc),
        gap=summary.gap and bare(summary.gap),
        near=all_bare(summary.near),
        balanced_accuracy=all_bare(summary.balanced_accuracy),
        points=tuple(OperatingPoint(p.fpr, all_bare(p.arms), bare(p.gap)) for p in summary.points),
    )


BALANCED = "the balanced accuracy, each half of the records at the threshold that is best on the other"


def _balanced_number(scores: Scores, alpha: float) -> Number:
    parts = scores.forget.shape[1], scores.control.shape[1]
    if min(parts) < 2:
        method = "not defined: a threshold is chosen on one half of the records and used on the other"
        return plain_number(None, len(scores.forget), sum(parts), method, "means")
    return mean_number(balanced_accuracies(scores), sum(parts), alpha, BALANCED)


def balanced_accuracies(scores: Scores) -> Floats:
    """(runs,): the cross-fitted balanced accuracy of each run. Records in even places are one fold,
    those in odd places the other."""
    folds = [np.arange(part.shape[1]) % 2 == 0 for part in (scores.forget, scores.control)]
    return np.array(
        [balanced_accuracy(f, c, *folds) for f, c in zip(scores.forget, scores.control, strict=True)]
    )


def operating_points(by_arm: Mapping[ArmKey, Scores], alpha: float) -> tuple[OperatingPoint, ...]:
    """The mean true-positive rate over runs at each quotable false-positive rate at which the
    attack accuses any record at all: one with two answers, as the gap attack, has no threshold so
    strict."""
    nonmembers = next(iter(by_arm.values())).control.shape[1]
    rates = {
        fpr: {arm: _tprs(scores, fpr) for arm, scores in by_arm.items()}
        for fpr in FPRS
        if fpr >= lowest_quotable_fpr(nonmembers)
    }
    return tuple(
        OperatingPoint(
            fpr,
            {arm: _tpr_number(found, by_arm[arm].forget.shape[1], alpha) for arm, found in by.items()},
            difference_number(
                welch(by[UNLEARNED], by[reference_in(by)]),
                alpha,
                len(by[RETRAINED]),
                by_arm[RETRAINED].forget.shape[1],
                f"true-positive rate, unlearned - {reference_in(by)}",
                one_run=len(by[UNLEARNED]) == 1,
            ),
        )
        for fpr, by in rates.items()
        if any(found.any() for found in by.values())
    )


def _tprs(scores: Scores, fpr: float) -> Floats:
    return np.array([tpr_at(f, c, fpr) for f, c in zip(scores.forget, scores.control, strict=True)])


def _tpr_number(rates: Floats, records: int, alpha: float) -> Number:
    """The mean rate over runs with an interval over forget records: what so few leave open of the
    rate above *these* thresholds. A mean over runs varies less than one run, so that it covers more
    than its level (Hoeffding 1956); that other control records would give other thresholds, it does
    not contain."""
    value = float(rates.mean())
    found = round(value * records, 6)
    low = float(lower_limit(np.floor(found), records, alpha))
    high = float(upper_limit(np.ceil(found), records, alpha))
    method = (
        "mean over runs of the true-positive rate at the most permissive threshold with at most this"
        " false-positive rate; Clopper-Pearson interval over forget records of one run with that rate, its"
        " threshold given"
    )
    return Number(value, low, high, 1 - 2 * alpha, len(rates), records, method, f"{METHOD}#means")
