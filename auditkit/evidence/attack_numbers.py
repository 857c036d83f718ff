"""What the attacks found, as values of evidence.json: each number computed here, once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from auditkit.attacks import ATTACKS, NotApplicable
from auditkit.attacks.battery import score_arm
from auditkit.attacks.posterior_difference import before_after
from auditkit.evidence.numbers import METHOD, difference_number, mean_number, plain_number
from auditkit.evidence.schema import (
    AgreedBy,
    Agreement,
    AttackSummary,
    BeforeAfter,
    Number,
    OperatingPoint,
    SwapLine,
)
from auditkit.signals.measurements import SetIndices
from auditkit.signals.signals import Signals
from auditkit.statistics.agreement import Agreement as Found
from auditkit.statistics.agreement import agreement as find
from auditkit.statistics.arms import Scores
from auditkit.statistics.hypotheses import welch
from auditkit.statistics.margins import Floats, Ints
from auditkit.statistics.proportions import lower_limit, upper_limit
from auditkit.statistics.roc import balanced_accuracy, lowest_quotable_fpr, tpr_at
from auditkit.statistics.swap import swap_advantage

FPRS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""False-positive rates a report quotes, as far as there are non-members enough (3/N)."""
AGREED_FPR = 0.05
"""The false-positive rate at which a record counts as found by an attack."""
SHOWN_ARMS = ("original", "unlearned", "retrained")


def attack_summaries(
    scores: Mapping[str, Mapping[str, Scores]],
    near: Mapping[str, Mapping[str, Mapping[str, Floats]]],
    alpha: float,
) -> tuple[AttackSummary, ...]:
    """One row an attack. near: attack -> jittered query -> arm -> AUC (runs,), see
    `attacks.battery.near_aucs`."""
    asked = {name: {arm: by_arm[arm].asked() for arm in SHOWN_ARMS} for name, by_arm in scores.items()}
    aucs = {name: {arm: s.auc() for arm, s in by_arm.items()} for name, by_arm in asked.items()}
    leaders: dict[str, str] = {}
    for name in sorted(asked, key=lambda name: aucs[name]["original"].mean()):
        leaders[ATTACKS[name].family] = name
    return tuple(
        _attack_summary(name, by_arm, aucs[name], near.get(name, {}), leaders, alpha)
        for name, by_arm in asked.items()
    )


def _attack_summary(
    name: str,
    by_arm: Mapping[str, Scores],
    aucs: Mapping[str, Floats],
    near: Mapping[str, Mapping[str, Floats]],
    leaders: Mapping[str, str],
    alpha: float,
) -> AttackSummary:
    records = sum(part.shape[1] for part in (by_arm["original"].forget, by_arm["original"].control))
    runs = len(aucs["retrained"])

    def gap(found: Mapping[str, Floats], what: str) -> Number:
        difference, what = welch(found["unlearned"], found["retrained"]), f"{what}, unlearned - retrained"
        return difference_number(difference, alpha, runs, records, what, one_run=len(found["unlearned"]) == 1)

    attack = ATTACKS[name]
    summary = AttackSummary(
        name=name,
        title=attack.title,
        paper=attack.paper,
        family=attack.family,
        auc={arm: mean_number(a, records, alpha, "the AUC, ties half") for arm, a in aucs.items()},
        gap=gap(aucs, "AUC"),
        near={query: gap(found, "AUC asked near the records") for query, found in near.items()},
        balanced_accuracy={arm: _balanced_number(s, alpha) for arm, s in by_arm.items()},
        points=operating_points(by_arm, alpha),
        leads=leaders[attack.family] == name,
    )
    return _without_intervals(summary) if attack.judges_by_others else summary


def _without_intervals(summary: AttackSummary) -> AttackSummary:
    """The same of an attack that learns from the very runs it is mounted on: they lean on each
    other, and an interval that takes them for independent is far too narrow (docs/coverage.md)."""

    def bare(number: Number) -> Number:
        method = f"{number.method}: left out, as each of these runs is judged by the others"
        return replace(number, low=None, high=None, confidence=None, method=method)

    def all_bare(numbers: Mapping[str, Number]) -> dict[str, Number]:
        return {name: bare(number) for name, number in numbers.items()}

    return replace(
        summary,
        auc=all_bare(summary.auc),
        gap=bare(summary.gap),
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


def operating_points(by_arm: Mapping[str, Scores], alpha: float) -> tuple[OperatingPoint, ...]:
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
                welch(by["unlearned"], by["retrained"]),
                alpha,
                len(by["retrained"]),
                by_arm["retrained"].forget.shape[1],
                "true-positive rate, unlearned - retrained",
                one_run=len(by["unlearned"]) == 1,
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


def attack_agreement(scores: Mapping[str, Mapping[str, Scores]]) -> Mapping[str, Found]:
    """Which forget records how many attacks find, in each arm: counted are attacks that scored
    every forget record, and control records enough to say at AGREED_FPR who is found. Empty with no
    such attack."""
    counted = {
        name: by_arm
        for name, by_arm in scores.items()
        if lowest_quotable_fpr(max(1, by_arm["retrained"].asked().control.shape[1])) <= AGREED_FPR
        and by_arm["retrained"].asked().forget.shape == by_arm["retrained"].forget.shape
    }
    if not counted:
        return {}
    return {
        arm: find({name: by_arm[arm] for name, by_arm in counted.items()}, AGREED_FPR) for arm in SHOWN_ARMS
    }


def agreement(found: Mapping[str, Found]) -> Agreement | None:
    """On how many forget records the attacks agree; found: of `attack_agreement`."""
    if not found:
        return None
    n, records = found["retrained"].attacks, len(found["retrained"].found)
    levels = sorted({1, *(max(1, round(share * n)) for share in (0.25, 0.5, 0.75)), n})
    return Agreement(
        fpr=AGREED_FPR,
        attacks=n,
        records=records,
        at_least=tuple(
            AgreedBy(level, {arm: int(f.by_at_least()[level - 1]) for arm, f in found.items()})
            for level in levels
        ),
    )


def both_versions(signals: Signals, places: SetIndices, alpha: float) -> BeforeAfter:
    """What the original and a later model give away together."""
    found = before_after(signals, places.forget, places.control)
    records = len(places.forget) + len(places.control)
    what = "the AUC of the drop of the margin from the original run to the later one, ties half"
    return BeforeAfter(*(mean_number(a, records, alpha, what) for a in (found.unlearned, found.retrained)))


def swap_lines(
    signals: Signals, attacks: Sequence[str], forget: Ints, stand_ins: Ints, alpha: float
) -> tuple[SwapLine, ...]:
    """The SWAP advantage of each attack that goes by answers; none where there are no runs of the
    swapped world. forget, stand_ins: where these records stand in the signals, as many of
    either."""
    if not len(signals.runs_of("swapped unlearned")):
        return ()
    lines = []
    for name in attacks:
        if ATTACKS[name].observes or ATTACKS[name].judges_by_others:
            continue  # they ask for what the runs of the swapped world have not
        try:
            worlds = [
                score_arm(name, signals, signals.runs_of(arm), *records)
                for arm, records in (
                    ("unlearned", (forget, stand_ins)),
                    ("swapped unlearned", (stand_ins, forget)),
                )
            ]
        except NotApplicable:
            continue
        world, swapped = worlds
        # Records that one of the worlds has no score for are left out of both.
        f = ~np.isnan([*world.forget, *swapped.control]).any(axis=0)
        t = ~np.isnan([*world.control, *swapped.forget]).any(axis=0)
        if not f.any() or not t.any():
            continue
        found = swap_advantage(
            Scores(world.forget[:, f], world.control[:, t]),
            Scores(swapped.forget[:, t], swapped.control[:, f]),
            alpha=2 * alpha,
        )
        method = "mean over pairs of runs of the advantage 2 AUC - 1 in both worlds, t-interval"
        number = Number(
            found.mean,
            found.low,
            found.high,
            1 - 2 * alpha,
            len(found.advantages),
            int(f.sum() + t.sum()),
            method,
            f"{METHOD}#swap",
        )
        lines.append(SwapLine(name, ATTACKS[name].title, number))
    return tuple(lines)
