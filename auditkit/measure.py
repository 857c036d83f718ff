"""From answers to one value per run: arrays only, no model and no torch."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from auditkit.signals import Signals
from auditkit.statistics.arms import Arm, Arms, Scores
from auditkit.statistics.margins import Floats, Ints, Margins, hinge

COMPARED = ("original", "unlearned", "retrained", "honest")
"""The arms that are compared; shadow runs only teach the attacker."""


@dataclass(frozen=True, eq=False)
class Places:
    """Where the records of each set stand in the signals."""

    retain: Ints
    forget: Ints
    control: Ints
    test: Ints
    population: Ints


def arms_of(
    signals: Signals,
    answers: Mapping[str, Mapping[str, npt.NDArray[np.float32]]],
    places: Places,
    scores: Mapping[str, Mapping[str, Scores]],
    skipped: Mapping[str, str],
) -> Arms:
    """The compared arms.

    answers: arm -> query -> logits; for a jittered query (runs, draws, forget then control records, classes).
    scores: attack -> arm -> scores; skipped: attack -> why it has none.
    """

    def arm(name: str) -> Arm:
        own = {attack: by_arm[name] for attack, by_arm in scores.items()}
        near = {query: logits for query, logits in answers[name].items() if query != "exact"}
        return arm_of(signals.logits[signals.runs_of(name)], near, signals.labels, places, own)

    original, unlearned, retrained, honest = (arm(name) for name in COMPARED)
    return Arms(original, unlearned, retrained, honest, skipped)


def arm_of(
    logits: npt.NDArray[np.float32],
    near: Mapping[str, npt.NDArray[np.float32]],
    labels: Ints,
    places: Places,
    scores: Mapping[str, Scores],
) -> Arm:
    """One arm. logits: (runs, records, classes); near: jittered query -> logits; scores: attack -> scores."""
    exact = hinge(logits, labels)
    beside = labels[np.concatenate([places.forget, places.control])]
    split = len(places.forget)
    margins = {"exact": Margins(exact[:, places.forget], exact[:, places.control])}
    for query, answers in near.items():
        mean = hinge(answers, beside).mean(axis=1)
        margins[query] = Margins(mean[:, :split], mean[:, split:])
    return Arm(margins, scores, accuracy(logits, labels, places.test))


def accuracy(logits: npt.NDArray[np.float32], labels: Ints, records: Ints) -> Floats:
    """(runs,): the share of `records` whose label each run predicts. logits: (runs, all records, classes)."""
    return np.asarray((logits[:, records].argmax(axis=-1) == labels[records]).mean(axis=1))


def score_arrays(
    arms: Arms, scores: Mapping[str, Mapping[str, Scores]], ids: npt.NDArray[np.str_], places: Places
) -> dict[str, npt.NDArray[np.generic]]:
    """All that the verdict is computed from, for scores/: margins and scores of every compared run.

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
    return arrays
