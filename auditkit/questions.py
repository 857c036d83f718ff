"""What every model of an audit is asked."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from auditkit.data import nearest_distances
from auditkit.study import Study, asked_records
from auditkit.training import run_seed

DRAWS = 4
"""Jittered copies of each record at each radius; a record's margin is the mean over them."""
JITTER_SAMPLE = 500
"""Records from which the usual nearest-neighbour distance is estimated."""


@dataclass(frozen=True, eq=False)
class Questions:
    """What every model is asked, besides all records of the audit as they are.

    records: those, as positions in the data set. near: jittered query -> float32 (DRAWS, near records, *shape),
    of forget then control records. radii: jittered query -> its radius in the unit of the input.
    """

    records: npt.NDArray[np.int64]
    near: Mapping[str, npt.NDArray[np.float32]]
    radii: Mapping[str, float]

    def of(self, arm: str) -> "Questions":
        """What the models of an arm are asked: shadow runs, from which the attacker learns, only the records."""
        return Questions(self.records, {}, {}) if arm == "shadow" else self

    def commitment(self) -> str:
        """SHA-256 over which records these are, and over the inputs near them."""
        total = hashlib.sha256(self.records.tobytes())
        for query, inputs in self.near.items():
            total.update(query.encode() + b"\0" + inputs.tobytes())
        return total.hexdigest()


def questions(study: Study) -> Questions:
    """What the models of this study are asked.

    A jittered input lies at exactly the radius (Euclidean) in a random direction; a radius is a share of
    the median distance between a training record and its nearest neighbour.
    """
    x, sets = study.data.x, study.sets
    trained = np.concatenate([sets.retain, sets.forget])
    usual = float(np.median(nearest_distances(x[trained[:: max(1, len(trained) // JITTER_SAMPLE)]])))
    beside = x[np.concatenate([sets.forget, sets.control])]
    near, radii = {}, {}
    for share in study.claim.criteria.jitter:
        query = f"jitter {share:g}"
        rng = np.random.default_rng(run_seed(study.claim.seed, query, 0))
        noise = rng.standard_normal((DRAWS, *beside.shape))
        length = np.linalg.norm(noise.reshape(DRAWS, len(beside), -1), axis=-1)
        noise *= (share * usual / length).reshape(DRAWS, len(beside), *[1] * (beside.ndim - 1))
        near[query] = (beside + noise).astype(np.float32)
        radii[query] = share * usual
    return Questions(asked_records(study), near, radii)
