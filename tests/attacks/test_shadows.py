"""What is learnt from shadow runs, and how often."""

from dataclasses import replace

import numpy as np

from auditkit.attacks.shadows import halves, once
from auditkit.signals.signals import Signals
from tests.attacks.test_shokri import RECORDS, SIGNALS, shadowed


def test_halves_depend_on_the_id_alone() -> None:
    """A record's half is the same whatever other records there are; about half of them are in
    either; another seed parts them anew."""
    half = halves(SIGNALS)
    some = np.arange(5, RECORDS, 7)[::-1]
    part = replace(
        SIGNALS,
        logits=SIGNALS.logits[:, some],
        member=SIGNALS.member[:, some],
        labels=SIGNALS.labels[some],
        ids=SIGNALS.ids[some],
    )
    assert np.array_equal(halves(part), half[some])
    assert set(half) == {0, 1}
    assert abs(half.mean() - 0.5) < 4 / np.sqrt(4 * RECORDS)
    assert 0.3 < np.mean(halves(replace(SIGNALS, seed=1)) == half) < 0.7


def test_what_is_learnt_once_is_learnt_for_each_choice() -> None:
    """`once` computes a result again for other arguments or other signals, and not for the same."""
    calls = []

    @once
    def learn(signals: Signals, which: int, how: str = "so") -> tuple[int, int, str]:
        calls.append(which)
        return len(calls), which, how

    other = shadowed(1)
    assert learn(SIGNALS, 1) == learn(SIGNALS, 1) == (1, 1, "so")
    assert learn(SIGNALS, 2) == (2, 2, "so")
    assert learn(other, 1) == (3, 1, "so")
    assert learn(SIGNALS, 1, how="else") == (4, 1, "else")
    assert learn(SIGNALS, 1) == (1, 1, "so")
    assert calls == [1, 2, 1, 1]
