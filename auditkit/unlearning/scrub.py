"""SCRUB: a student that follows its teacher on the retain records and flees it on the forget
records.

Source: Kurmanji, Triantafillou, Hayes & Triantafillou, "Towards Unbounded Machine Unlearning"
(NeurIPS 2023, arXiv:2302.09880). Teacher and student both start as the original model w^o; with
d(x; w) = KL(p(x; w^o) || p(x; w)) (eq. 1) the student goes down

    alpha/N_r sum_retain d(x; w) + gamma/N_r sum_retain CE(x, y; w)
        - 1/N_f sum_forget d(x; w)                                                  (eq. 3)

by turns (Algorithm 1): an epoch of max-steps on forget, as long as the budget of them lasts, and an
epoch of min-steps on retain; min-steps alone come last. The paper tunes its hyper-parameters for
each task; its code has 2 or 3 max-epochs, 3 to 10 epochs, alpha 0.001 to 0.5, gamma 0.99 or 1, and
d at temperature 2 or 4.

One thing is ours: an epoch of min-steps comes first. At w = w^o d is 0 and has no gradient, so that
max-steps from there would go, by SGD, nowhere, and by Adam, which scales gradients up, wherever
rounding errors point. (The authors' networks have batch norm, by which a student in training mode
is not its teacher.)

Left out: SCRUB+R, which goes back to the epoch where the error on forget is that on held-out
records like them; a procedure is given no held-out records.
"""

import copy
from collections.abc import Sequence
from functools import partial
from typing import Annotated

import torch
from pydantic import Field
from torch import nn

from auditkit.training import Recipe
from auditkit.training.descent import Phase, alternate
from auditkit.training.records import Records
from auditkit.unlearning.continued import Epochs, Rate, further
from auditkit.unlearning.distillation import divergence, taught

FASTER = 3.0


def unlearn(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
    epochs: Epochs = 5,
    max_epochs: Epochs = 3,
    alpha: Annotated[float, Field(ge=0)] = 0.1,
    gamma: Annotated[float, Field(ge=0)] = 0.99,
    temperature: Annotated[float, Field(gt=0)] = 4.0,
    learning_rate: Rate | None = None,
) -> list[nn.Module]:
    """SCRUB: students of the models, by eq. 3 and Algorithm 1.

    The defaults were chosen on perceptrons trained on 2,000 images by Adam: at the recipe's own
    rate the few batches of forget records are hardly forgotten, and with alpha as low as 0.001 the
    max-steps swell the logits of all records.

    Args:
        models: Trained on retain and forget. They are left as they are.
        retain: The records to keep.
        forget: The records to forget.
        seeds: One a model.
        recipe: How the models were trained: optimiser, batches and schedule are its.
        epochs: Of min-steps on retain.
        max_epochs: Of max-steps on forget, one before each epoch of min-steps but the first, until
            they are used up.
        alpha: The weight of the divergence on retain in eq. 3.
        gamma: The weight of the cross-entropy on retain in eq. 3.
        temperature: That both sides of d are softened by (see `divergence`).
        learning_rate: By default three times the recipe's.

    Returns:
        New models, in eval mode.
    """
    longer = further(
        recipe, epochs, FASTER * recipe.learning_rate if learning_rate is None else learning_rate
    )
    students = [copy.deepcopy(model).eval() for model in models]
    scrub = partial(_scrub, max_epochs=max_epochs, alpha=alpha, gamma=gamma, temperature=temperature)
    for student, seed in zip(students, seeds, strict=True):
        scrub(student, retain, forget, longer, seed=seed)
    return students


def _scrub(
    student: nn.Module,
    retain: Records,
    forget: Records,
    recipe: Recipe,
    *,
    seed: int,
    max_epochs: int,
    alpha: float,
    gamma: float,
    temperature: float,
) -> None:
    """Train the student, in place."""
    on_retain, on_forget = taught(student, retain.x), taught(student, forget.x)

    def flee(batch: torch.Tensor) -> torch.Tensor:
        return -divergence(on_forget[batch], student(forget.x[batch]), temperature)

    def follow(batch: torch.Tensor) -> torch.Tensor:
        logits = student(retain.x[batch])
        near = divergence(on_retain[batch], logits, temperature)
        return alpha * near + gamma * nn.functional.cross_entropy(logits, retain.y[batch])

    phases = [
        Phase(flee, len(forget.y), range(1, 1 + max_epochs)),
        Phase(follow, len(retain.y), range(recipe.epochs)),
    ]
    alternate(student, phases, recipe, seed=seed)
