"""The Gaussian canary: noise in training inputs that a model can only know by having been trained
on it.

Pawelczyk, Di, Lu, Kamath, Sekhari & Neel, "Machine Unlearning Fails to Remove Data Poisoning
Attacks" (ICLR 2025, arXiv:2406.17216), Algorithms 1 and 2. Record i is trained on as x_i + xi_i
with xi_i ~ N(0, eps_p^2 I) (`research.gaussian_canary.noise`); g_i is the gradient of its loss with respect
to the input, at the *clean* x_i (`research.gaussian_canary.input_gradients`). For a model that is
independent of the noise

    <g_i, xi_i> / (eps_p |g_i|)   is N(0, 1), exactly, and independent from record to record,

whatever the model: given the g_i, it is a fixed unit vector times a standard normal one. No other
model is trained to know the null, and a retrained one satisfies it by construction.

The sign. A gradient step of size eta on the loss at x + xi changes g by -eta J'(grad_theta loss(x)
+ J xi), J being d^2 loss / dtheta dx, and so <g, xi> by -eta |J xi|^2 and a term that is odd in xi,
which vanishes on average: what was trained at x + xi has a loss that falls from x towards it.
Memory is *negative* correlation. A score here is minus the above: higher = more likely trained on
the canary. Clearly negative scores say over-forgetting: p_two_sided counts them too.

Many runs on one canary are not many observations, since they share the noise. One exact test of
them all is that of a direction: any vectors that do not depend on the noise, one a record, may take
the place of the gradients. For an arm: the sum of its runs' unit gradients. For an arm against
retrained runs: its mean unit gradient less theirs, as the retrained know nothing of the noise; what
both have in common cancels, and smaller memories are seen.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from auditkit.statistics.margins import Floats


@dataclass(frozen=True)
class PoisonTest:
    """Is the canary remembered? records: how many were tested. excluded: how many had no gradient.
    mean: of their scores. statistic: sqrt(records) mean, N(0, 1) for a model independent of the
    canary. p: the probability of a statistic as high for such a model. p_two_sided: of one as far
    from 0."""

    records: int
    excluded: int
    mean: float
    statistic: float
    p: float
    p_two_sided: float


def unit(gradients: npt.NDArray[np.floating]) -> Floats:
    """The gradients at length 1: float64 (records, features); zero where they are zero.

    gradients: (records, *shape).
    """
    flat = gradients.reshape(len(gradients), -1).astype(np.float64)
    # By the largest first: the square of a tiny gradient would be 0.
    largest = np.abs(flat).max(axis=1, keepdims=True)
    flat = np.divide(flat, largest, out=np.zeros_like(flat), where=largest > 0)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(np.divide(flat, length, out=flat, where=length > 0))


def canary_scores(
    gradients: npt.NDArray[np.floating], noise: npt.NDArray[np.floating], scale: float
) -> Floats:
    """- <g_i, xi_i> / (eps_p |g_i|) of each record, N(0, 1) if the gradients are independent of the
    noise, higher = more likely trained on it: float64 (records,), NaN where the gradient is zero.

    gradients: (records, *shape), or other directions. noise: xi, (records, *shape). scale: eps_p.
    """
    if gradients.shape[0] != noise.shape[0] or gradients.size != noise.size:
        raise ValueError(f"a gradient for each noise, got shapes {gradients.shape} and {noise.shape}")
    direction = unit(gradients)
    found = -np.einsum("ij,ij->i", direction, noise.reshape(len(noise), -1).astype(np.float64)) / scale
    return np.where(direction.any(axis=1), found, np.nan)


def poison_test(scores: Floats) -> PoisonTest:
    """One exact test of all records. scores: (records,), as `canary_scores` of records with
    independent noise.

    Raises ValueError where no record has a gradient, as in a model that answers with labels only.
    """
    known = scores[~np.isnan(scores)]
    if not len(known):
        raise ValueError(f"the model's answer has no gradient at any of the {len(scores)} records")
    statistic = float(known.sum() / np.sqrt(len(known)))
    return PoisonTest(
        records=len(known),
        excluded=len(scores) - len(known),
        mean=float(known.mean()),
        statistic=statistic,
        p=float(stats.norm.sf(statistic)),
        p_two_sided=float(2 * stats.norm.sf(abs(statistic))),
    )
