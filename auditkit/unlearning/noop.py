"""The procedure that does nothing: the fake that every audit must catch."""

import copy

from torch import nn

from auditkit.unlearning.records import Records


def unlearn(model: nn.Module, retain: Records, forget: Records, *, seed: int) -> nn.Module:
    """A copy of the model as it is."""
    del retain, forget, seed  # it looks at nothing
    return copy.deepcopy(model)
