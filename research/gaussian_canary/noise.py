"""The Gaussian canary in the data: noise added to the records that are to be forgotten.

Pawelczyk, Di, Lu, Kamath, Sekhari & Neel (ICLR 2025, arXiv:2406.17216), Algorithm 2, first step.
What is then asked of a model is in `research.gaussian_canary.statistic`.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from auditkit.core.errors import UsageError
from auditkit.data.dataset import Dataset
from auditkit.data.stratified import Indices

SHARE = 0.5
"""Half of the data's own spread. A canary must be large to be learnt, and small for training to go
on as without it; on the digits this moves a record about as far as its nearest neighbour lies."""


@dataclass(frozen=True, eq=False)
class Canary:
    """A data set with noise in some of its records.

    data     the data set to train on: the given one but for x of `records`; another commitment
    records  positions of the records with noise
    noise    float64 (len(records), *shape): what was added to each, N(0, scale^2) in every input
    scale    eps_p, in the unit of the inputs
    """

    data: Dataset
    records: Indices
    noise: NDArray[np.float64]
    scale: float


def plant(dataset: Dataset, records: Indices, *, seed: int, share: float = SHARE) -> Canary:
    """Add independent Gaussian noise to the inputs of `records`; ids, labels and groups stay.

    share: eps_p as a share of the data's spread, the root mean square over inputs of their standard
    deviation over all records. Nothing is clipped, so an image may leave its range: the noise in
    the data is the noise that is tested for. Where forget is compared with control records, both
    must carry noise, or else they differ by more than having been trained on; on control records
    the test is then its own null. Raises UsageError with every problem of the arguments.
    """
    spread = float(np.sqrt(dataset.x.var(axis=0, dtype=np.float64).mean()))
    problems = []
    if not (np.isfinite(share) and share > 0):
        problems.append(f"share must be above 0 and finite, found {share}; e.g. {SHARE}")
    if spread == 0:
        problems.append("the inputs must differ from record to record, found all equal; check the data set")
    if len(records) == 0 or len(np.unique(records)) < len(records):
        problems.append(
            f"records must be one or more, each named once, found {len(np.unique(records))} in a list of "
            f"{len(records)}; name those to forget"
        )
    elif records.min() < 0 or records.max() >= len(dataset.x):
        problems.append(
            f"records must be positions 0..{len(dataset.x) - 1}, found {records.min()}..{records.max()};"
            " correct them"
        )
    if problems:
        raise UsageError(*(f"canary in {dataset.name!r}: {problem}" for problem in problems))
    scale = share * spread
    noise = np.random.default_rng(seed).normal(0.0, scale, (len(records), *dataset.x.shape[1:]))
    x = dataset.x.copy()
    x[records] = (x[records] + noise).astype(np.float32)
    origin = f"{dataset.origin}; Gaussian noise of SD {scale:.3g} in {len(records)} records"
    return Canary(replace(dataset, x=x, origin=origin), records, noise, scale)
