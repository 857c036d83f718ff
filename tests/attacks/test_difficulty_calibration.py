import math
from dataclasses import replace

import numpy as np
import pytest

from auditkit.attacks import difficulty_calibration, loss
from auditkit.attacks.errors import NotApplicable
from auditkit.core.ids import ORIGINAL, SHADOW
from auditkit.signals.signals import Signals
from auditkit.statistics.roc import auc

TARGETS = 4


def reference_signals(seed: int = 0, *, shadows: int = 12, bump: float = 1.0, spread: float = 3.0) -> Signals:
    """Four attacked runs and shadow runs, each on a random half of 300 records of two classes. The
    margin of a record is its difficulty, of this spread, plus `bump` in runs trained on it, plus
    noise."""
    rng = np.random.default_rng(seed)
    runs, records = TARGETS + shadows, 300
    member = np.zeros((runs, records), dtype=bool)
    for run in member:
        run[rng.permutation(records)[: records // 2]] = True
    margin = spread * rng.normal(size=records) + bump * member + 0.5 * rng.normal(size=member.shape)
    labels = rng.integers(0, 2, records)
    logits = np.zeros((runs, records, 2), dtype=np.float32)
    logits[:, np.arange(records), labels] = margin
    ids = np.array([f"r{i:03d}" for i in rng.permutation(records)])
    return Signals(
        logits, member, labels, ids, np.array([str(ORIGINAL)] * TARGETS + [str(SHADOW)] * shadows), seed
    )


def cross_entropy(logits: np.ndarray[tuple[int], np.dtype[np.float32]], label: int) -> float:
    powers = [math.exp(z) for z in logits]
    return -math.log(powers[label] / sum(powers))


@pytest.mark.parametrize("target", [0, 3, 7])
def test_record_by_record(target: int) -> None:
    """The score is the mean loss over the runs without the record but the target, less the target's
    loss."""
    s = reference_signals()
    expected = []
    for i, label in enumerate(s.labels):
        others = [
            cross_entropy(s.logits[run, i], label)
            for run in range(TARGETS, len(s.arms))
            if run != target and not s.member[run, i]
        ]
        expected.append(sum(others) / len(others) - cross_entropy(s.logits[target, i], label))
    assert difficulty_calibration.score(s, target) == pytest.approx(expected, abs=1e-5)


def test_difficulty_cancels() -> None:
    """Where records differ more in difficulty than training on them does, it finds members that the
    loss alone does not."""
    calibrated: list[float] = []
    plain: list[float] = []
    for seed in range(4):
        s = reference_signals(seed)
        for target in range(TARGETS):
            inside = s.member[target]
            for aucs, score in ((calibrated, difficulty_calibration.score), (plain, loss.score)):
                found = score(s, target)
                aucs.append(auc(found[inside], found[~inside]))
    assert np.mean(calibrated) > np.mean(plain) + 0.15
    assert np.mean(calibrated) > 0.75


def test_without_memory_nobody_is_found() -> None:
    """Where training on a record changes nothing the AUC is 1/2."""
    found = []
    for seed in range(8):
        s = reference_signals(seed, bump=0.0)
        for target in range(TARGETS):
            values = difficulty_calibration.score(s, target)
            found.append(auc(values[s.member[target]], values[~s.member[target]]))
    assert np.mean(found) == pytest.approx(0.5, abs=0.02)


def test_the_membership_of_the_target_is_not_looked_at() -> None:
    """Another membership of the target gives the same scores, and so does another order of records,
    in that order."""
    s = reference_signals()
    first = difficulty_calibration.score(s, 0)
    member = s.member.copy()
    member[0] = ~member[0]
    assert np.array_equal(difficulty_calibration.score(replace(s, member=member), 0), first)
    order = np.random.default_rng(1).permutation(len(s.labels))
    other = replace(
        s, logits=s.logits[:, order], member=s.member[:, order], labels=s.labels[order], ids=s.ids[order]
    )
    assert np.array_equal(difficulty_calibration.score(other, 0), first[order])


def test_what_cannot_be_compared() -> None:
    """A record that every reference run saw has no score, and without reference runs nothing
    has."""
    s = reference_signals(shadows=1)
    missing = np.isnan(difficulty_calibration.score(s, 0))
    assert np.array_equal(missing, s.member[TARGETS])
    with pytest.raises(NotApplicable, match="there are 0 shadow runs"):
        difficulty_calibration.score(reference_signals(shadows=0), 0)
