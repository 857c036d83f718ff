"""One run against many: what a single released model can be held to.

There is one unlearned run and no knowing how another would have come out, so its noise is not
averaged away: it is taken to be that of a retrained run. What is asked is whether it could be one
more of the m retrained runs, or lies within a margin of them: a prediction interval in place of a
confidence interval.

Residual memory. Every fold k of `auditkit.statistics.residual.memory` judges the same run U, D_k =
v_k . (U - P_k), G_k = v_k . (O_k - R_k), with v_k from all other runs and P_k a retrained run, or
one of a placebo. As U is the same in each, the D_k differ by the noise of one run P_k: s = SD of D.
So for any Delta

    mean(D) - Delta mean(G)  has the variance  s^2 + var(D~ - Delta G~) / m,

the first term being the noise of U itself, the second that of all other runs, by the pseudo-values
D~, G~ of the jackknife. The interval of rho = mean(D) / mean(G) holds the Deltas that a t-test with
m - 1 degrees of freedom does not reject. R_k is in no v_k, so that noise of the retrained runs does
not bias D. Attack AUCs and accuracies, one value a run, are predicted alike
(`auditkit.statistics.hypotheses.welch`).
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy import stats

from auditkit.statistics.hypotheses import (
    Equivalence,
    p_above,
    p_below,
    t_quantile,
)
from auditkit.statistics.likelihood import Gap, excess_spread, p_value, statistic
from auditkit.statistics.margins import Floats, Ints, Margins, calibrated, variance
from auditkit.statistics.power import POWER, equivalence_power
from auditkit.statistics.residual import Memory, own_variance, record_variance
from auditkit.statistics.spared import PLANTINGS, Spared

PROPOSED = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
"""Numbers of runs an arm that are proposed to somebody who has too few."""
BESIDE_ONE = 4
"""Runs an arm needs beside a single unlearned one, as each is left out in turn."""
SURE = 0.01
"""A control has failed where so many wrong answers have at most this chance in an audit that is
right."""


def rho_equivalence(memory: Memory, margin: float) -> Equivalence:
    """Is residual memory within +-margin? t-tests of D - margin G and D + margin G, pseudo-values.

    Within is a statement about these records: it weighs the noise of runs alone. Outside accuses:
    it weighs that of records too (`record_variance`), and has to hold for more records like them.
    Of one run its own noise counts besides, in both.

    Args:
        memory: at least two runs.
        margin: above 0, of rho.

    Examples:
        >>> gap = np.full((4, 1), 1.0)
        >>> left = np.array([[0.01], [-0.02], [0.02], [0.0]])
        >>> round(rho_equivalence(Memory(left, gap, one_run=True), margin=0.2).p_within, 4)
        0.001
    """
    own, records = own_variance(memory), record_variance(memory)
    upper, lower = (_beyond(memory, bound, own) for bound in (margin, -margin))
    within = max(p_below(*upper, 0), p_above(*lower, 0))
    upper, lower = (_beyond(memory, bound, own + records) for bound in (margin, -margin))
    outside = min(p_above(*upper, 0), p_below(*lower, 0))
    return Equivalence(within, min(1.0, 2 * outside))


def _beyond(memory: Memory, bound: float, extra: float) -> tuple[float, float, float]:
    """(mean, standard error, degrees of freedom) of D - bound G. extra: variance that the mean has
    besides that over runs."""
    rest, n = memory.D - bound * memory.G, len(memory.D)
    return float(rest.mean()), float(np.sqrt(variance(rest) / n + extra)), n - 1.0


def as_one_more(memory: Memory) -> float:
    """How probable it is that one more of the runs it is compared with lies as far from them as the
    one unlearned run does: the two-sided p-value of the plain prediction test, D / (s sqrt(1 +
    1/m)), Student's t with m - 1 degrees of freedom. No margin is in it.

    Args:
        memory: of one run.

    Examples:
        >>> left = np.array([[0.4], [0.2], [0.3], [0.5]])
        >>> round(as_one_more(Memory(left, np.ones((4, 1)), one_run=True)), 3)
        0.094
    """
    mean, error, df = _beyond(memory, 0.0, own_variance(memory))
    return min(1.0, 2 * p_above(abs(mean), error, df, 0))


def prediction_power(n: int, sd: float, margin: float, alpha: float) -> float:
    """The probability that one run like the retrained ones is found within +-margin of n of them.

    One run against n has the standard error sd sqrt(1 + 1/n), which n observations of SD sd sqrt(n
    + 1) have too.

    Args:
        n: retrained runs.
        sd: of one run.
        margin: in the unit of sd.
        alpha: the level of either of two one-sided tests.

    Examples:
        >>> round(prediction_power(12, sd=0.05, margin=0.2, alpha=0.05), 3)
        0.949
    """
    return equivalence_power(n, sd * np.sqrt(n + 1), margin, alpha)


def runs_for_prediction(sd: float, margin: float, alpha: float) -> int | None:
    """The first of PROPOSED with which `prediction_power` reaches POWER, None if none does: with
    any number of retrained runs the noise of the one stays.

    Examples:
        >>> [runs_for_prediction(sd, margin=0.2, alpha=0.05) for sd in (0.05, 0.2)]
        [6, None]
    """
    return next((n for n in PROPOSED if prediction_power(n, sd, margin, alpha) >= POWER), None)


def runs_to_settle(value: float, half: float, n: int, margin: float, alpha: float) -> int | None:
    """The first of PROPOSED, more than n, whose interval would lie inside the margin if the value
    and the spread stay what they are; None if none does.

    Args:
        value: as it now seems.
        half: half the interval's length with n runs.
        n: runs there are.
        margin: in the unit of the value.
        alpha: the probability beyond either end of the interval.

    Examples:
        >>> runs_to_settle(0.05, half=0.18, n=4, margin=0.2, alpha=0.05)
        6
    """
    sd = half / _width(n, alpha)
    return next((m for m in PROPOSED if m > n and value + sd * _width(m, alpha) <= margin), None)


def _width(n: int, alpha: float) -> float:
    """Half a prediction interval of level 1 - 2 alpha, in SDs of one run."""
    return float(t_quantile(1 - alpha, n - 1) * np.sqrt(1 + 1 / n))


def most_by_chance(runs: int, share: float) -> int:
    """The largest number of `runs` that may come out wrong if each does so with probability
    `share`: more have a chance of at most SURE (binomial).

    Examples:
        >>> most_by_chance(20, 0.05)
        4
    """
    return int(stats.binom.ppf(1 - SURE, runs, share))


def spared_one(
    original: Margins,
    one: Margins,
    retrained: Margins,
    more_retrained: Margins,
    placebo: Margins | None = None,
    *,
    parts: Sequence[Ints] = (),
    seed: int,
    alpha: float,
) -> Spared:
    """Whether some forget records were spared by one run, as `auditkit.statistics.spared` asks it
    of many; arguments as there.

    The null is T of every retrained run in the place of the one, those of `retrained` against the
    rest of them. With so few values its p-value is seldom small enough to refute anything, but it
    can stand in the way of support. power: with one visible record in ten of this run given the
    margins of an original one.
    """
    together = tuple(tuple(part.tolist()) for part in parts)
    reference, compared = retrained.control.mean(axis=0), retrained if placebo is None else placebo
    O, U, P, R = (calibrated(arm, reference) for arm in (original, one, compared, retrained))
    null = null_of_one(original, retrained, more_retrained, together)
    gap = Gap.of(O, R)
    seen = np.flatnonzero(gap.shown)
    T = statistic(gap, U, P, together)
    rng = np.random.default_rng(seed)
    rejected = []
    for _ in range(PLANTINGS if len(seen) else 0):
        kept = rng.choice(seen, size=max(1, len(seen) // 10), replace=False)
        forget = U.forget.copy()
        forget[0, kept] = O.forget[rng.integers(O.runs), kept]
        rejected.append(p_value(statistic(gap, Margins(forget, U.control), P, together), null) <= alpha)
    return Spared(
        T=T,
        p=p_value(T, null),
        null=null,
        visible=len(seen),
        kappa=excess_spread(U.control, P.control),
        power=float(np.mean(rejected)) if rejected else 0.0,
        fewest=None,
    )


@lru_cache(maxsize=4)  # one audit asks for the same null of the claim and of its controls
def null_of_one(
    original: Margins, retrained: Margins, more_retrained: Margins, parts: Sequence[Sequence[int]]
) -> Floats:
    """(retrained runs,): T of each retrained run in the place of the one."""
    n = retrained.runs
    cases = [(retrained.take(np.array([j])), retrained.take(np.delete(np.arange(n), j))) for j in range(n)]
    cases += [(more_retrained.take(np.array([j])), retrained) for j in range(more_retrained.runs)]
    null = []
    for one, others in cases:
        reference = others.control.mean(axis=0)
        O, U, R = (calibrated(arm, reference) for arm in (original, one, others))
        null.append(statistic(Gap.of(O, R), U, R, parts))
    return np.array(null)
