"""Bad teaching: a student of two teachers, of which the one for the forget records has learnt
nothing.

Source: Chundawat, Tarun, Mandal & Kankanhalli, "Can Bad Teaching Induce Forgetting? Unlearning in
Deep Networks using an Incompetent Teacher" (AAAI 2023, arXiv:2205.08096). The student S starts as
the original model, which is also the competent teacher T_s; the incompetent teacher T_d is a
freshly initialised model. With l_u = 1 for a forget record and 0 for a retain record, the student
goes down

    (1 - l_u) KL(T_s(x) || S(x)) + l_u KL(T_d(x) || S(x))

over the forget records and a random share of the retain records, mixed. It sees no label. The paper
takes 30 % of the retain records and temperature 1, its code one epoch of Adam at 1e-4 in batches of
256.
"""

import copy
from collections.abc import Sequence
from functools import partial
from typing import Annotated

import torch
from pydantic import Field
from torch import nn

from auditkit.training import Recipe, initialise, run_seed
from auditkit.training.descent import minimise
from auditkit.training.records import Records
from auditkit.unlearning.continued import Epochs, Rate, further
from auditkit.unlearning.distillation import divergence, taught
from auditkit.unlearning.retrain import redrawn


def unlearn(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
    epochs: Epochs = 3,
    share: Annotated[float, Field(ge=0, le=1)] = 1.0,
    temperature: Annotated[float, Field(gt=0)] = 1.0,
    learning_rate: Rate | None = None,
) -> list[nn.Module]:
    """Bad teaching: students of the models and of incompetent teachers.

    The defaults were chosen on perceptrons trained on 2,000 images by Adam: one epoch at the
    paper's rate leaves nearly all, and 30 % of so few retain records do not keep the accuracy.

    Args:
        models: Trained on retain and forget. They are left as they are.
        retain: The records to keep.
        forget: The records to forget.
        seeds: One a model.
        recipe: How the models were trained: optimiser, batches and schedule are its.
        epochs: Passes over the mixed records.
        share: Of the retain records that are shown, drawn for each run by its seed; rounded.
        temperature: That teachers and student are softened by.
        learning_rate: By default the recipe's.

    Returns:
        New models, in eval mode.

    Raises:
        AuditError: If a layer cannot be drawn anew (it needs `reset_parameters`).
    """
    longer = further(recipe, epochs, learning_rate)
    students = [copy.deepcopy(model).eval() for model in models]
    for student, seed in zip(students, seeds, strict=True):
        _mislead(student, retain, forget, longer, seed=seed, share=share, temperature=temperature)
    return students


def _mislead(
    student: nn.Module,
    retain: Records,
    forget: Records,
    recipe: Recipe,
    *,
    seed: int,
    share: float,
    temperature: float,
) -> None:
    """Train the student, in place."""
    x, wanted = lesson(student, retain, forget, share=share, seed=seed)

    def loss(batch: torch.Tensor) -> torch.Tensor:
        return divergence(wanted[batch], student(x[batch]), temperature)

    minimise(student, loss, len(x), recipe, seed=seed)


def lesson(
    model: nn.Module, retain: Records, forget: Records, *, share: float, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """What a student is shown, (records, *shape), and the logits that its teachers give, (records,
    classes): first a share of the retain records with those of the model, then the forget records
    with those of a fresh one."""
    generator = torch.Generator().manual_seed(run_seed(seed, "retain", 0))
    drawn = torch.randperm(len(retain.y), generator=generator)[: round(share * len(retain.y))]
    kept = retain.x[drawn.to(retain.x.device)]
    incompetent = initialise(partial(redrawn, model), run_seed(seed, "teacher", 0))
    parts = [(model, kept), (incompetent, forget.x)]
    wanted = torch.cat([taught(teacher, x) for teacher, x in parts if len(x)])
    return torch.cat([kept, forget.x]), wanted
