"""Saliency unlearning: random labels for the forget records, learnt by the weights that matter to
them alone.

Source: Fan, Liu, Zhang, Wong, Wei & Liu, "SalUn: Empowering Machine Unlearning via Gradient-based
Weight Saliency in Both Image Classification and Generation" (ICLR 2024, arXiv:2310.12508). A weight
is salient where the loss of the forget records is steep at the original weights theta_o,

    m = 1(|grad loss_forget(theta_o)| >= gamma)                                     (eq. 3)
    theta_u = m (theta_o + change) + (1 - m) theta_o                                (eq. 4),

with gamma > 0 the median over all weights of the model; the change goes down

    E_forget CE(x, y') + alpha E_retain CE(x, y),  y' a random label other than y   (eq. 5)

for 10 epochs in the paper, at a learning rate found by search. Its Algorithm takes batches from the
relabelled forget records and the retain records together, which is alpha = N_retain / N_forget.
Labels are drawn once, as there; its code for CIFAR-10 draws them anew each epoch and may draw y
itself.
"""

import copy
import math
from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import nn
from torch.func import functional_call

from auditkit.training import Recipe, run_seed
from auditkit.training.descent import minimise
from auditkit.training.records import Records
from auditkit.unlearning.continued import Epochs, Rate, further
from auditkit.unlearning.distillation import taught

Masks = dict[str, torch.Tensor]
"""name of a parameter -> which of its weights are salient, boolean, in its shape."""

SLOWER = 0.3


def unlearn(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
    epochs: Epochs = 5,
    share: Annotated[float, Field(gt=0, le=1)] = 0.5,
    alpha: Annotated[float, Field(ge=0)] | None = None,
    learning_rate: Rate | None = None,
) -> list[nn.Module]:
    """Saliency unlearning: the models fine-tuned where they are salient.

    Epochs and rate were chosen on perceptrons trained on 2,000 images by Adam, whose accuracy
    suffers from as many as 10 epochs at the full rate.

    Args:
        models: Trained on retain and forget. They are left as they are.
        retain: The records to keep.
        forget: The records to forget.
        seeds: One a model, from which its labels are drawn.
        recipe: How the models were trained: optimiser, batches and schedule are its.
        epochs: Passes over retain and forget records, mixed.
        share: Of the weights that are salient; 0.5 is the median of the paper. A weight without
            gradient never is.
        alpha: The weight of the retain records in eq. 5; by default every record counts alike.
        learning_rate: By default 0.3 times the recipe's.

    Returns:
        New models, in eval mode.
    """
    longer = further(
        recipe, epochs, SLOWER * recipe.learning_rate if learning_rate is None else learning_rate
    )
    alpha = len(retain.y) / len(forget.y) if alpha is None else alpha
    copies = [copy.deepcopy(model).eval() for model in models]
    for model, seed in zip(copies, seeds, strict=True):
        _relabel(model, retain, forget, longer, seed=seed, share=share, alpha=alpha)
    return copies


def _relabel(
    model: nn.Module,
    retain: Records,
    forget: Records,
    recipe: Recipe,
    *,
    seed: int,
    share: float,
    alpha: float,
) -> None:
    """Change the model's salient weights, in place."""
    masks = salient(model, forget, share)
    start = {name: model.get_parameter(name).detach().clone() for name in masks}
    x = torch.cat([retain.x, forget.x])
    y = torch.cat([retain.y, other_labels(model, forget, seed)])
    # With these the mean over a batch from both is eq. 5 times N_forget / N, and 1 for all if alpha
    # is as by default.
    kept = alpha * len(forget.y) / len(retain.y)
    counted = torch.cat(
        [torch.full_like(retain.y, kept, dtype=x.dtype), torch.ones_like(forget.y, dtype=x.dtype)]
    )

    def weights() -> dict[str, torch.Tensor]:
        return {name: torch.where(masks[name], model.get_parameter(name), start[name]) for name in masks}

    def loss(batch: torch.Tensor) -> torch.Tensor:
        logits = functional_call(model, weights(), (x[batch],))
        return (counted[batch] * nn.functional.cross_entropy(logits, y[batch], reduction="none")).mean()

    minimise(model, loss, len(x), recipe, seed=seed)
    with torch.no_grad():
        for name, weight in weights().items():
            model.get_parameter(name).copy_(weight)


def salient(model: nn.Module, forget: Records, share: float) -> Masks:
    """Which of the trained weights are the `share` of all with the steepest loss of the forget
    records. The model must be in eval mode."""
    weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    loss = nn.functional.cross_entropy(model(forget.x), forget.y)
    steep = [part.abs() for part in torch.autograd.grad(loss, list(weights.values()))]
    numbers = torch.cat([part.flatten() for part in steep])
    wanted = math.ceil(share * len(numbers))
    gamma = numbers.kthvalue(len(numbers) - wanted + 1).values
    return {name: (part >= gamma) & (part > 0) for name, part in zip(weights, steep, strict=True)}


def other_labels(model: nn.Module, forget: Records, seed: int) -> torch.Tensor:
    """For each forget record a label other than its own, all others alike likely: int64
    (records,)."""
    classes = taught(model, forget.x[:1]).shape[1]
    generator = torch.Generator().manual_seed(run_seed(seed, "labels", 0))
    step = torch.randint(1, classes, forget.y.shape, generator=generator).to(forget.y)
    return (forget.y + step).remainder(classes)
