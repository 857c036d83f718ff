"""Relearning: what was only suppressed comes back when the model is reminded of something like it.

Each half of the forget records is learnt again for a fixed number of steps, and the model is asked
about the other half. "Steps until it comes back" would be degenerate: a model that has forgotten
learns too.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from auditkit.models.architectures import answer
from auditkit.probes.copies import plain_copy
from auditkit.probes.errors import NotObservable
from auditkit.training import Recipe
from auditkit.training.descent import descend
from auditkit.training.records import Records

STEPS = 50
"""Gradient steps on one half of the forget records. On digits the gap between original and
retrained models stands out from its noise as clearly after 20 as after 100 of them, if less than
before; half the most leaves room."""
CHUNK = 512
"""Records whose gradients are taken together; a step is on all of them."""


def relearn(
    model: nn.Module, retain: Records, forget: Records, control: torch.Tensor, recipe: Recipe, seed: int
) -> npt.NDArray[np.float32]:
    """Ask each forget record of a copy that was tuned on the half it is not in, and each control
    record of both copies, whose mean counts.

    Args:
        model: In eval mode, giving logits. It is left as it was; a copy stays in eval mode while it
            learns: no dropout.
        retain: The records that were kept; not looked at.
        forget: The records that were to be forgotten.
        control: float32 (records, *shape), which no run has seen.
        recipe: Its optimiser and first learning rate are used, without weight decay.
        seed: Of the halves; one for all runs that are compared.

    Returns:
        float32 (forget + control records, classes): logits on forget, then on control records.

    Raises:
        NotObservable: If there is only one forget record.
    """
    del retain
    if len(forget.y) < 2:
        raise NotObservable("one half is learnt again and the other asked about; there is one forget record")
    first, second = halves(len(forget.y), seed)
    answers = []
    for learnt, asked in ((first, second), (second, first)):
        tuned = _tuned(model, forget.x[learnt], forget.y[learnt], recipe)
        answers.append(answer(tuned, torch.cat([forget.x[asked], control])))
    one, other = (np.split(part, [len(asked)]) for part, asked in zip(answers, (second, first), strict=True))
    back = np.argsort(np.concatenate([second, first]))
    return np.concatenate([np.concatenate([one[0], other[0]])[back], (one[1] + other[1]) / 2])


def halves(n: int, seed: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The positions 0..n-1 in two random halves; of an odd number the second has one more."""
    order = np.random.default_rng(seed).permutation(n)
    return np.sort(order[: n // 2]), np.sort(order[n // 2 :])


@torch.enable_grad()
def _tuned(model: nn.Module, x: torch.Tensor, y: torch.Tensor, recipe: Recipe) -> nn.Module:
    """A copy of the model after STEPS steps on the mean cross-entropy of all these records."""
    tuned = plain_copy(model).requires_grad_(True)

    def gradient(_step: int) -> None:
        tuned.zero_grad()
        for part, labels in zip(x.split(CHUNK), y.split(CHUNK), strict=True):
            (nn.functional.cross_entropy(tuned(part), labels, reduction="sum") / len(x)).backward()

    plain = replace(recipe, weight_decay=0.0, schedule="constant")
    descend(gradient, plain.optimise(list(tuned.parameters())), [range(STEPS)], plain.rate)
    return tuned
