"""From answers to one value per run: arrays only, no model and no torch, and one run at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from auditkit.core.ids import BESIDE, COMPARED, EXACT, PLACEBO, STRESS, VARIANT, ArmKey, Query, World
from auditkit.signals.arms import Arm, Arms
from auditkit.signals.hinge_margin import hinge
from auditkit.signals.interface import Interface
from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Floats, Ints, Margins
from auditkit.statistics.scores import Scores

OtherMargins = Mapping[ArmKey, Mapping[Query, Floats]]
"""arm -> query -> `jittered_margins` of forget then control records: (runs, records)."""
AttackScores = Mapping[str, Mapping[ArmKey, Scores]]
"""attack -> arm -> its scores."""


@dataclass(frozen=True, eq=False)
class SetIndices:
    """Where the records of each set stand in the signals."""

    retain: Ints
    forget: Ints
    control: Ints
    test: Ints
    population: Ints


@dataclass(frozen=True, eq=False)
class Measured:
    """What all models answered, wherever the answers come from: trained here, or submitted.

    Attributes:
        signals: the answers to the records as they are.
        sets: where the records of each set stand in the signals.
        other_margins: margins under every query but the exact one, of changed models too.
        near_logits: jittered query -> float32 (runs, forget then control records, classes), the
            mean over the draws; empty where only margins are known.
        parts: forget records that belong together, see `Arms`.
        interface: what the claimed models withhold, and so every arm does.
        diverged: runs that are left out as their answers were not all finite, in words.
        stand_ins: where the records stand in the signals that the placebo was asked to forget,
            which are among those of the test set; empty where there is no placebo.
    """

    signals: Signals
    sets: SetIndices
    other_margins: OtherMargins
    near_logits: Mapping[Query, npt.NDArray[np.float32]]
    parts: Sequence[Ints]
    interface: Interface
    diverged: Sequence[str] = ()
    stand_ins: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    @property
    def compared(self) -> tuple[ArmKey, ...]:
        """The arms that are compared."""
        return self.compared_in("plain")

    def compared_in(self, world: World) -> tuple[ArmKey, ...]:
        """The arms of a world that are compared."""
        there = (arm.within(world) for arm in BESIDE)
        return (
            *(arm.within(world) for arm in COMPARED),
            *(arm for arm in there if len(self.signals.runs_of(arm))),
        )

    def test_of(self, arm: ArmKey) -> Ints:
        """The records on which an arm's accuracy says how useful it is: not those that it was asked
        to forget, nor, in the stress world, those with wrong labels, unless there are no others."""
        kept = np.setdiff1d(self.sets.test, self.stand_ins)
        apart = arm.kind == "placebo" or arm.world == STRESS
        return kept if apart and len(kept) else self.sets.test


def build_arms(
    measured: Measured, scores: AttackScores, skipped: Mapping[str, str], world: World = "plain"
) -> Arms:
    """The compared arms.

    Args:
        measured: the answers of all models.
        scores: attack -> arm -> scores.
        skipped: attack -> why it has none.
        world: that of the arms.

    Returns:
        The arms, each with those queries that every arm was asked: a recovery that the models of
        one arm cannot be put through says nothing of the others.
    """
    others, compared = measured.other_margins, measured.compared_in(world)
    judged = [arm for arm in compared if arm.kind != VARIANT.kind]
    common = set.intersection(*(set(others[arm]) for arm in judged))

    def arm(key: ArmKey) -> Arm:
        asked = {attack: by_arm[key].asked() for attack, by_arm in scores.items()}
        margins = {query: values for query, values in others[key].items() if query in common}
        return build_arm(measured, key, margins, asked)

    original, unlearned, retrained, honest = (arm(key.within(world)) for key in COMPARED)
    beside = (key.within(world) for key in (PLACEBO, VARIANT))
    placebo, variant = (arm(key) if key in compared else None for key in beside)
    return Arms(original, unlearned, retrained, honest, skipped, measured.parts, placebo, variant)


def group_records(*owners: npt.NDArray[np.generic]) -> list[Ints]:
    """The forget records that belong together: those, two or more, that have one owner. owners: of
    each forget record, one array a kind: its class, its person."""
    return [rows for kind in owners for rows in _by_owner(kind) if len(rows) > 1]


def _by_owner(kind: npt.NDArray[np.generic]) -> list[Ints]:
    _, code, size = np.unique(kind, return_inverse=True, return_counts=True)
    return np.split(np.argsort(code, kind="stable"), np.cumsum(size)[:-1])


def build_arm(
    measured: Measured, arm: ArmKey, other_margins: Mapping[Query, Floats], scores: Mapping[str, Scores]
) -> Arm:
    """One arm.

    Args:
        measured: the answers of all models.
        arm: which.
        other_margins: query -> `jittered_margins` of forget then control records.
        scores: attack -> its scores on this arm.
    """
    signals, sets = measured.signals, measured.sets
    split = len(sets.forget)
    exact = Margins(margins_of(signals, arm, sets.forget), margins_of(signals, arm, sets.control))
    beside = {
        query: Margins(margins[:, :split], margins[:, split:]) for query, margins in other_margins.items()
    }
    return Arm({EXACT: exact, **beside}, scores, accuracy(signals, arm, measured.test_of(arm)))


def margins_of(signals: Signals, arm: ArmKey, records: Ints) -> Floats:
    """(runs, records): the hinge margins of an arm on some of the records."""
    runs = signals.runs_of(arm)
    # Records outermost, as a choice of columns lies in memory: sums depend on it in their last
    # bits.
    margins = np.empty((len(runs), len(records)), order="F")
    for row, run in zip(margins, runs, strict=True):
        row[:] = hinge(signals.logits[run][records], signals.labels[records])
    return margins


def accuracy(signals: Signals, arm: ArmKey, records: Ints) -> Floats:
    """(runs,): the share of `records` whose label each run of an arm predicts."""
    labels = signals.labels[records]
    right = (signals.logits[run][records].argmax(axis=-1) == labels for run in signals.runs_of(arm))
    return np.array([row.mean() for row in right], dtype=np.float64)
