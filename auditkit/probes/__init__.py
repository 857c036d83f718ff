"""What takes the model in hand: one number a record (OBSERVATIONS), and answers in which suppressed
memory shows again (RECOVERIES).

All of them leave the model and the global generators as they were, and raise `NotObservable` with
the reason where a model or its records do not have what it takes.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from auditkit.probes.boundary import boundary_distances
from auditkit.probes.errors import NotObservable
from auditkit.probes.gradient_norm import gradient_norms
from auditkit.probes.label_stability import under_noise, under_shifts
from auditkit.probes.probing import linear_probe
from auditkit.probes.relearning import relearn
from auditkit.probes.rescaling import rescale
from auditkit.statistics.margins import Floats
from auditkit.training import Recipe
from auditkit.training.records import Records

__all__ = ["OBSERVATIONS", "RECOVERIES", "NotObservable", "Observe", "Recover"]

Observe = Callable[[nn.Module, torch.Tensor, torch.Tensor, int], Floats]
"""(model in eval mode, x (n, *shape), y (n,), seed) -> (n,)."""

Recover = Callable[[nn.Module, Records, Records, torch.Tensor, Recipe, int], npt.NDArray[np.float32]]
"""(model in eval mode, retain, forget, control (records, *shape), recipe, seed) -> logits on
forget, then on control records. The seed is the same for all runs that are compared."""

OBSERVATIONS: dict[str, Observe] = {
    "gradient norm": gradient_norms,
    "label stability, noise": under_noise,
    "label stability, shifts": under_shifts,
    "boundary distance": boundary_distances,
}
"""name in `Signals.observed` -> what gives one number a record"""

RECOVERIES: dict[str, Recover] = {"relearned": relearn, "probe": linear_probe, "rescaled": rescale}
"""name of a query -> what makes suppressed memory show again"""
