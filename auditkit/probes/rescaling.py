"""Rescaling: units that were turned down are turned up again.

A forgetting gate (Hatua et al., arXiv:2410.22374) multiplies row i of a layer's (W, b) by phi_i.
Where the gate is still there, what lies under it is taken; where it was folded, the row has kept
its direction and lost only its length. So every unit of every model is given weights of length one:
two models that differ by positive factors on units, and in nothing else, become the same. A ReLU
network computes nearly what it did, since a factor on a unit is a factor on its activation, and all
arms are treated alike: what two retrained runs differ by stays as it was. To stretch only rows that
are unusually short would need a length to stretch them to, and gates move that too: on digits it
brought back most of the memory under random gates, this all of it.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parametrize

from auditkit.models.architectures import answer
from auditkit.probes.copies import own_copy
from auditkit.probes.errors import NotObservable
from auditkit.training import Recipe
from auditkit.training.records import Records


def rescale(
    model: nn.Module, retain: Records, forget: Records, control: torch.Tensor, recipe: Recipe, seed: int
) -> npt.NDArray[np.float32]:
    """Ask the model with its gates off and its units at unit length.

    Args:
        model: In eval mode, giving logits. It is left as it was.
        retain: The records that were kept; not looked at.
        forget: The records that were to be forgotten.
        control: float32 (records, *shape), which no run has seen.
        recipe: Not looked at.
        seed: Not looked at: nothing is drawn.

    Returns:
        float32 (forget + control records, classes): logits on forget, then on control records.

    Raises:
        NotObservable: With batch norm, whose running statistics belong to the lengths that were
            there.
    """
    del retain, recipe, seed
    if any(isinstance(module, _BatchNorm) for module in model.modules()):
        raise NotObservable("units cannot be rescaled under batch norm, which remembers their scale")
    return answer(unit_length(ungated(model)), torch.cat([forget.x, control]))


def ungated(model: nn.Module) -> nn.Module:
    """A copy in eval mode with the weights that lie under its parametrizations; one that is made of
    several tensors, as by weight norm, is no gate, and is folded."""
    copied = own_copy(model)
    for module in list(copied.modules()):
        if parametrize.is_parametrized(module):
            for name, steps in list(module.parametrizations.items()):  # type: ignore[union-attr, operator]
                several = not steps.is_tensor
                parametrize.remove_parametrizations(module, name, leave_parametrized=several)
    return copied


@torch.no_grad()
def unit_length(model: nn.Module) -> nn.Module:
    """Divide each row of (W, b) of every Linear and convolution by the L2 norm of its weights, in
    place; returns the model. A row of zeros stays."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
            rows = layer.weight.double()  # what a gate has left may be too small to be squared in float32
            length = rows.flatten(1).norm(dim=1)
            length[length == 0] = 1
            layer.weight.copy_(rows / length.reshape(-1, *[1] * (rows.dim() - 1)))
            if layer.bias is not None:
                layer.bias.copy_(layer.bias.double() / length)
    return model
