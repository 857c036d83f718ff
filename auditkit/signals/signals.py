"""Signals: what the models answered, and who was trained on what. Arrays only; no model, no torch.

The logits of all runs may not fit in memory: they lie in a memory-mapped file, and whoever computes
with them takes one run at a time.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auditkit.core.errors import AuditError
from auditkit.core.ids import ArmKey
from auditkit.statistics.margins import Floats, Ints


@dataclass(frozen=True, eq=False)
class Signals:
    """The answers of many runs on the same records.

    logits: float32 (runs, records, classes), in memory, as `open_logits` gives them, or
    `OverlayArray`. member: bool (runs, records), whether the run was trained on the record. labels:
    int64 (records,). ids: str (records,), unique; whatever else is known of a record is joined by
    id. arms: str (runs,), the arm of each run. seed: for anything random that an attack does with
    these signals. observed: what was measured with the models in hand, name -> float64 (runs,
    records), NaN where a run was not asked about a record. inputs: float32 (records, features), the
    records themselves, None where they are not to be had. candidates: bool (records,), the records
    whose membership is in question, if some of them were in no training set at all: from the
    targets' answers on these nothing is learnt.
    """

    logits: npt.NDArray[np.float32]
    member: npt.NDArray[np.bool_]
    labels: Ints
    ids: npt.NDArray[np.str_]
    arms: npt.NDArray[np.str_]
    seed: int
    observed: Mapping[str, Floats] = field(default_factory=dict)
    inputs: npt.NDArray[np.float32] | None = None
    candidates: npt.NDArray[np.bool_] | None = None

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
        for name, values in self.observed.items():
            if values.shape != (runs, records):
                raise ValueError(f"observed {name} must have shape {(runs, records)}, got {values.shape}")
        if self.candidates is not None and self.candidates.shape != (records,):
            raise ValueError(f"candidates must have shape {(records,)}, got {self.candidates.shape}")
        if self.inputs is not None and (self.inputs.ndim != 2 or len(self.inputs) != records):
            raise ValueError(f"inputs must have shape ({records}, features), got {self.inputs.shape}")
        if len(np.unique(self.ids)) != records:
            raise ValueError("ids must be unique")

    def runs_of(self, arm: ArmKey) -> Ints:
        """The runs of one arm, in order."""
        return np.flatnonzero(self.arms == str(arm))

    def positions(self, ids: npt.NDArray[np.str_]) -> Ints:
        """Where the records with these ids stand, in the order asked for. KeyError if one is
        absent."""
        order = np.argsort(self.ids)
        found = order[np.searchsorted(self.ids, ids, sorter=order).clip(max=len(order) - 1)]
        if not np.array_equal(self.ids[found], ids):
            raise KeyError(f"no signals for ids {sorted(set(ids) - set(self.ids))[:5]}")
        return np.asarray(found)


@dataclass(frozen=True, eq=False)
class OverlayArray:
    """An array (runs, records, ...) in which what is said of some records is replaced; each run is
    put together when it is asked for. base: (runs, records, ...), places: (some,), values: (runs,
    some, ...)."""

    base: npt.NDArray[np.floating]
    places: Ints
    values: npt.NDArray[np.floating]

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the base."""
        return self.base.shape

    def __getitem__(self, run: int) -> npt.NDArray[np.floating]:
        found = np.array(self.base[run])
        found[self.places] = self.values[run]
        return found


def asked_near(signals: Signals, places: Ints, logits: npt.NDArray[np.float32]) -> Signals:
    """These signals, but that the records at `places` were asked about near them: logits (runs,
    places, classes). What was observed with the models in hand was not asked there."""
    found: Any = OverlayArray(signals.logits, places, logits)
    return replace(signals, logits=found, observed={})


def create_logits(path: Path, runs: int, records: int, classes: int) -> np.memmap:
    """A new .npy file to write logits into, run by run: float32 (runs, records, classes), zeros at
    first.

    AuditError, and no file, where there is no room for all of it.
    """
    try:
        logits = np.lib.format.open_memmap(path, "w+", np.float32, (runs, records, classes))
        _reserve(path)
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        size = 4 * runs * records * classes / 1e6
        raise AuditError(
            f"{path}: the answers of {runs} runs on {records} records need {size:.0f} MB here, found: "
            f"{error.strerror or error}; make room and run the same command again"
        ) from error
    return logits


def _reserve(path: Path) -> None:
    """Have the disk set aside what the file holds so far only by name.

    Written to through memory, a file with holes ends the process (SIGBUS) when the disk is full.
    """
    if hasattr(os, "posix_fallocate"):  # not on macOS
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def open_logits(path: Path) -> npt.NDArray[np.float32]:
    """The logits in a file of `create_logits`, read-only, and read only where they are looked
    at."""
    return np.lib.format.open_memmap(path, "r")


def phi(logits: npt.NDArray[np.floating], labels: Ints) -> Floats:
    """The margin z_y - logsumexp_{k != y} z_k, the log odds of the label: float64 (..., records).

    logits: (..., records, classes); labels: (records,).
    """
    z = np.array(logits, dtype=np.float64)
    own = np.arange(z.shape[-2]), labels
    right = z[..., *own]
    z[..., *own] = -np.inf
    top = z.max(axis=-1)
    z -= top[..., None]
    return np.asarray(right - top - np.log(np.exp(z).sum(axis=-1)))


def log_softmax(logits: npt.NDArray[np.floating]) -> Floats:
    """log p from logits, float64, over the last axis; exact where p itself would underflow to 0."""
    z = np.array(logits, dtype=np.float64)
    z -= z.max(axis=-1, keepdims=True)
    z -= np.log(np.exp(z).sum(axis=-1, keepdims=True))
    return z
