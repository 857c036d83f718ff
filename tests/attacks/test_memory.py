"""What is held in memory while the logits of all runs lie in a file, and that it changes no
number."""

import gc
import tracemalloc
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from auditkit.attacks import ATTACKS
from auditkit.attacks.battery import run_battery
from auditkit.attacks.modified_entropy import _log_one_minus
from auditkit.attacks.per_class import class_thresholds
from auditkit.attacks.shadows import once
from auditkit.core.ids import COMPARED, SHADOW
from auditkit.signals.arms import Arms
from auditkit.signals.interface import Interface
from auditkit.signals.measurements import Measured, OtherMargins, SetIndices, build_arms
from auditkit.signals.signals import Signals, create_logits, log_softmax, open_logits, phi
from auditkit.statistics.roc import best_threshold
from tests.attacks.synthetic_signals import CLASSES, OUTSIDE, synthetic_signals

T = TypeVar("T")
BY_RUN = [
    name
    for name, attack in ATTACKS.items()
    if attack.family in ("population", "reference models") and name != "quantile-regression"
]
"""Attacks that hold a few copies of one run; those that fit a model hold its examples besides."""

RECORDS, TEN = 4_000, 10
"""As many records, of as many classes."""
ONE_RUN = RECORDS * TEN * 8
"""Bytes of one run's logits as float64: 320 kB."""
PLACES = SetIndices(*np.split(np.arange(RECORDS), [1_800, 2_000, 2_400, 3_400]))
"""Where the records of each set stand; the attacker has the last 600, besides forget and
control."""
OWN = np.concatenate([PLACES.forget, PLACES.control, PLACES.population])
"""What shadow runs are trained on halves of."""
PYTHON = ONE_RUN // 10
"""Bytes that two equal computations may differ by: what Python itself holds."""


def filed_signals(path: Path, per_arm: int, shadows: int) -> Signals:
    """Signals whose logits lie in a file: `per_arm` runs of each compared arm, and shadow runs."""
    rng = np.random.default_rng(0)
    arms = np.repeat(np.array([str(arm) for arm in (*COMPARED, SHADOW)]), [per_arm] * 4 + [shadows])
    member = np.zeros((len(arms), RECORDS), dtype=bool)
    shadow = np.flatnonzero(arms == str(SHADOW))
    for first, second in zip(shadow[::2], shadow[1::2], strict=True):
        order = rng.permutation(OWN)
        member[first, order[: len(OWN) // 2]] = member[second, order[len(OWN) // 2 :]] = True
    for logits in create_logits(path, len(arms), RECORDS, TEN):
        logits[:] = rng.normal(size=(RECORDS, TEN))
    ids = np.array([f"r{i}" for i in range(RECORDS)])
    return Signals(open_logits(path), member, rng.integers(0, TEN, RECORDS), ids, arms, 0)


def held(compute: Callable[[], T], size: Callable[[T], int]) -> int:
    """The most bytes held at any moment while something is computed, beyond those of its result:
    the less of two times, as what is imported or filled in only once comes on top."""
    return min(_held(compute, size) for _ in range(2))


def _held(compute: Callable[[], T], size: Callable[[T], int]) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        result = compute()
        return tracemalloc.get_traced_memory()[1] - size(result)
    finally:
        tracemalloc.stop()


def held_by_attacks(signals: Signals, attacks: list[str]) -> int:
    """What a battery of attacks holds beyond the scores that it gives."""
    return held(
        # A copy: what attacks learnt of signals stays with them, and is learnt anew.
        lambda: run_battery(replace(signals), attacks, PLACES).scores,
        lambda found: sum(
            s.forget.nbytes + s.control.nbytes for by_arm in found.values() for s in by_arm.values()
        ),
    )


def held_by_arms(signals: Signals) -> int:
    """What measuring the compared arms holds beyond their margins and accuracies."""

    def size(arms: Arms) -> int:
        compared = (arms.original, arms.unlearned, arms.retrained, arms.honest)
        margins = [part for arm in compared for m in arm.margins.values() for part in (m.forget, m.control)]
        return sum(array.nbytes for array in [*margins, *(arm.accuracy for arm in compared)])

    near: OtherMargins = {arm: {} for arm in COMPARED}
    measured = Measured(signals, PLACES, near, near_logits={}, parts=(), interface=Interface())
    return held(lambda: build_arms(measured, {}, {}), size)


def test_measuring_the_arms_holds_one_run_at_a_time(tmp_path: Path) -> None:
    """Beyond the margins that it gives, `build_arms` holds less than one run's logits, and with
    twice as many runs no more."""
    few, many = (held_by_arms(filed_signals(tmp_path / f"{n}.npy", n, 0)) for n in (8, 16))
    # Of one run the records of one set, never retain: float32, then float64, then a copy of that.
    assert few < ONE_RUN
    assert many < few + PYTHON


def test_attacks_hold_one_run_at_a_time(tmp_path: Path) -> None:
    """Beyond its scores a battery holds a few copies of one run, and with three times as many runs
    no more."""
    few, many = (held_by_attacks(filed_signals(tmp_path / f"{n}.npy", n, 8), BY_RUN) for n in (1, 3))
    # The modified entropy holds the most: log p, p, log(1 - p), what is summed of it, and a buffer.
    # To learn thresholds takes less: the score of each example, a copy of those of one class, and
    # one run.
    assert few < 6 * ONE_RUN
    assert many < few + PYTHON


def test_a_shadow_run_adds_its_scores_not_its_logits(tmp_path: Path) -> None:
    """What thresholds are learnt from grows by at most 16 bytes for each record that a shadow run
    was asked about."""
    few, many = (held_by_attacks(filed_signals(tmp_path / f"{n}.npy", 1, n), BY_RUN) for n in (16, 32))
    # A float64 score and whether it was a member, 9 bytes, and copies of a tenth of them: one class
    # of ten.
    assert many < few + 16 * 16 * len(OWN) + PYTHON


def test_a_shadow_attack_holds_its_examples_and_one_run(tmp_path: Path) -> None:
    """Beyond its scores the shadow attack holds a few copies of its examples and of one run, and
    with twice as many compared runs no more."""
    ATTACKS["shokri-lr"].score(synthetic_signals(), 0)  # so that nothing is imported while it is counted
    few, many = (held_by_attacks(filed_signals(tmp_path / f"{n}.npy", n, 4), ["shokri-lr"]) for n in (1, 3))
    examples = 4 * len(OWN) * TEN * 4
    # An attack model is fitted to all its examples at once; ART copies their features and one-hot
    # labels as it converts, joins and parts them.
    assert few < 15 * examples + 4 * ONE_RUN
    assert many < few + PYTHON


def test_every_attack_reads_a_file_as_it_reads_memory(tmp_path: Path) -> None:
    """Scores of logits in a file are those of the same logits in memory, to the last bit."""
    s = synthetic_signals()
    create_logits(tmp_path / "logits.npy", *s.logits.shape)[:] = s.logits
    filed = replace(s, logits=open_logits(tmp_path / "logits.npy"))
    for name in [*BY_RUN, "shokri-lr", "quantile-regression", "u-lira"]:
        assert np.array_equal(ATTACKS[name].score(filed, 1), ATTACKS[name].score(s, 1), equal_nan=True)


def test_margins_and_probabilities_run_by_run() -> None:
    """phi and log p of one run are, to the last bit, those of the run among all, written with a new
    array for every step."""
    s = synthetic_signals()
    z = s.logits.astype(np.float64)
    own = np.arange(len(s.labels)), s.labels
    others = z.copy()
    others[..., *own] = -np.inf
    top = others.max(axis=-1)
    margins = z[..., *own] - top - np.log(np.exp(others - top[..., None]).sum(axis=-1))
    z = z - z.max(axis=-1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
    for run, logits in enumerate(s.logits):
        assert np.array_equal(phi(logits, s.labels), margins[run])
        assert np.array_equal(log_softmax(logits), log_p[run])


def test_log_one_minus_class_by_class() -> None:
    """log(1 - p_i) is the log of the sum of the other probabilities, also where p_i rounds to 1."""
    log_p = log_softmax(synthetic_signals().logits[0] * 20)
    assert (np.exp(log_p) == 1).any()
    others = np.repeat(log_p[:, None, :], CLASSES, axis=1)
    others[:, np.arange(CLASSES), np.arange(CLASSES)] = -np.inf
    assert _log_one_minus(log_p) == pytest.approx(np.logaddexp.reduce(others, axis=-1), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("absent", [None, 3])
def test_thresholds_run_by_run(absent: int | None) -> None:
    """Thresholds are those learnt from one long list of all scores, also where the attacker has no
    records of a class."""
    s = synthetic_signals()
    if absent is not None:
        s.labels[(s.labels == absent) & (np.arange(len(s.labels)) < OUTSIDE[0])] = 0
    shadows = s.runs_of(SHADOW)
    own = np.flatnonzero(s.member[shadows].any(axis=0))
    member = s.member[np.ix_(shadows, own)].ravel()
    label = np.tile(s.labels[own], len(shadows))
    for name in ("loss", "confidence", "entropy", "modified-entropy"):
        values = np.concatenate([ATTACKS[name].score(s, int(run))[own] for run in shadows])
        overall = best_threshold(values[member], values[~member])
        expected = [
            best_threshold(values[member & (label == c)], values[~member & (label == c)])
            if c != absent
            else overall
            for c in range(CLASSES)
        ]
        assert class_thresholds(ATTACKS[name].score, s).tolist() == expected


def test_the_battery_keeps_what_a_choice_of_columns_would() -> None:
    """The scores kept are the columns of all scores that belong to forget and control, and lie in
    memory as those do."""
    signals = synthetic_signals()
    signals = replace(signals, arms=np.repeat([str(arm) for arm in COMPARED], [2, 2, 3, 10]))
    none, forget, control = np.arange(0), np.arange(60), np.arange(60, 100)
    battery = run_battery(signals, ["loss"], SetIndices(none, forget, control, none, none))
    for arm in COMPARED:
        every = np.stack([ATTACKS["loss"].score(signals, int(run)) for run in signals.runs_of(arm)])
        scores = battery.scores["loss"][arm]
        for kept, records in ((scores.forget, forget), (scores.control, control)):
            assert np.array_equal(kept, every[:, records])
            assert kept.strides == every[:, records].strides


def test_what_was_learnt_goes_with_its_signals() -> None:
    """Learning happens once for the same signals, and does not keep them, or their file, from being
    let go."""
    calls = []

    @once
    def learn(signals: Signals) -> int:
        calls.append(signals.seed)
        return signals.seed

    signals = synthetic_signals(7)
    assert [learn(signals), learn(signals)] == [7, 7]
    assert calls == [7]
    for name in ("loss-per-class", "lira-online", "shokri-lr"):
        ATTACKS[name].score(signals, 0)
    left = weakref.ref(signals)
    del signals
    gc.collect()
    assert left() is None
