"""Residual memory rho: the share of the original-to-retrained gap that unlearning has left.

1 = nothing forgotten, 0 = like retrained from scratch, < 0 = over-forgotten. The records are
weighed by how well they tell original from retrained runs, v = w / s^2 (w the mean gap, s^2 the
variance within arms), and every fold of the cross-fit leaves out the runs it then judges:

    D_k = v_k . (U_k - R_k),   G_k = v_k . (O_k - R_k),   rho = sum_k D_k / sum_k G_k

where v_k and the calibration behind U, R and O come from all retrained runs but R_k and all
original runs but O_k, the parent of U_k. A run that happens to be good at a kind of record is so on
control records too; what these tell of its forget margins is subtracted first (`shared_noise`). How
this compares with other estimators: docs/estimators.md.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from auditkit.statistics.hypotheses import ratio_interval
from auditkit.statistics.margins import Floats, Ints, Margins, calibrated, mean_variance, variance
from auditkit.statistics.shared_noise import own_margins, shared_noise


@dataclass(frozen=True, eq=False)
class Memory:
    """What each fold saw, record by record.

    left: (runs, forget records), v_k (U_k - R_k): the memory that unlearned run k still holds. gap:
    same shape, v_k (O_k - R_k): the memory its parent held. Both in units of their sum. one_run:
    there is one unlearned run only, and every fold judges that one; its errors are those of
    `auditkit.statistics.prediction`.
    """

    left: Floats
    gap: Floats
    one_run: bool = False

    @property
    def D(self) -> Floats:  # noqa: N802 -- the formula's own letter
        """(runs,): what is left, summed over records."""
        return np.asarray(self.left.sum(axis=1))

    @property
    def G(self) -> Floats:  # noqa: N802 -- the formula's own letter
        """(runs,): what there was, summed over records."""
        return np.asarray(self.gap.sum(axis=1))

    def of(self, records: Ints) -> "Memory":
        """What each fold saw of some of the forget records, by position."""
        return Memory(self.left[:, records], self.gap[:, records], self.one_run)


def memory(
    original: Margins, unlearned: Margins, retrained: Margins, placebo: Margins | None = None
) -> Memory:
    """Cross-fitted memory of the forget records.

    Args:
        original: margins of at least 3 runs.
        unlearned: margins of as many runs, run k made from run k of `original`; or of one run.
        retrained: margins of as many runs as `original`.

    Raises:
        ValueError: the arms have other numbers of runs.

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> control = rng.normal(0, 1, 50) + rng.normal(0, 0.1, (2, 4, 50))
        >>> original = Margins(rng.normal(1, 0.1, (4, 10)), control[0])
        >>> retrained = Margins(rng.normal(0, 0.1, (4, 10)), control[1])
        >>> kept = memory(original, original, retrained)  # nothing was forgotten
        >>> rho(kept), kept.left.shape
        (1.0, (4, 10))
    """
    n = retrained.runs
    one_run = unlearned.runs == 1
    if not n == original.runs >= 3 or not (one_run or unlearned.runs == n):
        raise ValueError(
            f"arms need equal numbers of runs, at least 3: got {original.runs}, {unlearned.runs}, {n}"
        )
    left, gap = [], []
    for k, fold in enumerate(folds(original, retrained)):
        u = _of_run(0 if one_run else k, unlearned, fold.reference, fold.noise)
        p = fold.r if placebo is None else _of_run(k, placebo, fold.reference, fold.noise)
        left.append(fold.v * (u - p))
        gap.append(fold.v * (fold.o - fold.r))
    return Memory(np.array(left), np.array(gap), one_run)


@dataclass(frozen=True, eq=False)
class Fold:
    """What one fold learns from all original and retrained runs but its own, and what it makes of
    those two.

    reference: (control records,), the scale; noise: see `shared_noise`; v: (forget records,),
    weights; o, r: (forget records,), the own margins of the two runs left out.
    """

    reference: Floats
    noise: tuple[Floats, Floats]
    v: Floats
    o: Floats
    r: Floats


@lru_cache(
    maxsize=32
)  # a claim and its controls are judged by the same folds, and so are claims that share runs
def folds(original: Margins, retrained: Margins) -> tuple[Fold, ...]:
    """A fold for each pair of runs."""
    n, found = retrained.runs, []
    for k in range(n):
        others = np.delete(np.arange(n), k)
        reference = retrained.control[others].mean(axis=0)
        O, R = (calibrated(arm, reference) for arm in (original, retrained))
        noise = shared_noise(O.take(others), R.take(others))
        o, r = (own_margins(arm, noise)[others] for arm in (O, R))
        left_out = (_of_run(k, arm, reference, noise) for arm in (original, retrained))
        found.append(Fold(reference, noise, weights(o, r), *left_out))
    return tuple(found)


def _of_run(k: int, arm: Margins, reference: Floats, noise: tuple[Floats, Floats]) -> Floats:
    """The own margins of one run, (forget records,): computed by itself, so that a no-op leaves 1
    to the last bit."""
    return np.asarray(own_margins(calibrated(arm.take(np.array([k])), reference), noise)[0])


def weights(O: Floats, R: Floats) -> Floats:
    """v = w / s^2 for each forget record: (records,).

    s^2 is the variance within the two arms, shrunk half-way to its mean over records: with few runs
    a variance near zero is luck, not precision.

    Args:
        O: (runs, records).
        R: (runs, records).

    Examples:
        >>> O, R = np.array([[3.0, 1.0], [5.0, 1.0]]), np.array([[0.0, 1.0], [2.0, 1.0]])
        >>> weights(O, R).tolist()
        [2.0, 0.0]
    """
    within = (variance(O) + variance(R)) / 2
    shrunk = (within + within.mean()) / 2
    gap = O.mean(axis=0) - R.mean(axis=0)
    return np.asarray(np.divide(gap, shrunk, out=np.zeros_like(gap), where=shrunk > 0))


def rho(memory: Memory) -> float:
    """Residual memory, sum D / sum G; NaN where there was nothing to remember.

    Examples:
        >>> rho(Memory(left=np.array([[0.5], [0.3]]), gap=np.array([[2.0], [2.0]])))
        0.2
    """
    G = float(memory.G.sum())
    return float(memory.D.sum()) / G if G != 0 else float("nan")


def rho_interval(memory: Memory, alpha: float) -> tuple[float, float]:
    """A confidence interval of level 1 - 2 alpha for rho, over runs: see `ratio_interval`. Of one
    run a prediction interval: its own spread, that of the retrained runs behind D, no mean over
    runs takes away.

    Examples:
        >>> found = Memory(left=np.array([[0.5], [0.3], [0.4]]), gap=np.full((3, 1), 2.0))
        >>> [round(end, 3) for end in rho_interval(found, alpha=0.05)]
        [0.116, 0.284]
    """
    own = float(memory.D.var(ddof=1)) if memory.one_run else 0.0
    return ratio_interval(memory.D, memory.G, alpha, own)


def rho_error(memory: Memory) -> float:
    """The standard error of rho over runs (delta method).

    Examples:
        >>> round(rho_error(Memory(np.array([[0.5], [0.3], [0.4]]), np.full((3, 1), 2.0))), 4)
        0.0289
    """
    rest = memory.D - rho(memory) * memory.G
    error = rest.std(ddof=1) / np.sqrt(len(rest))
    if memory.one_run:
        error = np.hypot(error, memory.D.std(ddof=1))
    return float(error / abs(memory.G.mean()))


def rho_by_run(memory: Memory) -> Floats:
    """D_k over the mean of G: (runs,), one dot a run; their mean is rho, and all there is of one
    run. Empty where there was nothing to remember.

    Examples:
        >>> rho_by_run(Memory(np.array([[0.5], [0.3]]), np.full((2, 1), 2.0))).tolist()
        [0.25, 0.15]
    """
    G = float(memory.G.mean())
    if memory.one_run and G != 0:
        return np.array([rho(memory)])
    return np.asarray(memory.D / G) if G != 0 else np.empty(0)


def drift_error(original: Margins, unlearned: Margins, retrained: Margins) -> float:
    """The standard deviation that drift alone gives rho: if the unlearned runs differed from
    retrained ones on each forget record as they do on control records, by chance over records and
    beyond chance over runs. 0 where they do not differ beyond chance, NaN where there was nothing
    to remember.
    """
    reference = retrained.control.mean(axis=0)
    O, U, R = (calibrated(arm, reference) for arm in (original, unlearned, retrained))
    d = U.control.mean(axis=0) - R.control.mean(axis=0)
    chance = mean_variance(U.control, R.control)
    drift = np.sqrt(max(0.0, float(np.mean(d**2 - chance))))
    noise = shared_noise(O, R)
    o, r = own_margins(O, noise), own_margins(R, noise)
    v = weights(o, r)
    gap = float(v @ (o.mean(axis=0) - r.mean(axis=0)))
    return float(np.sqrt(v @ v)) * drift / gap if gap > 0 else float("nan")


def effective_records(memory: Memory) -> float:
    """How many records carry the measurement: (sum g)^2 / sum g^2 over each record's share g of the
    gap. It is the number of forget records if all count the same, 1 if one of them is all there
    is.

    Examples:
        >>> gap = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0]])
        >>> effective_records(Memory(np.zeros((2, 3)), gap))
        2.0
    """
    g = np.clip(memory.gap.mean(axis=0), 0, None)
    return float(g.sum() ** 2 / (g @ g)) if g.any() else 0.0
