"""Robust membership inference: does the target prefer the record, compared with what is usual, more
than it prefers other records of which it is known that they are non-members?

Zarifzadeh, Liu & Shokri, "Low-Cost High-Power Membership Inference Attacks" (ICML 2024). With p =
the softmax probability of the label and p(x) its mean over models with and without x, the ratio of
x is r_x = p(x | target) / p(x), and the score the share of population records z with r_x / r_z >=
gamma.

It is the distribution function of r_z at r_x / gamma, and so found by sorting once instead of
comparing every x with every z. As a rank it is r_x itself, whatever gamma and z are, except that x
between the same two z tie; the scores here break those ties by r_x.
"""

from itertools import islice

import numpy as np
import numpy.typing as npt

from auditkit.attacks.errors import NotApplicable
from auditkit.attacks.per_class import Score
from auditkit.attacks.references import moments, outside, require
from auditkit.attacks.shadows import once
from auditkit.core.ids import SHADOW
from auditkit.signals.signals import Signals, log_softmax
from auditkit.statistics.margins import Floats, Ints
from auditkit.statistics.roc import auc

GRID = tuple(np.linspace(0, 1, 11))
"""The values of a that are tried."""

TRIED_ON = 4
"""How many reference runs each is tried on."""


def probability(logits: npt.NDArray[np.floating], labels: Ints) -> Floats:
    """The softmax probability of the label: (records,)."""
    return np.asarray(np.exp(log_softmax(logits)[np.arange(len(labels)), labels]))


reference_probabilities = moments(probability)
"""The moments of the label's probability over the reference runs (in, out)."""


def ratio(p: Floats, usual: Floats) -> Floats:
    """p(x | target) / p(x), 0 where both are: (records,)."""
    return np.asarray(p / np.maximum(usual, np.finfo(np.float64).tiny))


def usual_online(inside: Floats, out: Floats) -> Floats:
    """p(x) from the mean probabilities on both sides, each counting half."""
    return np.asarray((inside + out) / 2)


def usual_offline(out: Floats, a: float) -> Floats:
    """p(x) where no run was trained on x: ((1 + a) out + 1 - a) / 2, that is with a out + 1 - a for
    the mean probability of runs trained on x (the paper's linear approximation). a between 0,
    training on x makes the model sure of it, and 1, it changes nothing."""
    return np.asarray(((1 + a) * out + 1 - a) / 2)


def dominated(rx: Floats, rz: Floats, gamma: float) -> Floats:
    """The paper's score: the share of z with r_x >= gamma r_z.

    Args:
        rx: (records,).
        rz: (population,).
        gamma: by how much x has to dominate.
    """
    return np.asarray(np.searchsorted(np.sort(gamma * rz), rx, side="right") / len(rz))


def ranked(rx: Floats, rz: Floats, gamma: float) -> Floats:
    """The paper's score, and less than one z more for ties: the larger r_x, the larger it is,
    always.

    At the lowest false-positive rates the records above all z, or nearly all, matter, and the
    paper's score cannot tell them apart.
    """
    return np.asarray(dominated(rx, rz, gamma) + rx / (1 + rx) / len(rz))


def online(gamma: float) -> Score:
    """The attack with reference runs on both sides.

    z are the records that no run at all was trained on; of them the mean over the reference runs is
    that of runs without them. NaN for a record that no reference run was trained on, or every one.
    The attack raises NotApplicable where no record has two reference runs on either side, or where
    there are no z.
    """

    def score(signals: Signals, target: int) -> Floats:
        inside, out = reference_probabilities(signals, target)
        require(signals, target, 2, inside=inside, out=out)
        z = outside(signals)
        p = probability(signals.logits[target], signals.labels)
        rx = ratio(p, usual_online(inside.mean, out.mean))
        return ranked(rx, ratio(p[z], out.mean[z]), gamma)

    return score


def offline(gamma: float) -> Score:
    """The attack with runs without the record alone, a tuned on reference runs (see `tuned`).

    NaN for a record that every reference run was trained on. The attack raises NotApplicable where
    a cannot be tuned, or where there are no z.
    """

    def score(signals: Signals, target: int) -> Floats:
        _, out = reference_probabilities(signals, target)
        require(signals, target, 2, out=out)
        z = outside(signals)
        r = ratio(
            probability(signals.logits[target], signals.labels),
            usual_offline(out.mean, tuned(signals, target)),
        )
        return ranked(r, r[z], gamma)

    return score


def tuned(signals: Signals, target: int) -> float:
    """The a with which the first few reference runs, each attacked offline with all others, give
    their members away best: the highest mean AUC over them, the smallest a of several. The target
    has no part in it, also where it is a shadow run itself. NotApplicable where no reference run
    can be attacked so."""
    return _best(signals, target) if signals.arms[target] == str(SHADOW) else _best_of_all(signals)


def _best(signals: Signals, *left_out: int) -> float:
    runs = np.setdiff1d(signals.runs_of(SHADOW), left_out)
    tried = (_aucs(signals, int(run), *left_out) for run in runs)
    found = list(islice((aucs for aucs in tried if aucs is not None), TRIED_ON))
    if not found:
        raise NotApplicable(
            "the attack is tuned by attacking a shadow run with the others, on records some of which it was "
            f"trained on and some not; there are {len(runs)} shadow runs"
        )
    return float(GRID[np.argmax(np.mean(found, axis=0))])


_best_of_all = once(_best)


def _aucs(signals: Signals, *left_out: int) -> Floats | None:
    """The AUC on the first of these runs with each a of GRID, attacked with the shadow runs but
    these; None where that run has no members or no non-members among the attacker's records that
    others missed."""
    inside, out = reference_probabilities(signals, *left_out)
    run = left_out[0]
    member = signals.member[run]
    own = (out.n > 0) & ((inside.n > 0) | member)
    if not (own & member).any() or not (own & ~member).any():
        return None
    p = probability(signals.logits[run], signals.labels)
    ratios = (ratio(p, usual_offline(out.mean, a)) for a in GRID)
    return np.array([auc(r[own & member], r[own & ~member]) for r in ratios])
