"""Every other interval of the evidence in settings whose truth is known, for
`benchmarks.coverage`."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy import stats

from auditkit.attacks.battery import score_arm
from auditkit.evidence.attack_numbers import _balanced_number, _tpr_number, _tprs, balanced_accuracies
from auditkit.evidence.memory_numbers import drift
from auditkit.evidence.numbers import accuracy_number, difference_number, mean_number
from auditkit.evidence.schema import Number
from auditkit.signals.signals import Signals
from auditkit.statistics.arms import Arm, Arms, Scores
from auditkit.statistics.epsilon import Bound, clopper_pearson_epsilon, counts_at, gdp_epsilon
from auditkit.statistics.gaussian_dp import epsilon_of_mu
from auditkit.statistics.hypotheses import welch
from auditkit.statistics.margins import Margins
from auditkit.statistics.one_run import fdp_one_run_epsilon, one_run_epsilon, right_guesses
from auditkit.statistics.proportions import clopper_pearson
from auditkit.statistics.roc import threshold_at
from auditkit.statistics.swap import swap_advantage
from benchmarks.coverage_worlds import Rng, World, scores, world

At = Callable[[float], Number]
"""alpha -> the number as the evidence has it."""
Sample = Callable[[Rng], tuple[At, float]]
"""One replicate: the number, and the truth that it is about."""

FIXED = "over runs, these records"
FRESH = "over runs and records"
RUNS = (8, 12, 20, 32)


@dataclass(frozen=True, eq=False)
class Case:
    """An interval in one setting. about: what the truth is. sample: makes the replicates, once the
    truth is worked out. claimed: whether the evidence says that it covers this. one_sided: a lower
    bound."""

    interval: str
    setting: str
    n: int
    about: str
    sample: Callable[[], Sample]
    claimed: bool = True
    one_sided: bool = False


# -- means and differences over runs ---------------------------------------------------------------


def auc_mean(made: World, n: int, share: float) -> Sample:
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


def auc_gap(made: World, n: int, share: float) -> Sample:
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
    ones, so that it is 0."""
    made, shadows = world(), 8
    records = len(made.spread)
    arms = np.repeat(["unlearned", "retrained", "shadow"], [n, n, shadows])
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
            for arm in ("unlearned", "retrained")
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


def balanced(made: World, n: int, share: float) -> Sample:
    """The mean balanced accuracy; its truth by brute force."""
    truth = made.expected(balanced_accuracies, share, runs=10_000)

    def sample(rng: Rng) -> tuple[At, float]:
        found = scores(made.runs(rng, n, share, recipe=True))
        return lambda alpha: _balanced_number(found, alpha), truth

    return sample


def tpr_gap(made: World, n: int, share: float, fpr: float) -> Sample:
    """The gap of mean true-positive rates; its truth by brute force."""

    def rates(found: Scores) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return _tprs(found, fpr)

    truth = made.expected(rates, share) - replace(made, noisier=1.0).expected(rates, 0.0)

    def sample(rng: Rng) -> tuple[At, float]:
        U, R = made.runs(rng, n, share, recipe=True), made.runs(rng, n, 0.0)
        difference = welch(rates(scores(U)), rates(scores(R)))
        return lambda alpha: difference_number(difference, alpha, n, 40, "true-positive rate"), truth

    return sample


def accuracies(
    p: float, records: int, between: float
) -> Callable[[Rng, int], np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Draws of n runs' accuracies, p on average: on records that are hard or easy for all runs,
    with an effect of the run."""
    odds = stats.norm.ppf(p) * np.sqrt(2 + between**2)
    hardness = np.random.default_rng(3).normal(size=records)
    # The records stay the same: their own mean must be p.
    grid = np.linspace(odds - 1, odds + 1, 2001)
    means = stats.norm.cdf((grid[:, None] + hardness) / np.sqrt(1 + between**2)).mean(axis=1)
    level = float(np.interp(p, means, grid))

    def draw(rng: Rng, n: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
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


def utility(n: int, between: tuple[float, float]) -> Sample:
    """The loss of accuracy, retrained minus unlearned, when the arms vary differently."""
    R, U = accuracies(0.90, 250, between[0]), accuracies(0.89, 250, between[1])

    def sample(rng: Rng) -> tuple[At, float]:
        loss = welch(R(rng, n), U(rng, n))
        return lambda alpha: difference_number(loss, alpha, n, 250, "test accuracy"), 0.01

    return sample


def drift_slope(made: World, n: int) -> Sample:
    """The slope of unlearned runs against retrained ones on control records, through the whole of
    `drift`."""

    def arm(margins: Margins) -> Arm:
        return Arm({"exact": margins}, {}, np.zeros(n))

    def sample(rng: Rng) -> tuple[At, float]:
        O, U, R = (arm(m) for m in made.arms(rng, n, 0.0))
        arms = Arms(O, U, R, R, {})
        return lambda alpha: drift(arms, alpha).slope, made.temperature

    return sample


def swapped(made: World, n: int, share: float) -> Sample:
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


# -- intervals over records, and bounds
# -------------------------------------------------------------


def tpr_point(n: int, fpr: float, own: float, *, at_threshold: bool) -> Sample:
    """The mean true-positive rate of an arm. own: the share of a score's variance that belongs to
    the record and is the same in all runs. at_threshold: hold it against the rate of further
    members above the same thresholds; or against that above the threshold which further non-members
    exceed at this rate."""
    effect = 1.0

    def sample(rng: Rng) -> tuple[At, float]:
        runs = [
            mean + np.sqrt(own) * rng.normal(size=size) + np.sqrt(1 - own) * rng.normal(size=(n, size))
            for mean, size in ((effect, 40), (0.0, 80))
        ]
        found = Scores(*runs)
        thresholds = np.array([threshold_at(c, fpr) for c in found.control])
        truth = (
            stats.norm.sf(thresholds - effect).mean()
            if at_threshold
            else stats.norm.sf(stats.norm.isf(fpr) - effect)
        )
        return lambda alpha: _tpr_number(_tprs(found, fpr), 40, alpha), float(truth)

    return sample


def proportion(p: float, records: int) -> Sample:
    """Clopper-Pearson's interval of a rate."""

    def sample(rng: Rng) -> tuple[At, float]:
        k = int(rng.binomial(records, p))

        def at(alpha: float) -> Number:
            found = clopper_pearson(k, records, 2 * alpha)
            return Number(found.value, found.low, found.high, 1 - 2 * alpha, 1, records, "", "")

        return at, p

    return sample


DELTA = 1e-5


def bounded(kind: str, bound: Callable[[Rng, float], Bound], truth: float, setting: str) -> Case:
    """A lower bound of epsilon."""

    def sample(rng: Rng) -> tuple[At, float]:
        seed = int(rng.integers(2**32))

        def at(alpha: float) -> Number:
            found = bound(np.random.default_rng(seed), alpha)
            return Number(found.epsilon, found.epsilon, None, 1 - alpha, 1, 500, "", "")

        return at, truth

    return Case(f"epsilon, {kind}", setting, 1, "the mechanism's epsilon", lambda: sample, one_sided=True)


def answers(
    rng: Rng,
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Randomised response of epsilon 1 about 500 canaries: (scores, who is included)."""
    included = rng.random(500) < 0.5
    return (included ^ (rng.random(500) < 1 / (1 + math.e))).astype(np.float64), included


def gaussian(
    rng: Rng,
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """A Gaussian mechanism of mu 1 on 500 canaries: (scores, who is included)."""
    included = rng.random(500) < 0.5
    return included + rng.normal(size=500), included


def one_run(rng: Rng, alpha: float) -> Bound:
    """As the evidence has it: 200 guesses about 500 canaries."""
    found, included = answers(rng)
    return one_run_epsilon(500, 200, right_guesses(found, included, 200, seed=0), 0.0, alpha)


def one_run_gaussian(rng: Rng, alpha: float) -> Bound:
    """The same of a Gaussian mechanism."""
    found, included = gaussian(rng)
    return one_run_epsilon(500, 200, right_guesses(found, included, 200, seed=0), DELTA, alpha)


def fdp(rng: Rng, alpha: float) -> Bound:
    """f-DP in one run."""
    found, included = gaussian(rng)
    return fdp_one_run_epsilon(500, 200, right_guesses(found, included, 200, seed=0), DELTA, alpha)


def rates(rng: Rng, alpha: float) -> Bound:
    """Clopper-Pearson at a threshold given beforehand."""
    found, included = answers(rng)
    return clopper_pearson_epsilon(counts_at(found[included], found[~included], 0.5), 0.0, alpha)


def gdp(rng: Rng, alpha: float) -> Bound:
    """Gaussian DP at a threshold given beforehand."""
    found, included = gaussian(rng)
    return gdp_epsilon(counts_at(found[included], found[~included], 1.5), DELTA, alpha)


def every_case() -> tuple[Case, ...]:
    """Every interval, in the order of the evidence."""
    base, rng = world(), np.random.default_rng(5)
    everything = len(base.spread)
    runs_alike = replace(base, shared=rng.normal(0, 0.7, everything), slope=0.15, intercept=0.5)
    heavy, unequal = replace(base, tails=3), replace(base, noisier=2.0)
    strong = world(gap=8.0)
    mu_1 = epsilon_of_mu(1.0, DELTA)
    return (
        *(Case("accuracy", "0.90 of 250 records", n, FIXED, partial(accuracy_mean, 0.9, 250, 0.1, n)) for n in (8, 32)),
        Case("accuracy", "0.995 of 250 records", 8, FIXED, partial(accuracy_mean, 0.995, 250, 0.0, 8)),
        Case("accuracy", "0.9995 of 800 records", 8, FIXED, partial(accuracy_mean, 0.9995, 800, 0.0, 8)),
        Case("accuracy", "0.9995 of 800 records", 20, FIXED, partial(accuracy_mean, 0.9995, 800, 0.0, 20)),
        *(Case("AUC", "plain", n, FIXED, partial(auc_mean, base, n, 0.5)) for n in RUNS),
        Case("AUC", "heavy tails (t, 3 df)", 8, FIXED, partial(auc_mean, heavy, 8, 0.5)),
        Case("AUC", "runs share effects", 8, FIXED, partial(auc_mean, runs_alike, 8, 0.5)),
        Case("AUC", "nearly 1", 8, FIXED, partial(auc_mean, replace(strong, forget=strong.forget + 7), 8, 1.0), claimed=False),
        Case("AUC", "new records each time", 8, FRESH, partial(auc_mean_of_new_records, 8), claimed=False),
        *(Case("AUC gap", "plain", n, FIXED, partial(auc_gap, base, n, 0.2)) for n in RUNS),
        Case("AUC gap", "runs share effects", 8, FIXED, partial(auc_gap, runs_alike, 8, 0.2)),
        Case("AUC gap", "unlearned twice as noisy", 8, FIXED, partial(auc_gap, unequal, 8, 0.2)),
        Case("AUC gap", "LiRA online, honest", 8, FIXED, partial(attacked, "lira-online", 8)),
        Case("AUC gap", "Attack-R, honest", 8, FIXED, partial(attacked, "attack-r", 8)),
        Case("AUC gap", "U-LiRA, honest (left out of the evidence)", 8, FIXED, partial(attacked, "u-lira", 8), claimed=False),
        Case("balanced accuracy", "plain", 8, FIXED, partial(balanced, base, 8, 0.5)),
        Case("before/after AUC", "retrained", 8, FIXED, partial(before_after, base, 8)),
        Case("SWAP advantage", "retrained", 8, FIXED, partial(swapped, base, 8, 0.0)),
        Case("SWAP advantage", "half left", 8, FIXED, partial(swapped, base, 8, 0.5)),
        *(
            Case("true-positive rate", f"FPR {fpr:g}, {own:.0%} of the variance is the record's", n, about, partial(tpr_point, n, fpr, own, at_threshold=at), claimed=at)
            for fpr, own, n in ((0.05, 0.0, 8), (0.05, 0.8, 8), (0.2, 0.8, 8), (0.05, 0.8, 32))
            for at, about in ((True, "new members, same thresholds"), (False, "new members and non-members"))
        ),
        *(Case("true-positive rate gap", f"FPR {fpr:g}", n, FIXED, partial(tpr_gap, base, n, 0.2, fpr)) for fpr, n in ((0.05, 8), (0.2, 8), (0.05, 20))),
        Case("true-positive rate gap", "FPR 0.05, unlearned twice as noisy", 8, FIXED, partial(tpr_gap, unequal, 8, 0.2, 0.05)),
        *(Case("utility", f"runs vary by {a:g} and {b:g}", n, FIXED, partial(utility, n, (a, b))) for n, a, b in ((8, 0.1, 0.1), (8, 0.05, 0.3), (20, 0.05, 0.3))),
        *(Case("drift slope", "none", n, "against the expected retrained run", partial(drift_slope, base, n)) for n in (8, 32)),
        Case("drift slope", "0.8, runs share effects", 8, "against the expected retrained run", partial(drift_slope, replace(runs_alike, temperature=0.8), 8)),
        Case("drift slope", "none, margins vary little", 8, "against the expected retrained run", partial(drift_slope, replace(base, control=base.control / 2), 8)),
        *(Case("proportion", f"{p:g} of {k}", 1, "binomial", partial(proportion, p, k)) for p, k in ((0.02, 40), (0.3, 40), (0.3, 400))),
        bounded("one run", one_run, 1.0, "randomised response, epsilon 1"),
        bounded("one run", one_run_gaussian, mu_1, "Gaussian, mu 1"),
        bounded("f-DP one run", fdp, mu_1, "Gaussian, mu 1"),
        bounded("Clopper-Pearson", rates, 1.0, "randomised response, epsilon 1"),
        bounded("Gaussian DP", gdp, mu_1, "Gaussian, mu 1"),
    )  # fmt: skip


CASES = every_case()
