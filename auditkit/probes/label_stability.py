"""Label stability: how often the predicted label stays right when the input is changed a little.

Choquette-Choo, Tramer, Carlini & Papernot, "Label-Only Membership Inference Attacks" (ICML 2021),
section 4: a model is more robust around its members, so that counting right labels of noisy (4.2)
or translated (4.1) copies measures what is withheld when only labels are answered.
"""

import itertools
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from auditkit.models.architectures import answer
from auditkit.models.images import image_size
from auditkit.probes.errors import NotObservable
from auditkit.statistics.margins import Floats
from auditkit.training.augmentation import Moves, moved

LEVELS = (0.1, 0.2, 0.3, 0.4)
"""Standard deviations of the noise, as shares of the data's own spread. On digits more noise
carries members and others across the boundary alike, and less carries nobody."""
COPIES = 8
"""Noisy copies of a record at each level."""
REACH = 1
"""Pixels, either way, by which an image is shifted: 9 places in all. Two change a small image
beyond telling."""


def under_noise(model: nn.Module, x: torch.Tensor, y: torch.Tensor, seed: int) -> Floats:
    """The share of right labels over COPIES copies of each record with Gaussian noise at each of
    LEVELS.

    The data's spread is the root mean square over features of their standard deviation over these
    records.

    Args:
        model: In eval mode, giving logits (n, classes). It is left as it was.
        x: float32 (n, *shape), where the model is.
        y: int64 (n,), the labels.
        seed: Of the noise, which is one draw for every record, so that neither their order nor
            their number counts for it.

    Returns:
        float64 (n,), in [0, 1].
    """
    spread = float(x.double().var(dim=0, correction=0).mean().sqrt())
    generator = torch.Generator().manual_seed(seed % 2**63)
    noise = (torch.randn(x.shape[1:], generator=generator).to(x.device) for _ in range(len(LEVELS) * COPIES))
    scales = np.repeat(LEVELS, COPIES) * spread
    return _share(model, (x + scale * part for scale, part in zip(scales, noise, strict=True)), y)


def under_shifts(model: nn.Module, x: torch.Tensor, y: torch.Tensor, seed: int) -> Floats:
    """The share of right labels over all shifts by at most REACH pixels either way, no shift
    included. Zeros come in at the edge.

    Args:
        model: In eval mode, giving logits (n, classes). It is left as it was.
        x: float32 (n, *shape), where the model is.
        y: int64 (n,), the labels.
        seed: Not looked at: nothing is drawn.

    Returns:
        float64 (n,), in [0, 1].

    Raises:
        NotObservable: For records that are no images (`auditkit.models.images.image_size`).
    """
    del seed
    shape = x.shape[1:]
    try:
        image_size(shape)
    except ValueError as error:
        raise NotObservable(f"only images can be shifted: {error}") from error
    reach = range(-REACH, REACH + 1)
    shifts = itertools.product(reach, reach)
    return _share(model, (moved(x, _all_by(len(x), *shift), shape) for shift in shifts), y)


def _all_by(n: int, down: int, right: int) -> Moves:
    return Moves(torch.full((n,), down), torch.full((n,), right), torch.zeros(n, dtype=torch.bool))


def _share(model: nn.Module, copies: Iterator[torch.Tensor], y: torch.Tensor) -> Floats:
    label = y.cpu().numpy()
    right = [answer(model, x).argmax(axis=1) == label for x in copies]
    return np.asarray(np.mean(right, axis=0, dtype=np.float64))
