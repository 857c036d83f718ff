"""Training: many runs of one architecture as one batched computation."""

from auditkit.training.fitting import fit, initialise, stackable
from auditkit.training.recipe import Recipe
from auditkit.training.seeds import run_seed

__all__ = ["Recipe", "fit", "initialise", "run_seed", "stackable"]
