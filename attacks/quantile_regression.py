"""Quantile regression: is the margin large for what is expected of such a record, had it not been
trained on?

Bertran, Tang, Kearns, Morgenstern, Roth & Wu, "Scalable Membership Inference Attacks via Quantile
Regression" (NeurIPS 2023). Of records that are known not to be members, the distribution of the
target's hinge margin h = z_y - max_{k != y} z_k is learnt as a function of the record; no other
model is needed. A record is a member at level alpha if h is above the (1 - alpha)-quantile for it.
In the variant with a location mu(x, y) and a scale sigma(x, y) that quantile is mu + sigma q, and
the score, for every alpha at once, (h - mu) / sigma.

Where the paper trains a network of its own on images for each target, mu and log sigma^2 are here
kernel ridge regressions on the principal components of the inputs: the kernel matrix is taken apart
once for all targets, and a target then costs milliseconds. With some hundreds of non-members the
paper's network would have little to learn from. The loss is squared error on h, and then on the
logarithm of its squared residuals, instead of the normal likelihood of both at once. Whether the
result holds what it says is measured: one half of the non-members is learnt from, and
`realised_fpr` counts how many of the other half are accused.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh
from scipy.spatial.distance import cdist

from auditkit.attacks.errors import NotApplicable
from auditkit.attacks.references import outside
from auditkit.attacks.shadows import halves, once
from auditkit.signals.hinge_margin import hinge
from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Floats, Ints

COMPONENTS = 50
"""Principal components of the inputs that are kept."""

LANDMARKS = 1_000
"""The functions that are learnt are sums of the kernel at so many of the non-members, at most: what
is held in memory and the time grow with the number of records, not with its square."""

WIDTH = 2.0
"""The width of the kernel: it falls to 1/e at this multiple of the median squared distance."""

PENALTIES = np.logspace(-4, 2.5, 14)
"""The ridge penalties that are tried."""

FEWEST = 20
"""Non-members to learn from, and as many to check on: with fewer neither says anything."""

BLOCK = 1_024
"""Records that are looked at together."""


def score(signals: Signals, target: int) -> Floats:
    """By how many standard deviations the margin exceeds what is expected of the record:
    (records,).

    NotApplicable without the inputs, or with too few records that no run was trained on.
    """
    found, _ = _standardised(signals, target)
    return found


def realised_fpr(signals: Signals, target: int, alpha: float) -> float:
    """The share of non-members accused at level alpha, among those that nothing was learnt from:
    near alpha if the attack is calibrated. With m of them its standard error is sqrt(alpha (1 -
    alpha) / m).

    The accused are those above the quantile mu + sigma q, where q is that of the standardised
    residuals of the non-members that were learnt from, as margins are skewed.

    Raises:
        NotApplicable: as `score`.
    """
    found, residuals = _standardised(signals, target)
    return float(np.mean(found[held_out(signals)] > np.quantile(residuals, 1 - alpha)))


def held_out(signals: Signals) -> Ints:
    """Where the non-members stand that nothing was learnt from."""
    _, checked = _split(signals)
    return checked


def _split(signals: Signals) -> tuple[Ints, Ints]:
    """The records that no run was trained on: (those to learn from, those to check on)."""
    known = outside(signals)
    half = halves(signals)[known]
    learnt, checked = known[half == 0], known[half == 1]
    if min(len(learnt), len(checked)) < FEWEST:
        raise NotApplicable(
            "the attack learns from half of the records that no run was trained on, and is checked on the"
            f" other; {FEWEST} in each are needed, there are {len(learnt)} and {len(checked)}"
        )
    return learnt, checked


@dataclass(frozen=True, eq=False)
class _Features:
    """What of the records does not depend on the target, all in the order of ids: (records,)
    throughout.

    places: where the records stand in the signals. x: (records, components). labels: (records,).
    fit: which are learnt from. landmarks: which of those carry the kernel. width: of the kernel, in
    squared distance. basis: (landmarks, rank), whose product with the kernel at the landmarks gives
    features that are orthogonal on `fit`, with sums of squares `spectrum`, (rank,). On `fit` these
    features are `design`, (fit, rank).
    """

    places: Ints
    x: Floats
    labels: Ints
    fit: Ints
    landmarks: Ints
    width: float
    basis: Floats
    spectrum: Floats
    design: Floats


@dataclass(frozen=True, eq=False)
class _Regression:
    """offset + kernel @ weights. weights: (landmarks,). residuals: (fit,), of each record by the
    regression on all others."""

    offset: float
    weights: Floats
    residuals: Floats


@once
def _features(signals: Signals) -> _Features:
    if signals.inputs is None:
        raise NotApplicable("the attack learns from the inputs; the signals do not hold them")
    learnt, _ = _split(signals)
    places = np.argsort(signals.ids)
    fit = np.flatnonzero(np.isin(places, learnt))
    landmarks = np.sort(np.random.default_rng(signals.seed).permutation(fit)[:LANDMARKS])
    x = _components(signals.inputs, places, landmarks)
    labels = signals.labels[places]
    width = WIDTH * float(np.median(cdist(x[landmarks], x[landmarks], "sqeuclidean")))
    width = max(width, np.finfo(np.float64).tiny)
    # Nystroem: with K_LL = V S V', the features K_fL V S^-1/2 have K_fL K_LL^-1 K_Lf as inner
    # products, which is the kernel itself where every record of `fit` is a landmark.
    s, v = eigh(kernel(x[landmarks], labels[landmarks], x[landmarks], labels[landmarks], width))
    kept = s > 1e-10 * s[-1]
    root = v[:, kept] / np.sqrt(s[kept])
    raw = kernel(x[fit], labels[fit], x[landmarks], labels[landmarks], width) @ root
    spectrum, rotation = eigh(raw.T @ raw)
    spectrum = np.maximum(spectrum, 0.0)
    return _Features(
        places, x, labels, fit, landmarks, width, root @ rotation, spectrum, raw @ rotation
    )  # fmt: skip


def kernel(x: Floats, labels: Ints, at_x: Floats, at_labels: Ints, width: float) -> Floats:
    """[y = y'] (1 + exp(-|x - x'|^2 / width)): for each class a constant and a smooth function of
    the input.

    Args:
        x: (records, components).
        labels: (records,).
        at_x: (landmarks, components).
        at_labels: (landmarks,).
        width: in squared distance, above 0.

    Returns:
        (records, landmarks).
    """
    found = cdist(x, at_x, "sqeuclidean")
    found /= -width
    np.exp(found, out=found)
    found += 1
    found *= labels[:, None] == at_labels
    return found


def _kernel(features: _Features, block: slice) -> Floats:
    f = features
    return kernel(f.x[block], f.labels[block], f.x[f.landmarks], f.labels[f.landmarks], f.width)


def _components(inputs: npt.NDArray[np.float32], places: Ints, landmarks: Ints) -> Floats:
    """The principal components of the inputs at `places`, as the records at `landmarks` among them
    have them."""
    seen = inputs[places[landmarks]].astype(np.float64)
    centre = seen.mean(axis=0)
    _, _, axes = np.linalg.svd(seen - centre, full_matrices=False)
    axes = axes[:COMPONENTS].T
    return np.concatenate([(inputs[places[block]] - centre) @ axes for block in _blocks(len(places))])


def _standardised(signals: Signals, target: int) -> tuple[Floats, Floats]:
    """(h - mu) / sigma of all records, (records,), and of those that were learnt from, each by the
    regressions on all others: (learnt from,)."""
    features = _features(signals)
    # In the order of ids: sums then come out the same to the last bit in whatever order the records
    # stand.
    h = hinge(signals.logits[target], signals.labels)[features.places]
    mean, variance, residuals = _fitted(features, h[features.fit])
    found = np.empty(len(h))
    for block in _blocks(len(h)):
        at_landmarks = _kernel(features, block)
        log_variance = variance.offset + at_landmarks @ variance.weights
        expected = mean.offset + at_landmarks @ mean.weights
        found[features.places[block]] = (h[block] - expected) * np.exp(-log_variance / 2)
    return found, residuals


def _blocks(records: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, records, BLOCK))


def _fitted(features: _Features, margins: Floats) -> tuple[_Regression, _Regression, Floats]:
    """mu and log sigma^2 of the margins at `fit`, and their standardised residuals there.

    Residuals are those of each record by the regression on all others, so that sigma is that of new
    records. The expectation of log chi^2_1, and whatever else is amiss with the level of log
    sigma^2, is put right by making the standardised residuals have mean square 1.
    """
    mean = _ridge(features, margins)
    squares = mean.residuals**2
    # A residual that happens to be near 0 says that no louder than one of 3 % of the usual size.
    logs = np.log(squares + 1e-3 * squares.mean() + np.finfo(np.float64).tiny)
    variance = _ridge(features, logs)
    residuals = mean.residuals * np.exp((variance.residuals - logs) / 2)
    level = max(float(np.mean(residuals**2)), np.finfo(np.float64).tiny)
    levelled = _Regression(variance.offset + np.log(level), variance.weights, variance.residuals)
    return mean, levelled, residuals / np.sqrt(level)


def _ridge(features: _Features, y: Floats) -> _Regression:
    """Ridge regression on the features, with the penalty whose leave-one-out errors are smallest
    (PRESS)."""
    f = features
    offset = float(y.mean())
    centred = y - offset
    projected = f.design.T @ centred
    squared = f.design**2
    tried = []
    for penalty in PENALTIES:
        shrunk = 1 / (f.spectrum + penalty)
        coefficients = shrunk * projected
        leverage = squared @ shrunk + 1 / len(y)
        residuals = (centred - f.design @ coefficients) / np.maximum(1 - leverage, 1e-6)
        tried.append((float(np.mean(residuals**2)), coefficients, residuals))
    _, coefficients, residuals = min(tried, key=lambda fit: fit[0])
    return _Regression(offset, f.basis @ coefficients, residuals)
