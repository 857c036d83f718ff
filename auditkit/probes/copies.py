"""Copies to work on: what is observed must be left as it was."""

import copy

from torch import nn
from torch.nn.utils import parametrize


def own_copy(model: nn.Module) -> nn.Module:
    """A copy in eval mode whose parametrizations can be removed.

    A layer and its deep copy share the class that torch made to parametrize it, and removing the
    copy's parametrization would take the weight away from the layer too: the copy gets classes of
    its own.
    """
    copied = copy.deepcopy(model).eval()
    for module in copied.modules():
        if parametrize.is_parametrized(module):
            shared = type(module)
            module.__class__ = type(shared.__name__, shared.__bases__, dict(shared.__dict__))
    return copied


def plain_copy(model: nn.Module) -> nn.Module:
    """A copy in eval mode that answers what the model answers, its parametrizations (a forgetting
    gate, say) folded into its weights."""
    copied = own_copy(model)
    for module in list(copied.modules()):
        if parametrize.is_parametrized(module):
            for name in list(module.parametrizations):  # type: ignore[arg-type]
                parametrize.remove_parametrizations(module, name, leave_parametrized=True)
    return copied
