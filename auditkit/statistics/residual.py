"""Residual memory rho: the share of the original-to-retrained gap that unlearning has left.

1 = nothing forgotten, 0 = like the runs it is held against, < 0 = over-forgotten. Records are
weighed by how well they tell original from retrained runs, v = w / s^2 (w the mean gap, s^2 the
variance within arms), and every fold of the cross-fit leaves out the runs it then judges:

    D_k = v_k . (U_k - P_k),   G_k = v_k . (O_k - R_k),   rho = sum_k D_k / sum_k G_k

where v_k and the calibration behind U, P, O and R come from all retrained runs but R_k and all
original runs but O_k, the parent of U_k. P are the runs that unlearned ones are held against:
retrained ones, or a placebo, what the same procedure makes of models that never saw the forget
records (what a recipe does to any model is then in both, and no memory). A run that happens to be
good at a kind of record is so on control records too; what these tell of its forget margins is
subtracted first (`shared_noise`). How this compares with other estimators: docs/estimators.md.

What folds have in common, the D_k cannot show: intervals and tests are made of the pseudo-values of
`auditkit.statistics.jackknife`. They are about further runs on these records; a refutation weighs
besides how much rho would be another with other records (`record_error`).
"""

from dataclasses import dataclass

import numpy as np

from auditkit.statistics.folds import folds, of_run, weights
from auditkit.statistics.hypotheses import ratio_interval
from auditkit.statistics.jackknife import LEAST_RUNS, deleted, pseudo_values
from auditkit.statistics.margins import Floats, Ints, Margins, calibrated, mean_variance
from auditkit.statistics.shared_noise import own_margins, shared_noise


@dataclass(frozen=True, eq=False)
class Memory:
    """What each fold saw, record by record.

    left: (runs, forget records), v_k (U_k - P_k): the memory that unlearned run k still holds. gap:
    same shape, v_k (O_k - R_k): the memory its parent held. Both in units of their sum. one_run:
    there is one unlearned run only, and every fold judges that one; its errors are those of
    `auditkit.statistics.prediction`. pseudo: left and gap as pseudo-values of the jackknife, row j
    being how much run j of all arms moves the whole estimate, with the same means over runs; None
    where there are too few runs for it, and the folds themselves stand in.
    """

    left: Floats
    gap: Floats
    one_run: bool = False
    pseudo: tuple[Floats, Floats] | None = None

    @property
    def D(self) -> Floats:  # noqa: N802 -- the formula's own letter
        """(runs,): what is left, summed over records; pseudo-values."""
        return np.asarray((self.pseudo[0] if self.pseudo else self.left).sum(axis=1))

    @property
    def G(self) -> Floats:  # noqa: N802 -- the formula's own letter
        """(runs,): what there was, summed over records; pseudo-values."""
        return np.asarray((self.pseudo[1] if self.pseudo else self.gap).sum(axis=1))

    def of(self, records: Ints) -> "Memory":
        """What each fold saw of some of the forget records, by position."""
        pseudo = (self.pseudo[0][:, records], self.pseudo[1][:, records]) if self.pseudo else None
        return Memory(self.left[:, records], self.gap[:, records], self.one_run, pseudo)


def memory(
    original: Margins, unlearned: Margins, retrained: Margins, placebo: Margins | None = None
) -> Memory:
    """Cross-fitted memory of the forget records.

    Args:
        original: margins of at least 3 runs; of 3 there is no jackknife.
        unlearned: margins of as many runs, run k made from run k of `original`; or of one run.
        retrained: margins of as many runs as `original`.
        placebo: margins of as many runs, which unlearned ones are held against; by default the
            retrained ones.

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
    _checked(original, unlearned, retrained, placebo)
    one_run, n = unlearned.runs == 1, retrained.runs
    left, gap = np.empty_like(retrained.forget), np.empty_like(retrained.forget)
    for k, fold in enumerate(folds(original, retrained)):
        u = of_run(0 if one_run else k, unlearned, fold.reference, fold.noise)
        p = fold.r if placebo is None else of_run(k, placebo, fold.reference, fold.noise)
        left[k] = fold.v * (u - p)
        gap[k] = fold.v * (fold.o - fold.r)
    if n < LEAST_RUNS:
        return Memory(left, gap, one_run)
    length = float(np.mean([np.linalg.norm(fold.v) for fold in folds(original, retrained)]))
    held_against = retrained if placebo is None else placebo
    left_j, gap_j = (length * part for part in deleted(original, unlearned, retrained, held_against))
    return Memory(left, gap, one_run, (pseudo_values(left, left_j), pseudo_values(gap, gap_j)))


def _checked(original: Margins, unlearned: Margins, retrained: Margins, placebo: Margins | None) -> None:
    arms = [arm for arm in (original, unlearned, retrained, placebo) if arm is not None]
    paired = [arm.runs for arm in arms if arm is not unlearned or arm.runs != 1]
    if len(set(paired)) > 1 or paired[0] < 3:
        counts = ", ".join(str(arm.runs) for arm in arms)
        raise ValueError(f"arms need equal numbers of runs, at least 3: got {counts}")


def rho(memory: Memory) -> float:
    """Residual memory, sum D / sum G; NaN where there was nothing to remember.

    Examples:
        >>> rho(Memory(left=np.array([[0.5], [0.3]]), gap=np.array([[2.0], [2.0]])))
        0.2
    """
    G = float(memory.gap.sum(axis=1).sum())
    return float(memory.left.sum(axis=1).sum()) / G if G != 0 else float("nan")


def own_variance(memory: Memory) -> float:
    """The variance that mean D has by the noise of the unlearned run if it is only one: that of the
    runs it is held against, behind the folds' D_k, which no mean over runs takes away. 0 if there
    are many."""
    return float(memory.left.sum(axis=1).var(ddof=1)) if memory.one_run else 0.0


def rho_interval(memory: Memory, alpha: float) -> tuple[float, float]:
    """A confidence interval of level 1 - 2 alpha for rho, over runs: `ratio_interval` of the
    pseudo-values. Of one run a prediction interval, with its `own_variance`.

    Examples:
        >>> found = Memory(left=np.array([[0.5], [0.3], [0.4]]), gap=np.full((3, 1), 2.0))
        >>> [round(end, 3) for end in rho_interval(found, alpha=0.05)]
        [0.116, 0.284]
    """
    return ratio_interval(memory.D, memory.G, alpha, own_variance(memory))


def refuting_interval(memory: Memory, alpha: float) -> tuple[float, float]:
    """The interval over runs and records, of level 1 - 2 alpha: wholly beyond a margin where
    `auditkit.statistics.prediction.rho_equivalence` refutes at level 2 alpha.

    Examples:
        >>> left = np.array([[0.5, 0.1], [0.3, 0.1], [0.4, 0.1]])
        >>> found = Memory(left, gap=np.full((3, 2), 2.0))
        >>> [round(end, 3) for end in refuting_interval(found, alpha=0.05)]
        [-0.09, 0.34]
    """
    return ratio_interval(memory.D, memory.G, alpha, own_variance(memory) + record_variance(memory))


def rho_error(memory: Memory) -> float:
    """The standard error of rho over runs (delta method on the pseudo-values).

    Examples:
        >>> round(rho_error(Memory(np.array([[0.5], [0.3], [0.4]]), np.full((3, 1), 2.0))), 4)
        0.0289
    """
    rest = memory.D - rho(memory) * memory.G
    error = np.sqrt(rest.var(ddof=1) / len(rest) + own_variance(memory))
    return float(error / abs(memory.G.mean()))


def record_error(memory: Memory) -> float:
    """The standard error of rho over forget records, were these drawn from more like them
    (linearised jackknife over records), besides the noise of runs.

    Examples:
        >>> left = np.array([[0.5, 0.1], [0.3, 0.1], [0.4, 0.1]])
        >>> round(record_error(Memory(left, np.full((3, 2), 2.0))), 4)
        0.0722
    """
    G = float(memory.gap.mean(axis=0).sum())
    return float(np.sqrt(record_variance(memory))) / abs(G) if G != 0 else float("nan")


def record_variance(memory: Memory) -> float:
    """The variance of mean(D - rho G) over records: `record_error` squared, in the unit of D. What
    noise of runs adds to the spread between records is taken off, as the error over runs has it. 0
    of one record, which cannot tell."""
    rest = memory.left - rho(memory) * memory.gap
    n, m = rest.shape
    if m == 1:
        return 0.0
    of_runs = rest.var(axis=0, ddof=1) / n if n > 1 and not memory.one_run else np.zeros(m)
    return float(m / (m - 1) * max(0.0, np.sum(rest.mean(axis=0) ** 2 - of_runs)))


def rho_by_run(memory: Memory) -> Floats:
    """What the fold of each run sees left, over the mean gap: (runs,), one dot a run; their mean is
    rho, and all there is of one run. Empty where there was nothing to remember.

    Examples:
        >>> rho_by_run(Memory(np.array([[0.5], [0.3]]), np.full((2, 1), 2.0))).tolist()
        [0.25, 0.15]
    """
    G = float(memory.gap.sum(axis=1).mean())
    if memory.one_run and G != 0:
        return np.array([rho(memory)])
    return np.asarray(memory.left.sum(axis=1) / G) if G != 0 else np.empty(0)


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


def largest_shares(memory: Memory) -> tuple[float, float]:
    """The shares of the gap that the one record with the largest carries, and the three with the
    largest together; 0 where there is no gap.

    Examples:
        >>> largest_shares(Memory(np.zeros((1, 4)), np.array([[5.0, 1.0, 2.0, 2.0]])))
        (0.5, 0.9)
    """
    g = np.sort(np.clip(memory.gap.mean(axis=0), 0, None))[::-1]
    whole = float(g.sum())
    return (float(g[0] / whole), float(g[:3].sum() / whole)) if whole > 0 else (0.0, 0.0)
