"""Selective synaptic dampening: shrink the weights that matter to the forget records more than to
all; no training.

Source: Foster, Schoepf & Brintrup, "Fast Machine Unlearning Without Retraining Through Selective
Synaptic Dampening" (AAAI 2024, arXiv:2308.07707). The importance of a weight to some records is its
entry in the diagonal of their (empirical) Fisher information matrix, the mean over records of the
squared gradient of the record's log-likelihood. With I_D for all training records and I_Df for the
forget records,

    theta_i <- beta_i theta_i  where  I_Df,i > alpha I_D,i,
    beta_i = min(lambda I_D,i / I_Df,i, 1),

and every other weight is left as it is. This is the paper's definition, per record; its code
squares the gradient of the mean loss of each batch of 128 instead, which is the same only with one
record a batch.

As the forget records are a share q of all, I_D,i >= q I_Df,i: nothing at all is selected with alpha
>= 1/q. The paper's alpha = 10 (5 for its transformers; lambda = 1 for both) belongs to forgetting
0.2 to 5 % of the records, mostly of one class.
"""

import copy
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated

import torch
from pydantic import Field
from torch import nn
from torch.func import functional_call, grad, vmap

from auditkit.training.records import Records

Importances = dict[str, torch.Tensor]
"""name of a parameter -> the importance of each of its weights, in its shape."""

NUMBERS = 2**23
"""How many numbers the gradients that are held at once may have."""


def unlearn(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    alpha: Annotated[float, Field(gt=0)] = 1.0,
    dampening: Annotated[float, Field(gt=0)] = 1.0,
) -> list[nn.Module]:
    """Selective synaptic dampening: the models with some weights shrunk.

    By default every weight that is more important to the forget records than to all shrinks by as
    much as it is: the most that lambda = 1 can do, as beta is 1 where alpha below 1 would select
    more.

    Args:
        models: Trained on retain and forget. They are left as they are.
        retain: The records to keep.
        forget: The records to forget.
        seeds: Not looked at: nothing is drawn at random.
        alpha: A weight is selected if it is more than so many times as important to the forget
            records as to all.
        dampening: lambda; the smaller, the more a selected weight shrinks.

    Returns:
        New models, in eval mode.
    """
    del seeds
    dampen = partial(dampened, alpha=alpha, dampening=dampening)
    return [dampen(copy.deepcopy(model).eval(), retain, forget) for model in models]


def dampened(
    model: nn.Module, retain: Records, forget: Records, *, alpha: float, dampening: float
) -> nn.Module:
    """The model in eval mode, its selected weights dampened in place."""
    to_forget, to_retain = importances(model, forget), importances(model, retain)
    share = len(forget.y) / (len(forget.y) + len(retain.y))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name in to_forget:
                to_all = share * to_forget[name] + (1 - share) * to_retain[name]
                weight.mul_(factors(to_all, to_forget[name], alpha=alpha, dampening=dampening))
    return model


def factors(to_all: torch.Tensor, to_forget: torch.Tensor, *, alpha: float, dampening: float) -> torch.Tensor:
    """beta_i where a weight is selected, 1 elsewhere, from two importances of each: in their shape,
    above 0 and at most 1."""
    beta = (dampening * to_all / to_forget).clamp(max=1.0)
    return torch.where(to_forget > alpha * to_all, beta, 1.0)


def importances(model: nn.Module, records: Records) -> Importances:
    """The mean over the records of the squared gradient of each one's cross-entropy, for the
    weights that are trained. The model must be in eval mode."""
    weights = {name: weight.detach() for name, weight in model.named_parameters() if weight.requires_grad}
    sums = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for gradients in _gradients(model, weights, records):
        for name, parts in gradients.items():
            sums[name] += parts.square().sum(dim=0)
    return {name: total / len(records.y) for name, total in sums.items()}


def _gradients(
    model: nn.Module, weights: dict[str, torch.Tensor], records: Records
) -> Iterator[dict[str, torch.Tensor]]:
    """The gradients of one part of the records after the other, (part, *shape of the weight): of
    many at once, or where vmap cannot, one by one."""
    chunk = max(1, NUMBERS // sum(weight.numel() for weight in weights.values()))

    def loss(weights: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(functional_call(model, weights, (x[None],)), y[None])

    together = vmap(grad(loss), in_dims=(None, 0, 0))
    try:
        together(weights, records.x[:1], records.y[:1])
    except RuntimeError:  # a layer that vmap has no rule for, or that takes its path by the data
        chunk = 1
        together = partial(_alone, model)
    for x, y in zip(records.x.split(chunk), records.y.split(chunk), strict=True):
        yield together(weights, x, y)


def _alone(
    model: nn.Module, weights: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor
) -> dict[str, torch.Tensor]:
    """The gradient of a single record, by an ordinary backward pass."""
    trained = [model.get_parameter(name) for name in weights]
    parts = torch.autograd.grad(nn.functional.cross_entropy(model(x), y), trained)
    return {name: part[None] for name, part in zip(weights, parts, strict=True)}
