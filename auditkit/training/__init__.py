"""Training: many runs of one architecture as one batched computation."""

from auditkit.core.seeds import run_seed
from auditkit.training.fitting import fit, initialise, stackable
from auditkit.training.recipe import Recipe

__all__ = ["Recipe", "fit", "initialise", "run_seed", "stackable"]
