"""Probe: what the layers below still tell apart, whatever the last layer makes of it.

Alain & Bengio, "Understanding intermediate layers using linear classifier probes"
(arXiv:1610.01644). A procedure that hides records in the last layer alone, or scales features down,
leaves them in what the last layer is given; a fresh last layer, learnt from retain records only,
shows them again.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from auditkit.models.architectures import answer
from auditkit.probes.copies import plain_copy
from auditkit.probes.errors import NotObservable
from auditkit.training import Recipe
from auditkit.training.descent import descend, gradient_of
from auditkit.training.records import Records

RIDGE = 1e-2
"""Weight of half the squared norm of the head's weights, beside the mean cross-entropy of the
retain records. On digits nothing depends on it from 1e-4 to 1e-1; with this one the regression
converges soon."""
STEPS = 100
"""Steps of L-BFGS, at most."""
FLAT = 1e-5
"""The largest slope that ends the regression: with RIDGE, weights are then right to about a
thousandth."""


def linear_probe(
    model: nn.Module, retain: Records, forget: Records, control: torch.Tensor, recipe: Recipe, seed: int
) -> npt.NDArray[np.float32]:
    """Ask a fresh last layer, learnt on the features that the layers below still give.

    The layer is a multinomial logistic regression on retain records. It sees each feature less its
    mean over them and divided by its standard deviation, so that features count however small they
    were made.

    Args:
        model: In eval mode, giving logits. It is left as it was.
        retain: The records that were kept, on which the layer learns.
        forget: The records that were to be forgotten.
        control: float32 (records, *shape), which no run has seen.
        recipe: Not looked at.
        seed: Not looked at: nothing is drawn.

    Returns:
        float32 (forget + control records, classes): logits on forget, then on control records.

    Raises:
        NotObservable: If the model's logits are not what its last Linear layer answers.
    """
    del recipe, seed
    copied = plain_copy(model)
    head = _head(copied, retain.x[:2])
    features = [_features(copied, head, x) for x in (retain.x, torch.cat([forget.x, control]))]
    centre, scale = features[0].mean(dim=0), features[0].std(dim=0, correction=0)
    scale = torch.where(scale > 0, scale, torch.inf)  # a feature that says nothing
    learnt, asked = ((part - centre) / scale for part in features)
    weight, bias = _regression(learnt, retain.y, head.out_features)
    return (asked @ weight.T + bias).float().cpu().numpy()


def _head(model: nn.Module, x: torch.Tensor) -> nn.Linear:
    """The Linear layer that gives the model's logits."""
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    if not layers:
        raise NotObservable("a probe takes the place of the last linear layer; the model has none")
    outputs: list[torch.Tensor] = []
    handle = layers[-1].register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    with torch.no_grad():
        logits = model(x)
    handle.remove()
    if len(outputs) != 1 or not torch.equal(outputs[0], logits):
        raise NotObservable(
            "a probe takes the place of the last linear layer; the model's logits do not come from it"
        )
    return layers[-1]


def _features(model: nn.Module, head: nn.Linear, x: torch.Tensor) -> torch.Tensor:
    """What the head is given for each record: float64 (n, features)."""
    seen: list[torch.Tensor] = []
    handle = head.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].detach()))
    answer(model, x)
    handle.remove()
    return torch.cat(seen).double()


@torch.enable_grad()
def _regression(features: torch.Tensor, y: torch.Tensor, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight (classes, features) and bias (classes,) that minimise the mean cross-entropy + RIDGE/2
    |weight|^2, from zeros; the bias is free."""
    weight = torch.zeros(classes, features.shape[1], dtype=torch.float64, device=features.device)
    bias = torch.zeros(classes, dtype=torch.float64, device=features.device)
    parameters = [weight.requires_grad_(True), bias.requires_grad_(True)]
    optimiser = torch.optim.LBFGS(
        parameters, max_iter=STEPS, tolerance_grad=FLAT, history_size=20, line_search_fn="strong_wolfe"
    )

    def loss(x: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(x @ weight.T + bias, y) + RIDGE / 2 * weight.square().sum()

    # One step of it goes all the way; the first length that it tries is the "rate".
    descend(gradient_of(loss, parameters), optimiser, [[features]], lambda _: 1.0)
    return weight.detach(), bias.detach()
