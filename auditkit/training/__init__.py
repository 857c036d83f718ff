"""Training: many runs of one architecture as one batched computation."""

from auditkit.training.recipe import Recipe
from auditkit.training.seeds import run_seed
from auditkit.training.stacked import fit, train, unstack

__all__ = ["Recipe", "fit", "run_seed", "train", "unstack"]
