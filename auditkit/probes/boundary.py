"""Boundary distance: how far a record is from the nearest input that is labelled otherwise.

Choquette-Choo, Tramer, Carlini & Papernot (ICML 2021), section 4.3, and Li & Zhang, "Membership
Leakage in Label-Only Exposures" (CCS 2021): the distance stands in for the confidence where only
labels are answered. It is found by HopSkipJump (Chen, Jordan & Wainwright, S&P 2020) as in ART,
with far fewer queries than usual: records are compared with each other, not certified.
"""

from contextlib import suppress

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from auditkit.models.architectures import answer
from auditkit.probes.errors import NotObservable
from auditkit.statistics.margins import Floats

STEPS = 6
"""Gradient estimates a record. On digits, 20 of them with four times as many directions make
distances a little shorter and rank records the same."""
DIRECTIONS = 50
"""Inputs asked for the first gradient estimate of a record; for the k-th, sqrt(k) times as many."""
BISECTIONS = 20
"""Halvings of the last way to the boundary: to a millionth of it."""
MOST_CALLS = 100 * STEPS
"""Calls of the model after which a search has lost its way (some 20 a step are usual). ART halves
its step until the label changes; where rounding has put it back on the record's own side it would
do so for ever."""


class _Lost(Exception):  # noqa: N818 -- ends a search
    """A search has asked too often."""


def boundary_distances(model: nn.Module, x: torch.Tensor, y: torch.Tensor, seed: int) -> Floats:
    """The distance of each record to the nearest input found that is labelled otherwise.

    A search starts from the nearest of these records with another label. Inputs stay in the range
    of x.

    Args:
        model: In eval mode, giving logits; only its labels are used.
        x: float32 (n, *shape), two records with different predicted labels at least.
        y: int64 (n,), the labels.
        seed: Of the directions, which are one draw for every record.

    Returns:
        float64 (n,), L2 distances in the unit of the input; 0 for a record that is labelled
        wrongly.

    Raises:
        NotObservable: If the model gives all records one label.
    """
    logits = answer(model, x)
    predicted = logits.argmax(axis=1)
    right = np.flatnonzero(predicted == y.cpu().numpy())
    distances = np.zeros(len(x))
    if not len(right):
        return distances
    starts = _starts(x, predicted)[right]
    bounds = float(x.min()), float(x.max())
    reached = _searched(model, x[right], starts, bounds, classes=logits.shape[1], seed=seed)
    label = torch.from_numpy(predicted[right])
    # A search ends somewhere beyond the boundary, a start lies far beyond: the way back finds it.
    ends = [_way_back(model, x[right], far, label) for far in (reached, starts)]
    distances[right] = np.minimum(*ends)
    return distances


def _starts(x: torch.Tensor, predicted: npt.NDArray[np.int64]) -> torch.Tensor:
    """For each record the nearest one with another predicted label: (n, *shape)."""
    if len(np.unique(predicted)) < 2:
        raise NotObservable(
            "the model gives all records the same label, so that there is no boundary to find"
        )
    label, flat = torch.from_numpy(predicted).to(x.device), x.flatten(1)
    nearest = []
    for part, labels in zip(flat.split(256), label.split(256), strict=True):
        far = torch.cdist(part, flat, compute_mode="donot_use_mm_for_euclid_dist")
        nearest.append(far.masked_fill(labels[:, None] == label, torch.inf).argmin(dim=1))
    return x[torch.cat(nearest)]


def _searched(
    model: nn.Module,
    x: torch.Tensor,
    starts: torch.Tensor,
    bounds: tuple[float, float],
    *,
    classes: int,
    seed: int,
) -> torch.Tensor:
    """What HopSkipJump makes of each start, (n, *shape); the start itself where it loses its way.

    starts: (n, *shape), each labelled otherwise than its record.
    """
    from art.attacks.evasion import HopSkipJump
    from art.estimators.classification import BlackBoxClassifier

    calls = 0

    def predict(inputs: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        nonlocal calls
        calls += 1
        if calls > MOST_CALLS:
            raise _Lost
        # ART asks in float64 now and then.
        return answer(model, torch.from_numpy(inputs.astype(np.float32)))

    estimator = BlackBoxClassifier(predict, tuple(x.shape[1:]), classes, clip_values=bounds)
    attack = HopSkipJump(estimator, 4096, max_iter=STEPS, init_eval=DIRECTIONS, verbose=False)
    reached = starts.clone()
    state = np.random.get_state()
    try:
        for i in range(len(x)):
            calls = 0
            np.random.seed(seed % 2**32)
            pair = (part[i : i + 1].cpu().numpy() for part in (x, starts))
            with suppress(_Lost):
                reached[i] = torch.from_numpy(attack.generate(next(pair), x_adv_init=next(pair))[0])
    finally:
        np.random.set_state(state)
    return reached


def _way_back(model: nn.Module, x: torch.Tensor, far: torch.Tensor, label: torch.Tensor) -> Floats:
    """How far from x, on the straight line to `far`, the label is no longer `own`: (n,); infinite
    where it is so at `far` too."""
    step = (far - x).cpu().double()
    low, high = torch.zeros(2, len(x), *[1] * (x.dim() - 1), dtype=torch.float64)
    high += 1

    def same(share: torch.Tensor) -> torch.Tensor:
        labels = answer(model, (x.cpu() + share * step).float()).argmax(axis=1)
        return (torch.from_numpy(labels) == label).reshape(low.shape)

    lost = same(high).flatten()
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        inside = same(middle)
        low, high = torch.where(inside, middle, low), torch.where(inside, high, middle)
    length = (high * step).flatten(1).norm(dim=1)
    return np.asarray(length.masked_fill(lost, torch.inf).numpy())
