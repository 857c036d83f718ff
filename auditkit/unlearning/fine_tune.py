"""Fine-tuning: training goes on, on the retain records alone, and what is not refreshed is hoped to
fade.

Source: the baseline "Fine-tune" of Golatkar, Achille & Soatto, "Eternal Sunshine of the Spotless
Net" (CVPR 2020, arXiv:1911.04933), and "Finetuning" of Kurmanji, Triantafillou, Hayes &
Triantafillou, "Towards Unbounded Machine Unlearning" (arXiv:2302.09880): it relies on catastrophic
forgetting, and forgets little where the forget records are not needed to be right about any more.
Golatkar et al. take a larger learning rate than in training, Kurmanji et al. 10 epochs; the default
here is their 10 epochs at the recipe's own rate.
"""

import copy
from collections.abc import Sequence

from torch import nn

from auditkit.training import Recipe, fit
from auditkit.training.records import Records
from auditkit.unlearning.continued import Epochs, Rate, further


def unlearn(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
    epochs: Epochs = 10,
    learning_rate: Rate | None = None,
) -> list[nn.Module]:
    """Fine-tuning: the models after more epochs on retain, all as one stack.

    Args:
        models: Trained on retain and forget. They are left as they are.
        retain: The records to keep.
        forget: The records to forget; not looked at.
        seeds: One a model.
        recipe: How the models were trained: optimiser, batches and schedule are its.
        epochs: Passes over retain.
        learning_rate: By default the recipe's.

    Returns:
        New models, in eval mode.
    """
    del forget
    longer = further(recipe, epochs, learning_rate)
    return fit([copy.deepcopy(model) for model in models], *retain, longer, seeds=seeds)
