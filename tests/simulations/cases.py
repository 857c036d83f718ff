"""Every interval of the evidence, residual memory apart, in settings whose truth is known: one
literal table, in the order of the evidence.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain

import numpy as np

from auditkit.statistics.gaussian_dp import epsilon_of_mu
from tests.simulations import over_records as records
from tests.simulations import over_runs as runs
from tests.simulations.case import Case, Sample
from tests.simulations.worlds import world

FIXED = "over runs, these records"
FRESH = "over runs and records"
RETRAINED = "against the expected retrained run"
RUNS = (8, 12, 20, 32)

BASE = world()
RUNS_ALIKE = replace(
    BASE, shared=np.random.default_rng(5).normal(0, 0.7, len(BASE.spread)), slope=0.15, intercept=0.5
)
HEAVY = replace(BASE, tails=3)
UNEQUAL = replace(BASE, noisier=2.0)
STRONG = world(gap=8.0)
NEARLY_1 = replace(STRONG, forget=STRONG.forget + 7)


def fixed(interval: str, setting: str, n: int, sample: Callable[..., Sample], *settings: object) -> Case:
    """An interval over n runs, about these records. settings: what `sample` takes before n."""
    return Case(interval, setting, n, FIXED, partial(sample, *settings, n=n))


def not_claimed(case: Case) -> Case:
    """A truth that the evidence does not claim to cover."""
    return replace(case, claimed=False)


def accuracy_cases() -> Iterator[Case]:
    """Mean accuracies."""
    for p, size, between, n in (
        (0.9, 250, 0.1, 8),
        (0.9, 250, 0.1, 32),
        (0.995, 250, 0.0, 8),
        (0.9995, 800, 0.0, 8),
        (0.9995, 800, 0.0, 20),
    ):
        shown = "0.90" if p == 0.9 else f"{p:g}"
        yield fixed("accuracy", f"{shown} of {size} records", n, runs.accuracy_mean, p, size, between)


def auc_cases() -> Iterator[Case]:
    """AUCs of an arm, and gaps of two arms."""
    for n in RUNS:
        yield fixed("AUC", "plain", n, runs.auc_mean, BASE, 0.5)
    yield fixed("AUC", "heavy tails (t, 3 df)", 8, runs.auc_mean, HEAVY, 0.5)
    yield fixed("AUC", "runs share effects", 8, runs.auc_mean, RUNS_ALIKE, 0.5)
    yield not_claimed(fixed("AUC", "nearly 1", 8, runs.auc_mean, NEARLY_1, 1.0))
    anew = partial(runs.auc_mean_of_new_records, 8)
    yield not_claimed(Case("AUC", "new records each time", 8, FRESH, anew))
    for n in RUNS:
        yield fixed("AUC gap", "plain", n, runs.auc_gap, BASE, 0.2)
    yield fixed("AUC gap", "runs share effects", 8, runs.auc_gap, RUNS_ALIKE, 0.2)
    yield fixed("AUC gap", "unlearned twice as noisy", 8, runs.auc_gap, UNEQUAL, 0.2)
    yield fixed("AUC gap", "LiRA online, honest", 8, runs.attacked, "lira-online")
    yield fixed("AUC gap", "Attack-R, honest", 8, runs.attacked, "attack-r")
    own_runs = "U-LiRA, honest (left out of the evidence)"
    yield not_claimed(fixed("AUC gap", own_runs, 8, runs.attacked, "u-lira"))


def other_score_cases() -> Iterator[Case]:
    """What else is made of scores, true-positive rates apart."""
    yield fixed("balanced accuracy", "plain", 8, runs.balanced, BASE, 0.5)
    yield fixed("before/after AUC", "retrained", 8, runs.before_after, BASE)
    yield fixed("SWAP advantage", "retrained", 8, runs.swapped, BASE, 0.0)
    yield fixed("SWAP advantage", "half left", 8, runs.swapped, BASE, 0.5)


def tpr_cases() -> Iterator[Case]:
    """True-positive rates of an arm, and gaps of two arms."""
    for fpr, share, n in ((0.05, 0.0, 8), (0.05, 0.8, 8), (0.2, 0.8, 8), (0.05, 0.8, 32)):
        setting = f"FPR {fpr:g}, {share:.0%} of the variance is the record's"
        for at, about in ((True, "new members, same thresholds"), (False, "new members and non-members")):
            sample = partial(records.tpr_point, n, fpr, share, at_threshold=at)
            yield Case("true-positive rate", setting, n, about, sample, claimed=at)
    for fpr, n in ((0.05, 8), (0.2, 8), (0.05, 20)):
        yield fixed("true-positive rate gap", f"FPR {fpr:g}", n, runs.tpr_gap, BASE, 0.2, fpr)
    noisy = "FPR 0.05, unlearned twice as noisy"
    yield fixed("true-positive rate gap", noisy, 8, runs.tpr_gap, UNEQUAL, 0.2, 0.05)


def utility_and_drift_cases() -> Iterator[Case]:
    """Losses of accuracy, and what the recipe does to any model."""
    for n, a, b in ((8, 0.1, 0.1), (8, 0.05, 0.3), (20, 0.05, 0.3)):
        yield fixed("utility", f"runs vary by {a:g} and {b:g}", n, runs.utility, (a, b))
    for setting, n, made in (
        ("none", 8, BASE),
        ("none", 32, BASE),
        ("0.8, runs share effects", 8, replace(RUNS_ALIKE, temperature=0.8)),
        ("none, margins vary little", 8, replace(BASE, control=BASE.control / 2)),
    ):
        yield Case("drift slope", setting, n, RETRAINED, partial(runs.drift_slope, made, n=n))


def record_cases() -> Iterator[Case]:
    """Intervals over records alone, and lower bounds of epsilon."""
    for p, k in ((0.02, 40), (0.3, 40), (0.3, 400)):
        yield Case("proportion", f"{p:g} of {k}", 1, "binomial", partial(records.proportion, p, k))
    mu_1 = epsilon_of_mu(1.0, records.DELTA)
    response, gaussian = "randomised response, epsilon 1", "Gaussian, mu 1"
    yield records.bounded("one run", records.one_run, 1.0, response)
    yield records.bounded("one run", records.one_run_gaussian, mu_1, gaussian)
    yield records.bounded("f-DP one run", records.fdp, mu_1, gaussian)
    yield records.bounded("Clopper-Pearson", records.rates, 1.0, response)
    yield records.bounded("Gaussian DP", records.gdp, mu_1, gaussian)


CASES: tuple[Case, ...] = tuple(
    chain(
        accuracy_cases(),
        auc_cases(),
        other_score_cases(),
        tpr_cases(),
        utility_and_drift_cases(),
        record_cases(),
    )
)
