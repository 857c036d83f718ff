"""Signals of made-up runs whose members have larger margins."""

import numpy as np
import numpy.typing as npt

from auditkit.signals import Signals

RECORDS, POPULATION, CLASSES = 240, 140, 4
"""The first 60 records are forget, the next 40 control, the rest the attacker's population."""


def synthetic_signals(seed: int = 0, *, shadows: int = 6, bump: float = 2.0) -> Signals:
    """Two original and two retrained runs, and shadow runs on halves of the population. A member's own
    logit is higher by `bump`. Logits are multiples of 1/1024, so that adding such a number is exact."""
    rng = np.random.default_rng(seed)
    arms = np.array(["original"] * 2 + ["retrained"] * 2 + ["shadow"] * shadows)
    member = np.zeros((len(arms), RECORDS), dtype=bool)
    member[:2, :60] = True
    for run in np.flatnonzero(arms == "shadow"):
        member[run, RECORDS - POPULATION + rng.permutation(POPULATION)[: POPULATION // 2]] = True
    labels = rng.integers(0, CLASSES, RECORDS)
    own = np.eye(CLASSES)[labels]
    logits = rng.normal(size=(len(arms), RECORDS, CLASSES)) + own * (1.5 + bump * member[..., None])
    ids = np.array([f"r{i:03d}" for i in rng.permutation(RECORDS)])
    return Signals(quantised(logits), member, labels, ids, arms, seed)


def quantised(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """The same logits rounded to multiples of 1/1024."""
    return (np.round(logits * 1024) / 1024).astype(np.float32)


def only(signals: Signals, records: npt.NDArray[np.int64]) -> Signals:
    """The same runs on some of the records."""
    s = signals
    return Signals(
        s.logits[:, records], s.member[:, records], s.labels[records], s.ids[records], s.arms, s.seed
    )


def one_run(logits: npt.ArrayLike, labels: npt.ArrayLike) -> Signals:
    """Signals of a single run."""
    z = np.asarray(logits, dtype=np.float32)[None]
    y = np.asarray(labels, dtype=np.int64)
    ids = np.array([f"r{i}" for i in range(len(y))])
    return Signals(z, np.zeros((1, len(y)), dtype=bool), y, ids, np.array(["unlearned"]), 0)
