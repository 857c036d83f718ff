"""A small claim about one released model, and what a claimant might release."""

from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import nn

from auditkit.claims.claim import Claim
from auditkit.claims.read import parse_claim
from auditkit.core.progress import NullReporter
from auditkit.study.study import prepare
from auditkit.training import fit, initialise

SMALL: dict[str, Any] = {
    "name": "small",
    "data": {"train": 300, "control": 100, "test": 120, "population": 100},
    "forget": {"fraction": 0.2},
    "model": {"options": {"hidden": [64]}},
    "training": {"epochs": 40},
    "runs": {"per_arm": 8, "shadow": 0},
    "criteria": {
        "attacks": ["loss"],
        "reported": [],
        "recoveries": ["probe"],
        "jitter": [0.1],
        "planning_sd": 0.12,
    },
    "release": {"weights": "./model.safetensors"},
}


def claim_of(**changes: Any) -> Claim:
    claim, problems = parse_claim(SMALL | changes)
    assert problems == []
    return claim


def checkpoint(folder: Path, *, with_forget: bool) -> nn.Module:
    """Write what a claimant trained by a seed of their own."""
    study = prepare(claim_of().model_copy(update={"release": None}), folder, [], NullReporter())
    sets = study.sets
    rows = np.concatenate([sets.retain, sets.forget]) if with_forget else sets.retain
    x, y = torch.from_numpy(study.data.x[rows]), torch.from_numpy(study.data.y[rows])
    [model] = fit([initialise(study.build, 77)], x, y, study.recipe, seeds=[77])
    safetensors.torch.save_file(model.state_dict(), folder / "model.safetensors")
    return model
