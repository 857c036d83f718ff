"""Arrays as a claimant hands them in, made up."""

from typing import Any

import numpy as np

FORGET, CONTROL, REST = 60, 120, 150
SETS = np.repeat(["retain", "forget", "control", "test", "population"], [REST, FORGET, CONTROL, REST, REST])
CLASSES, N = 4, 10
Arrays = dict[str, Any]


def answers(
    rng: np.random.Generator,
    runs: int,
    base: np.ndarray[Any, Any],
    labels: np.ndarray[Any, Any],
    memory: float,
) -> np.ndarray[Any, Any]:
    """Logits whose own class stands out, by `memory` more on forget records."""
    logits = base + 0.7 * rng.normal(size=(runs, *base.shape))
    own = np.arange(len(labels))
    logits[:, own, labels] += 1.0 + memory * (SETS == "forget") + 4.0 * (SETS == "retain")
    return logits.astype(np.float32)


def arrays(seed: int = 0, *, unlearned: int = N, memory: float = 0.0, **changes: Any) -> Arrays:
    """What a claimant hands in; memory: what is left of the forget records in the unlearned runs
    (originals: 3)."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, len(SETS))
    base = rng.normal(0, 2, (len(SETS), CLASSES))
    made = {
        arm: answers(rng, runs, base, labels, left)
        for arm, runs, left in (
            ("original", N, 3.0),
            ("unlearned", unlearned, memory),
            ("retrained", N, 0.0),
            ("honest", N, 0.0),
        )
    }
    given = {"labels": labels, "ids": np.arange(len(SETS)), "sets": SETS, **made, **changes}
    return {name: value for name, value in given.items() if value is not None}


def near(given: Arrays) -> Arrays:
    """Answers near the records of every arm: two draws, like the answers on the records
    themselves."""
    beside = np.concatenate([np.flatnonzero(SETS == "forget"), np.flatnonzero(SETS == "control")])
    rng = np.random.default_rng(9)
    return {
        f"near/0.3/{arm}": (
            given[arm][:, None, beside]
            + 0.1 * rng.normal(size=(len(given[arm]), 2, FORGET + CONTROL, CLASSES))
        )
        for arm in ("original", "unlearned", "retrained", "honest")
    }
