"""The procedure that does nothing: the fake that every audit must catch."""

import copy
from collections.abc import Sequence

from torch import nn

from auditkit.training.records import Records


def unlearn(
    models: Sequence[nn.Module], retain: Records, forget: Records, *, seeds: Sequence[int]
) -> list[nn.Module]:
    """Nothing is done.

    Args:
        models: Any models. They are left as they are.
        retain: Not looked at.
        forget: Not looked at.
        seeds: Not looked at.

    Returns:
        Copies of the models, in the mode they are in.
    """
    del retain, forget, seeds  # it looks at nothing
    return [copy.deepcopy(model) for model in models]
