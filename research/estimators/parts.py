"""What the estimators of `research/estimators/table.py` are made of: ways to calibrate, to
squash, to weigh."""

from collections.abc import Callable

import numpy as np
from scipy import stats
from sklearn.isotonic import IsotonicRegression

from auditkit.statistics.margins import Floats, Margins, variance

Change = Callable[[Margins, Floats], Margins]
"""(an arm, the reference: the mean retrained margins on control records) -> the arm on another
scale."""
Weigh = Callable[[Margins, Margins], tuple[Floats, Floats]]
"""(O, R on that scale) -> the weights of forget and of control records, the latter mostly 0."""


def both(arm: Margins, change: Callable[[Floats], Floats]) -> Margins:
    """The same done to forget and control records."""
    return Margins(change(arm.forget), change(arm.control))


def limit(reference: Floats, q: float) -> float:
    """The q-quantile of the size of the reference."""
    return float(np.quantile(np.abs(reference), q))


def inverted(arm: Margins, a: Floats, b: Floats) -> Margins:
    """(h - a) / b, run by run; 0 for a run whose slope is not positive."""
    usable = (b > 0)[:, None]
    scale = np.where(usable, b[:, None], 1.0)
    return both(arm, lambda h: np.where(usable, (h - a[:, None]) / scale, 0.0))


def straight(control: Floats, reference: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """(a, b) of the weighted least-squares line control = a + b reference of each run."""
    w = weights / weights.sum()
    centred = reference - w @ reference
    b = control @ (w * centred) / ((w * centred) @ centred)
    return control @ w - b * (w @ reference), b


def as_it_is(arm: Margins, reference: Floats) -> Margins:
    """No change."""
    return arm


def intercept(arm: Margins, reference: Floats) -> Margins:
    """Shift alone."""
    shift = (arm.control - reference).mean(axis=1)
    return inverted(arm, shift, np.ones(len(shift)))


def line(arm: Margins, reference: Floats) -> Margins:
    """Shift and scale, by least squares."""
    return inverted(arm, *straight(arm.control, reference, np.ones(len(reference))))


def near_line(arm: Margins, reference: Floats, q: float) -> Margins:
    """The same, fitted to records within the limit."""
    return inverted(
        arm, *straight(arm.control, reference, (np.abs(reference) <= limit(reference, q)).astype(np.float64))
    )


def soft_line(arm: Margins, reference: Floats, q: float) -> Margins:
    """The same, with weights 1 / (1 + (reference / limit)^2)."""
    weights = 1 / (1 + (reference / limit(reference, q)) ** 2)
    return inverted(arm, *straight(arm.control, reference, weights))


def through_origin(arm: Margins, reference: Floats) -> Margins:
    """Scale alone, by least squares: h = 0 is the decision boundary of every run."""
    slope = arm.control @ reference / (reference @ reference)
    return inverted(arm, np.zeros(len(slope)), slope)


def median_scale(arm: Margins, reference: Floats) -> Margins:
    """Scale alone, as the ratio of median sizes."""
    slope = np.median(np.abs(arm.control), axis=1) / np.median(np.abs(reference))
    return inverted(arm, np.zeros(len(slope)), slope)


def huber_line(arm: Margins, reference: Floats) -> Margins:
    """Shift and scale, by Huber's loss (five rounds of reweighting, 1.345 scaled median
    deviations)."""
    a, b = straight(arm.control, reference, np.ones(len(reference)))
    for _ in range(5):
        rest = np.abs(arm.control - a[:, None] - b[:, None] * reference)
        scale = 1.4826 * np.median(rest, axis=1, keepdims=True)
        w = np.minimum(1, 1.345 * scale / np.maximum(rest, 1e-12))
        centre = (w @ reference) / w.sum(axis=1)
        x = reference - centre[:, None]
        b = (w * x * arm.control).sum(axis=1) / (w * x * x).sum(axis=1)
        a = (w * arm.control).sum(axis=1) / w.sum(axis=1) - b * centre
    return inverted(arm, a, b)


def forward_line(arm: Margins, reference: Floats) -> Margins:
    """Shift and scale by regressing the reference on the run."""
    centred = arm.control - arm.control.mean(axis=1, keepdims=True)
    b = centred @ (reference - reference.mean()) / (centred**2).sum(axis=1)
    a = reference.mean() - b * arm.control.mean(axis=1)
    return both(arm, lambda h: a[:, None] + b[:, None] * h)


def isotonic(arm: Margins, reference: Floats) -> Margins:
    """The monotone curve that fits the reference best, run by run."""
    fits = [IsotonicRegression(out_of_bounds="clip").fit(run, reference) for run in arm.control]
    return both(arm, lambda h: np.stack([fit.predict(run) for fit, run in zip(fits, h, strict=True)]))


def quantile_map(arm: Margins, reference: Floats) -> Margins:
    """The monotone curve from the quantiles of a run's control margins to those of the
    reference."""
    grid = np.linspace(0, 1, 33)
    to, of = np.quantile(reference, grid), np.quantile(arm.control, grid, axis=1).T
    return both(arm, lambda h: np.stack([np.interp(run, own, to) for run, own in zip(h, of, strict=True)]))


def clipped(arm: Margins, reference: Floats, q: float = 0.6) -> Margins:
    """Clip at +- the q-quantile of the reference's size."""
    most = limit(reference, q)
    return both(arm, lambda h: np.clip(h, -most, most))


def tanh(arm: Margins, reference: Floats, q: float) -> Margins:
    """tanh(h / limit)."""
    scale = limit(reference, q)
    return both(arm, lambda h: np.tanh(h / scale))


def algebraic(arm: Margins, reference: Floats, q: float) -> Margins:
    """h / sqrt(limit^2 + h^2)."""
    scale = limit(reference, q)
    return both(arm, lambda h: h / np.sqrt(scale**2 + h**2))


def signs(arm: Margins, reference: Floats) -> Margins:
    """Right or wrong."""
    return both(arm, np.sign)


def ranks(arm: Margins, reference: Floats, *, normal: bool = False) -> Margins:
    """The rank of each margin among the run's own control margins, or its normal score."""

    def rank(h: Floats) -> Floats:
        found = []
        for run, control in zip(h, np.sort(arm.control, axis=1), strict=True):
            ends = [np.searchsorted(control, run, side) for side in ("left", "right")]
            found.append((np.mean(ends, axis=0) + 0.5) / (len(control) + 1))
        return np.asarray(stats.norm.ppf(found) if normal else np.stack(found))

    return both(arm, rank)


def gap(O: Margins, R: Margins) -> Floats:
    """w: (forget records,)."""
    return np.asarray(O.forget.mean(axis=0) - R.forget.mean(axis=0))


def spread(O: Floats, R: Floats, shrink: float) -> Floats:
    """s^2, shrunk to its mean over records: (records,)."""
    s2 = (variance(O) + variance(R)) / 2
    return np.asarray((1 - shrink) * s2 + shrink * s2.mean())


def none_for_control(v: Floats, R: Margins) -> tuple[Floats, Floats]:
    """These weights, and 0 for control records."""
    return v, np.zeros(R.control.shape[1])


def over_spread(
    O: Margins, R: Margins, *, shrink: float = 0.5, visible: float = 0.0, positive: bool = False
) -> tuple[Floats, Floats]:
    """w / s^2, for records with |w| > visible s."""
    w, s2 = gap(O, R), spread(O.forget, R.forget, shrink)
    v = np.divide(w, s2, out=np.zeros_like(w), where=s2 > 0)
    v = np.where(np.abs(w) >= visible * np.sqrt(s2), v, 0.0)
    return none_for_control(np.maximum(v, 0) if positive else v, R)


def alike(O: Margins, R: Margins) -> tuple[Floats, Floats]:
    """1."""
    return none_for_control(np.ones(R.forget.shape[1]), R)


def sign_of_gap(O: Margins, R: Margins) -> tuple[Floats, Floats]:
    """+1 or -1."""
    return none_for_control(np.sign(gap(O, R)), R)


def direction(O: Margins, R: Margins, *, own: float, control: bool = False) -> tuple[Floats, Floats]:
    """Fisher's direction S^-1 w with S the covariance within arms, shrunk: `own` parts of its
    (shrunk) diagonal. With control, over both kinds of records, with no gap in the control records:
    their noise is subtracted as far as it goes with that of the forget records. Inverted by
    Woodbury's identity: runs are few."""
    kinds = ("forget", "control") if control else ("forget",)
    pairs = [(getattr(O, kind), getattr(R, kind)) for kind in kinds]
    diagonal = np.maximum(own * np.concatenate([spread(*pair, 0.5) for pair in pairs]), 1e-12)
    rest = np.vstack(
        [np.hstack([arm - arm.mean(axis=0) for arm in arms]) for arms in zip(*pairs, strict=True)]
    )
    Z = np.sqrt((1 - own) / (len(rest) - 2)) * rest
    w = np.concatenate([gap(O, R), np.zeros(Z.shape[1] - O.forget.shape[1])])
    scaled = Z / diagonal
    v = w / diagonal - scaled.T @ np.linalg.solve(np.eye(len(Z)) + scaled @ Z.T, scaled @ w)
    f = O.forget.shape[1]
    return (v[:f], v[f:]) if control else none_for_control(v, R)


def control_variate(
    O: Margins, R: Margins, *, components: int | None = None, ridge: float = 1.0, shrink: float = 0.5
) -> tuple[Floats, Floats]:
    """w / s^2 of forget margins less their ridge regression on control margins (or on the first
    principal components of these): run noise that both kinds share drops out. ridge: in mean
    eigenvalues."""
    F, C = (
        np.vstack([arm - arm.mean(axis=0) for arm in arms])
        for arms in ((O.forget, R.forget), (O.control, R.control))
    )
    if components:
        axes = np.linalg.svd(C, full_matrices=False)[2][:components]
        C = C @ axes.T @ axes
    K = C @ C.T
    A = np.linalg.solve(K + ridge * np.trace(K) / len(K) * np.eye(len(K)), F)
    own = (Margins(arm.forget - arm.control @ C.T @ A, arm.control) for arm in (O, R))
    v, _ = over_spread(*own, shrink=shrink)
    return v, -C.T @ (A @ v)
