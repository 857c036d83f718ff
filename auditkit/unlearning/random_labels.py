"""Random labels: the forget records are given wrong labels by chance and learnt again, along with
retain.

Source: Graves, Nagisetty & Ganesh, "Amnesiac Machine Learning" (AAAI 2021, arXiv:2010.10981), its
method "Unlearning": every sensitive record is relabelled once, by a class drawn from all but its
own, and training goes on with the rest of the data for some iterations. The baseline "Random
Labels" of Golatkar, Achille & Soatto (CVPR 2020, arXiv:1911.04933), is the same with the own class
among those drawn. How long is left to tuning: learnt by heart, wrong labels leave records more
wrong than any model that never saw them. The default here is 10 epochs at the recipe's rate, after
which a perceptron has about the loss on them that a retrained one has.
"""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from auditkit.models.architectures import answer
from auditkit.training import Recipe, fit, run_seed
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
    """Random labels: the models after more epochs on retain and relabelled forget records, all as
    one stack.

    Args:
        models: Trained on retain and forget. They are left as they are.
        retain: The records to keep.
        forget: The records to forget.
        seeds: One a model, from which its labels are drawn.
        recipe: How the models were trained: optimiser, batches and schedule are its.
        epochs: Passes over both.
        learning_rate: By default the recipe's.

    Returns:
        New models, in eval mode.
    """
    copies = [copy.deepcopy(model) for model in models]
    classes = answer(copies[0], forget.x[:1]).shape[1]
    # Every run has labels of its own, and so its own copy of the forget records behind retain.
    labels = [relabelled(forget.y, classes, run_seed(seed, "labels", 0)) for seed in seeds]
    x, y = torch.cat([retain.x, *(forget.x for _ in seeds)]), torch.cat([retain.y, *labels])
    kept, gone = len(retain.y), len(forget.y)
    members = np.stack(
        [np.r_[:kept, kept + k * gone : kept + (k + 1) * gone] for k in range(len(seeds))], dtype=np.int64
    )
    longer = further(recipe, epochs, learning_rate)
    return fit(copies, x, y, longer, seeds=seeds, members=members)


def relabelled(y: torch.Tensor, classes: int, seed: int) -> torch.Tensor:
    """For each label another one, each of the others as likely: int64 (records,), where y is."""
    step = torch.from_numpy(np.random.default_rng(seed).integers(1, classes, len(y)))
    return (y + step.to(y.device)) % classes
