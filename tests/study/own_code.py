"""A claim with a model, data and training of the user's own."""

from typing import Any

from auditkit.claims.claim import Claim
from auditkit.claims.read import parse_claim

MODEL = """
from dataclasses import dataclass

import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.hidden, self.head = nn.Linear(4, width), nn.Linear(width, 3)

    def forward(self, x):
        return self.head(self.hidden(x).relu())

def build_model(width: int = 8):
    return Net(width)
"""


DATA = """
import numpy as np

def load_data():
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3
    return {"x": rng.normal(size=(300, 4)) + y[:, None], "y": y, "groups": np.arange(300) // 2,
            "licence": "ours"}
"""


TRAIN = """
def train(model, data, seed):
    return model
"""


OWN: dict[str, Any] = {
    "data": {"source": "./data.py:load_data", "train": 120, "control": 40, "test": 40, "population": 40},
    "model": {"name": "./model.py:build_model", "options": {"width": 5}},
    "training": {"train": "./train.py:train"},
}


def claim_of(**changes: Any) -> Claim:
    claim, problems = parse_claim(OWN | changes)
    assert problems == []
    return claim
