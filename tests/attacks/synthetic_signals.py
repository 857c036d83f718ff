"""Signals of made-up runs whose members have larger margins."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from auditkit.core.ids import ORIGINAL, RETRAINED, SHADOW, UNLEARNED
from auditkit.signals.signals import Signals

FORGET, CONTROL, POPULATION, OUTSIDE = (
    np.arange(100), np.arange(100, 200), np.arange(200, 320), np.arange(320, 480),
)  # fmt: skip
"""Where the records of each kind stand: forget, control, the attacker's own, and those no run was
trained on."""
RECORDS, CLASSES, RUNS = 480, 4, 3
CANDIDATES = slice(0, 200)
"""The records whose membership is asked for."""
ARMS = {ORIGINAL: 1.0, UNLEARNED: 0.5, RETRAINED: 0.0}
"""The arms that are attacked, and how much of the memory of the forget records each holds."""
TARGETS = range(len(ARMS) * RUNS)


def synthetic_signals(seed: int = 0, *, shadows: int = 8, bump: float = 2.0) -> Signals:
    """Three runs an arm, and shadow runs on both halves of forget, control and population. A
    member's own logit is higher by `bump`; what is observed of the models in hand is the larger the
    more likely the label. Logits are multiples of 1/1024, so that adding such a number is exact."""
    rng = np.random.default_rng(seed)
    attacked = [arm for arm in ARMS for _ in range(RUNS)]
    arms = np.array([str(arm) for arm in [*attacked, *[SHADOW] * shadows]])
    memory = np.zeros((len(arms), RECORDS))
    for run, arm in enumerate(attacked):
        memory[run, FORGET] = ARMS[arm]
    pool = OUTSIDE[0]
    for pair in range(0, shadows, 2):
        order = rng.permutation(pool)
        for run, half in ((pair, order[: pool // 2]), (pair + 1, order[pool // 2 :])):
            if run < shadows:
                memory[len(TARGETS) + run, half] = 1
    member = memory > 0
    labels = rng.integers(0, CLASSES, RECORDS)
    own = np.eye(CLASSES)[labels]
    easy = rng.normal(0, 0.7, RECORDS)  # a record is as hard for one run as for another
    logits = rng.normal(size=(len(arms), RECORDS, CLASSES))
    logits += own * (1.5 + easy[:, None] + bump * memory[..., None])
    likely = (logits * own).sum(axis=-1)
    ids = np.array([f"r{i:03d}" for i in rng.permutation(RECORDS)])
    inputs = np.column_stack([easy, *rng.normal(size=(5, RECORDS))]).astype(np.float32)
    observed = {
        "gradient norm": np.exp(-likely),
        "label stability, noise": np.round(8 / (1 + np.exp(-likely))) / 8,
        "label stability, shifts": np.round(8 / (1 + np.exp(-likely))) / 8,
        "boundary distance": np.maximum(likely, 0.0),
    }
    return Signals(quantised(logits), member, labels, ids, arms, seed, observed, inputs)


def quantised(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """These logits rounded to multiples of 1/1024."""
    return (np.round(logits * 1024) / 1024).astype(np.float32)


def only(signals: Signals, records: npt.NDArray[np.int64]) -> Signals:
    """These runs on some of the records."""
    s = signals
    assert s.inputs is not None
    return replace(
        s,
        logits=s.logits[:, records],
        member=s.member[:, records],
        labels=s.labels[records],
        ids=s.ids[records],
        observed={name: values[:, records] for name, values in s.observed.items()},
        inputs=s.inputs[records],
    )


def one_run(logits: npt.ArrayLike, labels: npt.ArrayLike) -> Signals:
    """Signals of a single run."""
    z = np.asarray(logits, dtype=np.float32)[None]
    y = np.asarray(labels, dtype=np.int64)
    ids = np.array([f"r{i}" for i in range(len(y))])
    return Signals(z, np.zeros((1, len(y)), dtype=bool), y, ids, np.array([str(UNLEARNED)]), 0)
