"""Answers of made-up runs, three an arm, to twenty records."""

from collections.abc import Collection, Sequence

import numpy as np

from auditkit.core.ids import COMPARED, PLACEBO, ArmKey, Jitter, Query
from auditkit.signals.hinge_margin import jittered_margins
from auditkit.signals.interface import Interface
from auditkit.signals.measurements import Measured, SetIndices
from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Floats

RUNS, RECORDS, CLASSES, DRAWS = 3, 20, 4, 2
SETS = SetIndices(*(np.arange(a, a + 4) for a in range(0, RECORDS, 4)))


def example(*further: Query, lacking: Collection[ArmKey] = (), arms: Sequence[ArmKey] = COMPARED) -> Measured:
    """The answers to the records as they are and near them. further: queries of every arm but those
    `lacking`. Where there is a placebo, the first two test records were its stand-ins."""
    rng, runs = np.random.default_rng(0), RUNS * len(arms)
    logits = rng.normal(size=(runs, RECORDS, CLASSES)).astype(np.float32)
    labels = rng.integers(0, CLASSES, RECORDS)
    signals = Signals(
        logits=logits,
        member=np.zeros((runs, RECORDS), dtype=bool),
        labels=labels,
        ids=np.array([f"r{i}" for i in range(RECORDS)]),
        arms=np.repeat([str(arm) for arm in arms], RUNS),
        seed=0,
    )
    asked = labels[np.concatenate([SETS.forget, SETS.control])]
    near: dict[ArmKey, dict[Query, Floats]] = {}
    for arm in arms:
        queries = (Jitter(0.1), *(() if arm in lacking else further))
        logits = rng.normal(size=(RUNS, DRAWS, 8, CLASSES)).astype(np.float32)
        near[arm] = {query: jittered_margins(logits, asked) for query in queries}
    stand_ins = SETS.test[: 2 if PLACEBO in arms else 0]
    return Measured(signals, SETS, near, {}, [], Interface(), stand_ins=stand_ins)
