"""Which records several attacks find.

An attack finds a forget record if the record's mean score over the runs of an arm is above the
score that only a given share of the control records exceed. No run has seen a control record: of
the forget records of a model that has forgotten them, an attack finds that share too, by chance.

How many records several attacks would find together if they guessed is *not* said here: attacks
look at the same logits and err on the same records, so that agreement is no count of independent
witnesses. Compare with the same number in the retrained arm.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from auditkit.statistics.margins import Floats, Ints
from auditkit.statistics.roc import Mask, threshold_at
from auditkit.statistics.scores import Scores


@dataclass(frozen=True, eq=False)
class Agreement:
    """found: int64 (forget records,), how many attacks find the record. asked: int64 (forget
    records,), how many have a score for it at all. attacks: how many there are."""

    found: Ints
    asked: Ints
    attacks: int

    def by_at_least(self) -> Ints:
        """How many records are found by at least 1, 2, ... of the attacks: int64 (attacks,).

        Examples:
            >>> Agreement(np.array([0, 1, 1, 3]), np.array([3, 3, 3, 3]), 3).by_at_least().tolist()
            [3, 1, 1]
        """
        exactly = np.bincount(self.found, minlength=self.attacks + 1)
        return np.cumsum(exactly[::-1])[::-1][1:].astype(np.int64)


def agreement(scores: Mapping[str, Scores], fpr: float) -> Agreement:
    """How many attacks find each forget record of one arm.

    Args:
        scores: attack -> its scores in that arm.
        fpr: the share of control records that an attack may find.

    Raises:
        ValueError: an attack, which it names, has scored fewer than 3/fpr control records (see
            `roc.lowest_quotable_fpr`); attacks differ in how many forget records they have; or
            there are none.

    Examples:
        >>> control = np.arange(30.0)[None]
        >>> scores = {name: Scores(np.array([[40.0, 3.0]]), control) for name in ("loss", "gap")}
        >>> agreement(scores, fpr=0.1).found.tolist()
        [2, 0]
    """
    if len({s.forget.shape[1] for s in scores.values()}) != 1:
        sizes = {name: s.forget.shape[1] for name, s in scores.items()}
        raise ValueError(f"all attacks must have the same forget records, got {sizes}")
    by_attack = np.array([found(s, fpr, name) for name, s in scores.items()])
    asked = np.array([~np.isnan(s.forget).all(axis=0) for s in scores.values()])
    return Agreement(by_attack.sum(axis=0), asked.sum(axis=0), len(scores))


def found(scores: Scores, fpr: float, name: str = "the attack") -> Mask:
    """Which records one attack finds: bool (forget records,). A record it was not asked about (NaN
    in every run) is not found; one it was asked about in some runs counts by its mean over these.

    Raises:
        ValueError: as `agreement`.

    Examples:
        >>> found(Scores(np.array([[40.0, 3.0]]), np.arange(30.0)[None]), fpr=0.1).tolist()
        [True, False]
    """
    control = mean_score(scores.control)
    control = control[~np.isnan(control)]
    if len(control) * fpr < 3:
        raise ValueError(f"{name}: fpr must be at least 3 / {len(control)} control records, got {fpr}")
    with np.errstate(invalid="ignore"):
        return np.asarray(mean_score(scores.forget) > threshold_at(control, fpr))


def mean_score(scores: Floats) -> Floats:
    """The mean over the runs in which a record has a score, NaN where there is none: (records,).

    Args:
        scores: (runs, records), NaN for a record that was not asked about.

    Examples:
        >>> mean_score(np.array([[1.0, np.nan], [2.0, np.nan]])).tolist()
        [1.5, nan]
    """
    asked = ~np.isnan(scores)
    runs = asked.sum(axis=0)
    total = np.where(asked, scores, 0.0).sum(axis=0)
    return np.where(runs > 0, total / np.maximum(runs, 1), np.nan)
