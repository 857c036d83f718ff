"""Intervals over runs, about the records at hand, in settings whose truth is known."""

from dataclasses import replace

import numpy as np
from scipy import stats

from auditkit.attacks.battery import score_arm
from auditkit.core.ids import EXACT, RETRAINED, SHADOW, UNLEARNED
from auditkit.evidence.attack_numbers import _balanced_number, _tprs, balanced_accuracies
from auditkit.evidence.memory_numbers import drift
from auditkit.evidence.numbers import accuracy_number, difference_number, mean_number
from auditkit.evidence.schema import Number
from auditkit.signals.arms import Arm, Arms
from auditkit.signals.signals import Signals
from auditkit.statistics.hypotheses import welch
from auditkit.statistics.margins import Floats, Margins
from auditkit.statistics.scores import Scores
from auditkit.statistics.swap import swap_advantage
from tests.simulations.case import At, Draw, Sample
from tests.simulations.worlds import Rng, World, scores, world


def auc_mean(made: World, share: float, n: int) -> Sample:
    """The mean AUC of an arm."""
    truth = made.expected(Scores.auc, share) if made.tails else made.auc(share, recipe=True)

    def sample(rng: Rng) -> tuple[At, float]:
        found = scores(made.runs(rng, n, share, recipe=True)).auc()
        return lambda alpha: mean_number(found, 120, alpha, "the AUC"), truth

    return sample


def auc_mean_of_new_records(n: int) -> Sample:
    """The mean AUC of an arm, held against what it is on average over records."""
    truth = float(np.mean([world(seed).auc(0.0) for seed in range(4000)]))

    def sample(rng: Rng) -> tuple[At, float]:
        found = scores(world(int(rng.integers(2**32))).runs(rng, n, 0.0)).auc()
        return lambda alpha: mean_number(found, 120, alpha, "the AUC"), truth

    return sample


def auc_gap(made: World, share: float, n: int) -> Sample:
    """The gap of mean AUCs, unlearned minus retrained."""
    truth = made.auc(share, recipe=True) - made.auc(0.0)

    def sample(rng: Rng) -> tuple[At, float]:
        U, R = made.runs(rng, n, share, recipe=True), made.runs(rng, n, 0.0)
        difference = welch(scores(U).auc(), scores(R).auc())
        return lambda alpha: difference_number(difference, alpha, n, 120, "AUC"), truth

    return sample


def attacked(attack: str, n: int) -> Sample:
    """The gap of mean AUCs of an attack that learns from other runs, which all targets have in
    common: eight shadow runs, or the very arms that are compared. Unlearned runs are like retrained
    ones, so that it is 0.
    """
    made, shadows = world(), 8
    records = len(made.spread)
    arms = np.repeat([str(arm) for arm in (UNLEARNED, RETRAINED, SHADOW)], [n, n, shadows])
    marks = np.arange(records) < len(made.forget)
    labels, ids = np.zeros(records, dtype=np.int64), np.arange(records).astype(str)
    gains = np.concatenate([made.memory, np.abs(np.random.default_rng(4).normal(0, 2, len(made.control)))])

    def sample(rng: Rng) -> tuple[At, float]:
        halves = [
            half
            for _ in range(shadows // 2)
            for side in [rng.permutation(records) < records // 2]
            for half in (side, ~side)
        ]
        member = np.array([*[marks] * n, *[~marks & marks] * n, *halves])
        drawn = made.runs(rng, len(arms), 0.0)
        margins = np.hstack([drawn.forget, drawn.control])
        margins[2 * n :] += gains * member[2 * n :]
        logits = np.stack([margins, np.zeros_like(margins)], axis=-1).astype(np.float32)
        signals = Signals(logits, member, labels, ids, arms, 0)
        forget, control = np.flatnonzero(marks), np.flatnonzero(~marks)
        U, R = (
            score_arm(attack, signals, signals.runs_of(arm), forget, control).auc()
            for arm in (UNLEARNED, RETRAINED)
        )
        difference = welch(U, R)
        return lambda alpha: difference_number(difference, alpha, n, records, "AUC"), 0.0

    return sample


def before_after(made: World, n: int) -> Sample:
    """The mean AUC of the drop from original to retrained: for normal scatter in closed form."""
    m, both = len(made.forget), 2 * np.square(made.spread)
    gap = np.subtract.outer(made.memory, np.zeros(len(made.control)))
    truth = float(stats.norm.cdf(gap / np.sqrt(np.add.outer(both[:m], both[m:]))).mean())

    def sample(rng: Rng) -> tuple[At, float]:
        O, R = made.runs(rng, n, 1.0), made.runs(rng, n, 0.0)
        found = Scores(O.forget - R.forget, O.control - R.control).auc()
        return lambda alpha: mean_number(found, 120, alpha, "the AUC of the drop"), truth

    return sample


def balanced(made: World, share: float, n: int) -> Sample:
    """The mean balanced accuracy; its truth by brute force."""
    truth = made.expected(balanced_accuracies, share, runs=10_000)

    def sample(rng: Rng) -> tuple[At, float]:
        found = scores(made.runs(rng, n, share, recipe=True))
        return lambda alpha: _balanced_number(found, alpha), truth

    return sample


def tpr_gap(made: World, share: float, fpr: float, n: int) -> Sample:
    """The gap of mean true-positive rates; its truth by brute force."""

    def rates(found: Scores) -> Floats:
        return _tprs(found, fpr)

    truth = made.expected(rates, share) - replace(made, noisier=1.0).expected(rates, 0.0)

    def sample(rng: Rng) -> tuple[At, float]:
        U, R = made.runs(rng, n, share, recipe=True), made.runs(rng, n, 0.0)
        difference = welch(rates(scores(U)), rates(scores(R)))
        return lambda alpha: difference_number(difference, alpha, n, 40, "true-positive rate"), truth

    return sample


def accuracies(p: float, records: int, between: float) -> Draw:
    """Draws of n runs' accuracies, p on average: on records that are hard or easy for all runs,
    with an effect of the run.
    """
    odds = stats.norm.ppf(p) * np.sqrt(2 + between**2)
    hardness = np.random.default_rng(3).normal(size=records)
    # The records stay the same: their own mean must be p.
    grid = np.linspace(odds - 1, odds + 1, 2001)
    means = stats.norm.cdf((grid[:, None] + hardness) / np.sqrt(1 + between**2)).mean(axis=1)
    level = float(np.interp(p, means, grid))

    def draw(rng: Rng, n: int) -> Floats:
        latent = level + hardness + between * rng.normal(size=(n, 1)) + rng.normal(size=(n, records))
        return np.asarray((latent > 0).mean(axis=1))

    return draw


def accuracy_mean(p: float, records: int, between: float, n: int) -> Sample:
    """The mean accuracy of an arm on the same records."""
    draw = accuracies(p, records, between)

    def sample(rng: Rng) -> tuple[At, float]:
        found = draw(rng, n)
        return lambda alpha: accuracy_number(found, records, alpha, "accuracy"), p

    return sample


def utility(between: tuple[float, float], n: int) -> Sample:
    """The loss of accuracy, retrained minus unlearned, when the arms vary differently."""
    R, U = accuracies(0.90, 250, between[0]), accuracies(0.89, 250, between[1])

    def sample(rng: Rng) -> tuple[At, float]:
        loss = welch(R(rng, n), U(rng, n))
        return lambda alpha: difference_number(loss, alpha, n, 250, "test accuracy"), 0.01

    return sample


def drift_slope(made: World, n: int) -> Sample:
    """The slope of unlearned runs against retrained ones on control records, through the whole of
    `drift`.
    """

    def arm(margins: Margins) -> Arm:
        return Arm({EXACT: margins}, {}, np.zeros(n))

    def sample(rng: Rng) -> tuple[At, float]:
        O, U, R = (arm(m) for m in made.arms(rng, n, 0.0))
        arms = Arms(O, U, R, R, {})
        return lambda alpha: drift(arms, alpha).slope, made.temperature

    return sample


def swapped(made: World, share: float, n: int) -> Sample:
    """The SWAP advantage; the control records stand in for the forget records."""
    other = replace(
        made, forget=made.control, control=made.forget, spread=np.roll(made.spread, len(made.control))
    )
    other = replace(other, memory=np.abs(np.random.default_rng(4).normal(0, 2, len(made.control))))
    truth = made.auc(share) + other.auc(share) - 1

    def sample(rng: Rng) -> tuple[At, float]:
        worlds = scores(made.runs(rng, n, share)), scores(other.runs(rng, n, share))

        def at(alpha: float) -> Number:
            found = swap_advantage(*worlds, alpha=2 * alpha)
            return Number(found.mean, found.low, found.high, 1 - 2 * alpha, n, 120, "", "")

        return at, truth

    return sample
