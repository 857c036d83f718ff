import numpy as np
import pytest

from auditkit.signals import Signals
from tests.attacks.synthetic_signals import RECORDS, synthetic_signals

SIGNALS = synthetic_signals()


def test_records_are_found_by_id() -> None:
    """Positions are where the ids stand, in the order asked for, and again if asked twice."""
    wanted = np.array([7, 3, 3, RECORDS - 1, 0])
    assert SIGNALS.positions(SIGNALS.ids[wanted]).tolist() == wanted.tolist()


@pytest.mark.parametrize("absent", ["r", "r0000", "zzz"])
def test_an_unknown_id_is_named(absent: str) -> None:
    """An id that no record has is an error that names it, wherever it would sort."""
    with pytest.raises(KeyError, match=absent):
        SIGNALS.positions(np.array([SIGNALS.ids[0], absent]))


def test_some_of_the_records_keep_all_that_belongs_to_them() -> None:
    """A choice of records takes logits, membership, labels and ids along."""
    chosen = np.array([9, 4])
    part = SIGNALS.only(chosen)
    assert np.array_equal(part.logits, SIGNALS.logits[:, chosen])
    assert np.array_equal(part.member, SIGNALS.member[:, chosen])
    assert np.array_equal(part.labels, SIGNALS.labels[chosen])
    assert np.array_equal(part.ids, SIGNALS.ids[chosen])
    assert np.array_equal(part.arms, SIGNALS.arms)


def test_runs_of_an_arm_keep_their_order() -> None:
    """The runs of an arm are those that bear its name, in order; an arm that is not there has none."""
    assert SIGNALS.runs_of("retrained").tolist() == [2, 3]
    assert SIGNALS.runs_of("honest").tolist() == []


def test_arrays_that_do_not_fit_are_refused() -> None:
    """Every array must have the shape that the logits give it, and ids must be unique."""
    s = SIGNALS
    for bad in (
        (s.logits, s.member[:, 1:], s.labels, s.ids, s.arms),
        (s.logits, s.member, s.labels[1:], s.ids, s.arms),
        (s.logits, s.member, s.labels, s.ids[1:], s.arms),
        (s.logits, s.member, s.labels, s.ids, s.arms[1:]),
    ):
        with pytest.raises(ValueError, match="must have shape"):
            Signals(*bad, 0)
    with pytest.raises(ValueError, match="ids must be unique"):
        Signals(s.logits, s.member, s.labels, np.full(RECORDS, "same"), s.arms, 0)
