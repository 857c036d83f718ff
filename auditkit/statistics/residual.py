"""Residual memory rho: the share of the original-to-retrained gap that unlearning has left.

1 = nothing forgotten, 0 = like retrained from scratch, < 0 = over-forgotten. The records are weighed
by how well they tell original from retrained runs, v = w / s^2 (w the mean gap, s^2 the variance
within arms), and every fold of the cross-fit leaves out the runs it then judges:

    D_k = v_k . (U_k - R_k),   G_k = v_k . (O_k - R_k),   rho = sum_k D_k / sum_k G_k

where v_k and the calibration behind U, R and O come from all retrained runs but R_k and all original
runs but O_k, the parent of U_k.
"""

from dataclasses import dataclass

import numpy as np

from auditkit.statistics.hypotheses import t_quantile
from auditkit.statistics.margins import Floats, Ints, Margins, calibrated, mean_variance, variance


@dataclass(frozen=True, eq=False)
class Memory:
    """What each fold saw, record by record.

    left: (runs, forget records), v_k (U_k - R_k): the memory that unlearned run k still holds.
    gap: same shape, v_k (O_k - R_k): the memory its parent held. Both in units of their sum.
    one_run: there is one unlearned run only, and every fold judges that one; its errors are those of
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
        """The same for some of the forget records."""
        return Memory(self.left[:, records], self.gap[:, records], self.one_run)


def memory(original: Margins, unlearned: Margins, retrained: Margins) -> Memory:
    """Cross-fitted memory of the forget records. Run k of `unlearned` was made from run k of
    `original`; all three arms have the same number of runs, at least 3, but that `unlearned` may be one run."""
    n = retrained.runs
    one_run = unlearned.runs == 1
    if not n == original.runs >= 3 or not (one_run or unlearned.runs == n):
        raise ValueError(
            f"arms need equal numbers of runs, at least 3: got {original.runs}, {unlearned.runs}, {n}"
        )
    left, gap = [], []
    for k in range(n):
        others = np.delete(np.arange(n), k)
        reference = retrained.control[others].mean(axis=0)
        O, R = calibrated(original, reference).forget, calibrated(retrained, reference).forget
        U_k = calibrated(unlearned.take(np.array([0 if one_run else k])), reference).forget[0]
        v = weights(O[others], R[others])
        left.append(v * (U_k - R[k]))
        gap.append(v * (O[k] - R[k]))
    return Memory(np.array(left), np.array(gap), one_run)


def weights(O: Floats, R: Floats) -> Floats:
    """v = w / s^2 for each forget record: (records,). O, R: (runs, records).

    s^2 is the variance within the two arms, shrunk half-way to its mean over records: with few runs
    a variance near zero is luck, not precision.
    """
    within = (variance(O) + variance(R)) / 2
    shrunk = (within + within.mean()) / 2
    gap = O.mean(axis=0) - R.mean(axis=0)
    return np.asarray(np.divide(gap, shrunk, out=np.zeros_like(gap), where=shrunk > 0))


def rho(memory: Memory) -> float:
    """Residual memory, sum D / sum G; NaN where there was nothing to remember."""
    G = float(memory.G.sum())
    return float(memory.D.sum()) / G if G != 0 else float("nan")


def rho_interval(memory: Memory, alpha: float) -> tuple[float, float]:
    """The values of Delta that a two-sided t-test of mean(D - Delta G) = 0 at level 2 alpha does not
    reject (Fieller): a confidence interval of level 1 - 2 alpha for rho.

    Infinite on both sides where the gap G itself cannot be told from zero.
    """
    D, G = memory.D, memory.G
    n = len(D)
    c = t_quantile(1 - alpha, n - 1) ** 2 / n
    (s_dd, s_dg), (_, s_gg) = np.cov(D, G)
    if memory.one_run:  # whose own spread no mean over runs takes away
        s_dd *= 1 + n
    a = G.mean() ** 2 - c * s_gg
    b = D.mean() * G.mean() - c * s_dg
    if a <= 0:
        return -np.inf, np.inf
    half = np.sqrt(max(b * b - a * (D.mean() ** 2 - c * s_dd), 0.0))
    return float((b - half) / a), float((b + half) / a)


def rho_error(memory: Memory) -> float:
    """The standard error of rho over runs (delta method)."""
    rest = memory.D - rho(memory) * memory.G
    error = rest.std(ddof=1) / np.sqrt(len(rest))
    if memory.one_run:
        error = np.hypot(error, memory.D.std(ddof=1))
    return float(error / abs(memory.G.mean()))


def rho_by_run(memory: Memory) -> Floats:
    """D_k over the mean of G: (runs,), one dot a run; their mean is rho, and all there is of one run. Empty where
    there was nothing to remember."""
    G = float(memory.G.mean())
    if memory.one_run and G != 0:
        return np.array([rho(memory)])
    return np.asarray(memory.D / G) if G != 0 else np.empty(0)


def drift_error(original: Margins, unlearned: Margins, retrained: Margins) -> float:
    """The standard deviation that drift alone gives rho: if the unlearned runs differed from retrained
    ones on each forget record as they do on control records, by chance over records and beyond chance
    over runs. 0 where they do not differ beyond chance."""
    reference = retrained.control.mean(axis=0)
    O, U, R = (calibrated(arm, reference) for arm in (original, unlearned, retrained))
    d = U.control.mean(axis=0) - R.control.mean(axis=0)
    chance = mean_variance(U.control, R.control)
    drift = np.sqrt(max(0.0, float(np.mean(d**2 - chance))))
    v = weights(O.forget, R.forget)
    gap = float(v @ (O.forget.mean(axis=0) - R.forget.mean(axis=0)))
    return float(np.sqrt(v @ v)) * drift / gap if gap > 0 else float("nan")


def effective_records(memory: Memory) -> float:
    """How many records carry the measurement: (sum g)^2 / sum g^2 over each record's share g of the
    gap. It is the number of forget records if all count the same, 1 if one of them is all there is."""
    g = np.clip(memory.gap.mean(axis=0), 0, None)
    return float(g.sum() ** 2 / (g @ g)) if g.any() else 0.0
