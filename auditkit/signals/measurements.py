"""From answers to one value per run: arrays only, no model and no torch, and one run at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from auditkit.signals.signals import Signals
from auditkit.statistics.agreement import Agreement
from auditkit.statistics.arms import Arm, Arms, Scores
from auditkit.statistics.margins import Floats, Ints, Margins, hinge

COMPARED = ("original", "unlearned", "retrained", "honest")
"""The arms that are compared; shadow runs only teach the attacker."""


@dataclass(frozen=True, eq=False)
class SetIndices:
    """Where the records of each set stand in the signals."""

    retain: Ints
    forget: Ints
    control: Ints
    test: Ints
    population: Ints


def build_arms(
    signals: Signals,
    near: Mapping[str, Mapping[str, Floats]],
    places: SetIndices,
    scores: Mapping[str, Mapping[str, Scores]],
    skipped: Mapping[str, str],
    parts: Sequence[Ints] = (),
) -> Arms:
    """The compared arms.

    near: arm -> jittered query -> `jittered_margins` of forget then control records.
    scores: attack -> arm -> scores; skipped: attack -> why it has none. parts: see `Arms`.
    """

    def arm(name: str) -> Arm:
        own = {attack: by_arm[name].asked() for attack, by_arm in scores.items()}
        return build_arm(signals, name, near[name], places, own)

    # A recovery that the models of one arm cannot be put through says nothing of the others.
    common = set.intersection(*(set(near[name]) for name in COMPARED))
    near = {name: {q: m for q, m in near[name].items() if q in common} for name in COMPARED}
    original, unlearned, retrained, honest = (arm(name) for name in COMPARED)
    return Arms(original, unlearned, retrained, honest, skipped, parts)


def group_records(*owners: npt.NDArray[np.generic]) -> list[Ints]:
    """The forget records that belong together: those, two or more, that have one owner. owners: of
    each forget record, one array a kind: its class, its person."""
    return [own for kind in owners for own in _shared(kind) if len(own) > 1]


def _shared(kind: npt.NDArray[np.generic]) -> list[Ints]:
    _, code, size = np.unique(kind, return_inverse=True, return_counts=True)
    return np.split(np.argsort(code, kind="stable"), np.cumsum(size)[:-1])


def build_arm(
    signals: Signals, arm: str, near: Mapping[str, Floats], places: SetIndices, scores: Mapping[str, Scores]
) -> Arm:
    """One arm.

    near: jittered query -> `jittered_margins` of forget then control records. scores: attack ->
    scores.
    """
    split = len(places.forget)
    exact = Margins(margins_of(signals, arm, places.forget), margins_of(signals, arm, places.control))
    beside = {query: Margins(margins[:, :split], margins[:, split:]) for query, margins in near.items()}
    return Arm({"exact": exact, **beside}, scores, accuracy(signals, arm, places.test))


def margins_of(signals: Signals, arm: str, records: Ints) -> Floats:
    """(runs, records): the hinge margins of an arm on some of the records."""
    runs = signals.runs_of(arm)
    # Records outermost, as a choice of columns lies in memory: sums depend on it in their last
    # bits.
    margins = np.empty((len(runs), len(records)), order="F")
    for row, run in zip(margins, runs, strict=True):
        row[:] = hinge(signals.logits[run][records], signals.labels[records])
    return margins


def jittered_margins(logits: npt.NDArray[np.float32], labels: Ints) -> Floats:
    """(runs, records): the hinge margin of each record, its mean over the jittered copies.

    logits: (runs, draws, records, classes); labels: (records,).
    """
    margins = np.empty((len(logits), len(labels)))
    for row, answers in zip(margins, logits, strict=True):
        row[:] = hinge(answers, labels).mean(axis=0)
    return margins


def accuracy(signals: Signals, arm: str, records: Ints) -> Floats:
    """(runs,): the share of `records` whose label each run of an arm predicts."""
    labels = signals.labels[records]
    right = (signals.logits[run][records].argmax(axis=-1) == labels for run in signals.runs_of(arm))
    return np.array([row.mean() for row in right], dtype=np.float64)


def bundle_arrays(
    arms: Arms,
    scores: Mapping[str, Mapping[str, Scores]],
    found: Mapping[str, Agreement],
    ids: npt.NDArray[np.str_],
    places: SetIndices,
) -> dict[str, npt.NDArray[np.generic]]:
    """All that the verdict is computed from, for scores/: margins and scores of every compared run;
    and how many attacks find each forget record in each arm.

    ids: salted ids of the records in the signals. Never inputs, never logits.
    """
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "forget_ids": ids[places.forget],
        "control_ids": ids[places.control],
    }
    for name in COMPARED:
        arm: Arm = getattr(arms, name)
        for query, margins in arm.margins.items():
            arrays[f"{name}/margin/{query}/forget"] = margins.forget
            arrays[f"{name}/margin/{query}/control"] = margins.control
        arrays[f"{name}/accuracy/test"] = arm.accuracy
        for attack, by_arm in scores.items():
            arrays[f"{name}/attack/{attack}/forget"] = by_arm[name].forget
            arrays[f"{name}/attack/{attack}/control"] = by_arm[name].control
        if name in found:
            arrays[f"{name}/found by/forget"] = found[name].found
    return arrays
