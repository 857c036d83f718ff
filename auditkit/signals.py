"""Signals: what the models answered, and who was trained on what. Arrays only; no model, no torch."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from auditkit.statistics.margins import Floats, Ints


@dataclass(frozen=True, eq=False)
class Signals:
    """The answers of many runs on the same records.

    logits: float32 (runs, records, classes). member: bool (runs, records), whether the run was
    trained on the record. labels: int64 (records,). ids: str (records,), unique; whatever else is
    known of a record is joined by id. arms: str (runs,), the arm of each run. seed: for anything
    random that an attack does with these signals.
    """

    logits: npt.NDArray[np.float32]
    member: npt.NDArray[np.bool_]
    labels: Ints
    ids: npt.NDArray[np.str_]
    arms: npt.NDArray[np.str_]
    seed: int

    def __post_init__(self) -> None:
        runs, records, _ = self.logits.shape
        for name, shape in (
            ("member", (runs, records)),
            ("labels", (records,)),
            ("ids", (records,)),
            ("arms", (runs,)),
        ):
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} must have shape {shape}, got {getattr(self, name).shape}")
        if len(np.unique(self.ids)) != records:
            raise ValueError("ids must be unique")

    def runs_of(self, arm: str) -> Ints:
        """The runs of one arm, in order."""
        return np.flatnonzero(self.arms == arm)

    def positions(self, ids: npt.NDArray[np.str_]) -> Ints:
        """Where the records with these ids stand, in the order asked for. KeyError if one is absent."""
        order = np.argsort(self.ids)
        found = order[np.searchsorted(self.ids, ids, sorter=order).clip(max=len(order) - 1)]
        if not np.array_equal(self.ids[found], ids):
            raise KeyError(f"no signals for ids {sorted(set(ids) - set(self.ids))[:5]}")
        return np.asarray(found)

    def only(self, records: Ints) -> "Signals":
        """The same runs on some of the records."""
        return Signals(
            self.logits[:, records],
            self.member[:, records],
            self.labels[records],
            self.ids[records],
            self.arms,
            self.seed,
        )


def phi(logits: npt.NDArray[np.floating], labels: Ints) -> Floats:
    """The margin z_y - logsumexp_{k != y} z_k, the log odds of the label: float64 (..., records).

    logits: (..., records, classes); labels: (records,).
    """
    z = np.asarray(logits, dtype=np.float64)
    z = z - z.max(axis=-1, keepdims=True)
    own = np.arange(z.shape[-2]), labels
    others = z.copy()
    others[..., *own] = -np.inf
    return np.asarray(z[..., *own] - np.logaddexp.reduce(others, axis=-1))


def log_softmax(logits: npt.NDArray[np.floating]) -> Floats:
    """log p from logits, float64, over the last axis; exact where p itself would underflow to 0."""
    z = np.asarray(logits, dtype=np.float64)
    z = z - z.max(axis=-1, keepdims=True)
    return np.asarray(z - np.log(np.exp(z).sum(axis=-1, keepdims=True)))
