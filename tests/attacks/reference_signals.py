"""Signals made from margins: two classes, of which the label's logit is phi and the other one 0."""

import numpy as np
import numpy.typing as npt

from auditkit.core.ids import ORIGINAL, SHADOW
from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Floats

Bools = npt.NDArray[np.bool_]


def margin_signals(margins: npt.ArrayLike, member: npt.ArrayLike, targets: int = 1) -> Signals:
    """The first `targets` runs are of the arm "original", the others shadow runs. margins, member:
    (runs, records)."""
    x = np.asarray(margins, dtype=np.float32)
    runs, records = x.shape
    ids = np.array([f"r{i}" for i in range(records)])
    arms = np.array([str(ORIGINAL)] * targets + [str(SHADOW)] * (runs - targets))
    labels = np.zeros(records, dtype=np.int64)
    return Signals(
        np.stack([x, np.zeros_like(x)], axis=-1), np.asarray(member, dtype=bool), labels, ids, arms, 0
    )


def random_halves(rng: np.random.Generator, runs: int, records: int) -> Bools:
    """Who is in which run: two runs a division of the records into halves, (runs, records)."""
    member = np.zeros((runs, records), dtype=bool)
    for run in range(0, runs, 2):
        member[run, rng.permutation(records)[: records // 2]] = True
        member[run + 1 :][:1] = ~member[run]
    return member


def random_signals(
    seed: int = 0,
    *,
    shadows: int = 8,
    records: int = 200,
    outside: int = 100,
    shift: float = 1.0,
    spread: float = 0.5,
) -> tuple[Signals, Bools]:
    """One target and shadow runs on random halves of the first `records`, none on the `outside`
    others; and whom the target was trained on. A record's margin has a mean and an SD of its own;
    `spread` is the SD of the logarithm of the latter; members' margins are `shift` of these SDs
    larger."""
    rng = np.random.default_rng(seed)
    inside = np.hstack([random_halves(rng, shadows, records), np.zeros((shadows, outside), dtype=bool)])
    trained = np.hstack([rng.random(records) < 0.5, np.zeros(outside, dtype=bool)])
    member = np.vstack([trained, inside])
    mean, sd = rng.normal(1, 2, records + outside), np.exp(rng.normal(0, spread, records + outside))
    margins: Floats = mean + sd * (rng.normal(size=member.shape) + shift * member)
    return margin_signals(margins, member), trained
