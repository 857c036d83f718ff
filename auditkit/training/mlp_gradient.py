"""The gradient of many perceptrons at once, written out.

Automatic differentiation through `vmap` spends about a third of its time outside matrix products
for a multi-layer perceptron: it copies each weight's gradient from one layout into another, and
allocates every result anew. Written out, back-propagation (Rumelhart, Hinton & Williams 1986) is
three batched products a layer that write where the optimiser reads.
"""

from collections.abc import Sequence

import torch
from torch import nn

Layer = tuple[torch.Tensor, torch.Tensor]
"""Weight (runs, units, inputs) and bias (runs, units) of a linear layer of all runs."""


def linear_layers(model: nn.Module, shape: Sequence[int]) -> list[str] | None:
    """The names of the linear layers, first to last, of a multi-layer perceptron on records of this
    shape: an nn.Sequential that flattens its input if that is no vector, and then has linear
    layers, with bias and all trained, with a ReLU between each two. None for any other model."""
    if type(model) is not nn.Sequential:
        return None
    parts = dict(model.named_children())
    if len(parts) < len(model):  # a layer that comes twice is named once
        return None
    first = next(iter(parts), "")
    if first and _flattens(parts[first]):
        del parts[first]
    elif len(shape) != 1:
        return None
    expected = [nn.Linear if i % 2 == 0 else nn.ReLU for i in range(len(parts))]
    if len(parts) % 2 == 0 or [type(part) for part in parts.values()] != expected:
        return None
    linear = [name for name, part in parts.items() if isinstance(part, nn.Linear)]
    # No bias is left out, and no weight tied to another or computed by a hook, as pruning does.
    expected_names = {f"{name}.{weight}" for name in linear for weight in ("weight", "bias")}
    weights = dict(model.named_parameters())
    plain = weights.keys() == expected_names and all(weight.requires_grad for weight in weights.values())
    return linear if plain else None


def _flattens(part: nn.Module) -> bool:
    return type(part) is nn.Flatten and (part.start_dim, part.end_dim) == (1, -1)


@torch.no_grad()
def write_gradients(layers: Sequence[Layer], x: torch.Tensor, y: torch.Tensor) -> None:
    """Write into every weight's `grad` the gradient of each run's mean cross-entropy.

    x: (runs, batch, inputs); y: int64 (runs, batch).
    """
    inputs = [x]
    for weight, bias in layers[:-1]:
        inputs.append(torch.baddbmm(bias.unsqueeze(1), inputs[-1], weight.mT).relu_())
    weight, bias = layers[-1]
    # d loss / d logits = (softmax - one-hot) / batch
    delta = torch.baddbmm(bias.unsqueeze(1), inputs[-1], weight.mT).softmax(-1)
    delta.scatter_add_(-1, y.unsqueeze(-1), delta.new_full((*y.shape, 1), -1.0))
    delta /= y.shape[-1]
    for k in reversed(range(len(layers))):
        weight, bias = layers[k]
        torch.bmm(delta.mT, inputs[k], out=_gradient(weight))
        torch.sum(delta, dim=1, out=_gradient(bias))
        if k:
            delta = torch.ops.aten.threshold_backward(torch.bmm(delta, weight), inputs[k], 0)


def _gradient(weight: torch.Tensor) -> torch.Tensor:
    if weight.grad is None:
        weight.grad = torch.empty_like(weight)
    return weight.grad
