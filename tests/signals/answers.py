"""Answers of made-up runs, three an arm, to twenty records."""

from collections.abc import Collection

import numpy as np

from auditkit.core.ids import COMPARED, ArmKey, Jitter, Query
from auditkit.signals.hinge_margin import jittered_margins
from auditkit.signals.interface import Interface
from auditkit.signals.measurements import Measured, SetIndices
from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Floats

RUNS, RECORDS, CLASSES, DRAWS = 3, 20, 4, 2
SETS = SetIndices(*(np.arange(a, a + 4) for a in range(0, RECORDS, 4)))


def example(*further: Query, lacking: Collection[ArmKey] = ()) -> Measured:
    """The answers to the records as they are and near them. further: queries of every arm but those
    `lacking`."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4 * RUNS, RECORDS, CLASSES)).astype(np.float32)
    labels = rng.integers(0, CLASSES, RECORDS)
    signals = Signals(
        logits=logits,
        member=np.zeros((4 * RUNS, RECORDS), dtype=bool),
        labels=labels,
        ids=np.array([f"r{i}" for i in range(RECORDS)]),
        arms=np.repeat([str(arm) for arm in COMPARED], RUNS),
        seed=0,
    )
    asked = labels[np.concatenate([SETS.forget, SETS.control])]
    near: dict[ArmKey, dict[Query, Floats]] = {}
    for arm in COMPARED:
        queries = (Jitter(0.1), *(() if arm in lacking else further))
        logits = rng.normal(size=(RUNS, DRAWS, 8, CLASSES)).astype(np.float32)
        near[arm] = {query: jittered_margins(logits, asked) for query in queries}
    return Measured(signals, SETS, near, {}, [], Interface())
