"""SWAP: an advantage over unlearned models that is exactly 0 for retrained ones, whatever the
attack.

Tu, Hu & Ma, "A Reliable Cryptographic Framework for Empirical Machine Unlearning Evaluation"
(NeurIPS 2025, arXiv:2404.11577). An adversary is given a model and records that are either the
forgotten F or the unseen T, and says which. In one split of the records alone, F may simply be
easier than T: a retrained model, that saw neither, then has an "advantage" as well. So the same is
done again with the two sets exchanged: in the swapped world T is trained on and unlearned, and F is
never seen. The advantage is the mean of both:

    Adv = 1/2 (Adv in s: F against T) + 1/2 (Adv in s': T against F).

A retrained model does not depend on which of the two it is said to have forgotten: what it gives in
one world it takes in the other. Adv is 0 where the same models serve both worlds, and 0 on average
where each world has retrained models of its own. The paper takes the absolute value and calls 1 -
|Adv| the quality of unlearning; the sign is kept here, since the accused being *less* likely
forgotten says over-forgetting. The adversary here is shown one record of each set, names the one
that scores higher, and tosses a coin if neither does: P(right) - P(wrong) = 2 AUC - 1. That rule
knows neither which set is which nor in which world it is, as it must not, and has no threshold to
be chosen: one at the median of F and T sees nothing of memory that lies in the few hardest records.
"""

from dataclasses import dataclass

import numpy as np

from auditkit.statistics.hypotheses import paired, t_quantile
from auditkit.statistics.margins import Floats
from auditkit.statistics.scores import Scores


@dataclass(frozen=True, eq=False)
class Swap:
    """The adversary's advantage over both worlds: 0 = none, 1 = knows every record.

    advantages: (runs,), of each pair of runs. mean: of these. low, high: a t-interval of it over
    runs.
    """

    advantages: Floats
    mean: float
    low: float
    high: float


def swap_advantage(world: Scores, swapped: Scores, *, alpha: float = 0.05) -> Swap:
    """The advantage of one attack over both worlds, with its 1 - alpha interval over runs.

    Args:
        world: the scores of F (as forget) and T (as control) by runs that forgot F.
        swapped: the scores of T (as forget) and F (as control) by as many runs that forgot T; runs
            of both worlds are taken in pairs, in order.
        alpha: the probability that the interval misses.

    Raises:
        ValueError: fewer than two pairs, sets that are not each other's, or NaN: a record must be
            asked about in both worlds.

    Examples:
        >>> F, T = np.array([[1.0, 2.0], [1.0, 3.0]]), np.array([[0.0, 2.0], [0.0, 2.0]])
        >>> swap_advantage(Scores(F, T), Scores(T, F)).mean  # the same models in both worlds
        0.0
    """
    if world.forget.shape != swapped.control.shape or world.control.shape != swapped.forget.shape:
        raise ValueError(
            "the swapped world must have the same runs and sets exchanged, got (forget, control) "
            f"{world.forget.shape}, {world.control.shape} and {swapped.forget.shape}, {swapped.control.shape}"
        )
    if len(world.forget) < 2:
        raise ValueError(f"an interval over runs needs two or more, got {len(world.forget)}")
    advantages = (advantage(world) + advantage(swapped)) / 2
    mean, error, df = paired(advantages)
    reach = error * t_quantile(1 - alpha / 2, df)
    return Swap(advantages, mean, mean - reach, mean + reach)


def advantage(scores: Scores) -> Floats:
    """2 AUC - 1 in one world alone, which is not 0 for a retrained model: (runs,).

    Raises:
        ValueError: a score is NaN.

    Examples:
        >>> advantage(Scores(np.array([[1.0, 2.0]]), np.array([[0.0, 2.0]]))).tolist()
        [0.25]
    """
    return np.array([_advantage(f, c) for f, c in zip(scores.forget, scores.control, strict=True)])


def _advantage(forget: Floats, control: Floats) -> float:
    if np.isnan(forget).any() or np.isnan(control).any():
        raise ValueError("every record needs a score in both worlds, got NaN")
    pairs = len(forget) * len(control)
    ordered = np.sort(control)
    right = int(np.searchsorted(ordered, forget, side="left").sum())
    wrong = pairs - int(np.searchsorted(ordered, forget, side="right").sum())
    return (right - wrong) / pairs  # whole numbers: exactly the negative with the sets exchanged
