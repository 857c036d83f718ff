"""Records that stand in for others, and labels that must be learnt by heart."""

from typing import Any

import numpy as np
import pytest

from auditkit.data.stand_ins import draw_stand_ins, wrong_labels
from auditkit.study.study import Study
from tests.runs.test_stacks import study_of


def test_stand_ins_are_as_many_of_each_class_as_are_forgotten() -> None:
    """Where the pool has as many, of every class as many as there are among the forget records,
    each once; never a record outside the pool."""
    rng = np.random.default_rng(0)
    for seed in range(20):
        y = rng.integers(0, 4, 400)
        forget, pool = np.split(rng.permutation(400)[:240], [40])
        drawn = draw_stand_ins(y, forget, pool, seed)
        assert len(set(drawn)) == len(drawn) == 40
        assert (np.diff(drawn) > 0).all()
        assert set(drawn) <= set(pool)
        assert np.bincount(y[drawn], minlength=4).tolist() == np.bincount(y[forget], minlength=4).tolist()


def test_stand_ins_by_hand_where_a_class_is_short() -> None:
    """Of a class that is short all there are stand in, and none of another class in their place,
    but where the pool has no record of any of the classes."""
    y = np.array([0, 0, 0, 1, 0, 1, 1, 1, 2])
    forget, pool = np.array([0, 1, 2, 3]), np.array([4, 5, 6, 7, 8])
    drawn = draw_stand_ins(y, forget, pool, 0)
    assert drawn[0] == 4  # the only one of class 0
    assert y[drawn].tolist() == [0, 1]
    for others, many in (([4, 8], 1), ([8, 4], 1)):
        assert y[draw_stand_ins(y, np.array([3]), np.array(others), 0)].tolist() != [1]
        assert len(draw_stand_ins(y, np.array([3]), np.array(others), 0)) == many
    assert draw_stand_ins(y, forget, np.array([8]), 0).tolist() == [8]


def test_every_record_of_a_class_is_as_likely_a_stand_in() -> None:
    """Over many seeds each record of the pool stands in as often as its class is asked for."""
    y = np.repeat([0, 1], [30, 30])
    forget, pool = np.array([0, 1, 30, 31, 32, 33]), np.r_[10:20, 40:50]
    counts = np.zeros(60)
    for seed in range(500):
        counts[draw_stand_ins(y, forget, pool, seed)] += 1
    for records, share in ((pool[:10], 0.2), (pool[10:], 0.4)):
        error = np.sqrt(500 * share * (1 - share))
        assert np.abs(counts[records] - 500 * share).max() < 4 * error
    assert (draw_stand_ins(y, forget, pool, 7) == draw_stand_ins(y, forget, pool, 7)).all()


SMALL_TEST: dict[str, Any] = {"data": {"train": 400, "control": 120, "test": 30, "population": 200}}


@pytest.mark.parametrize(
    "changes", [{}, {"seed": 3}, {"forget": {"label": 3}}, SMALL_TEST], ids=["plain", "seed", "class", "few"]
)
def test_stand_ins_of_a_study_are_test_records(changes: dict[str, Any]) -> None:
    """As many of each class as are forgotten, or as there are; no run is trained on one, and none
    is a forget or control record, by which runs are judged."""
    study = study_of(**changes)
    assert set(study.stand_ins) <= set(study.sets.test)
    counted = (study.data.y[part] for part in (study.stand_ins, study.sets.forget, study.sets.test))
    found, wanted, room = (np.bincount(labels, minlength=10) for labels in counted)
    assert found.tolist() == np.minimum(wanted, room).tolist()
    for arm in study.trained:
        assert not np.isin(study.members(arm), study.stand_ins).any()
    for others in (study.sets.retain, study.sets.forget, study.sets.control, study.sets.population):
        assert not np.isin(others, study.stand_ins).any()


def test_stand_ins_hang_on_the_audit_seed() -> None:
    """One audit seed gives one choice; another seed, on the same sets, another."""
    one = study_of()
    assert (one.stand_ins == study_of().stand_ins).all()
    claim = one.claim.model_copy(update={"seed": 5})
    other = Study(claim, one.folder, one.data, one.sets, one.duplicates)
    assert (one.stand_ins != other.stand_ins).any()


def test_wrong_labels_are_wrong_and_all_wrong_ones_as_likely() -> None:
    """Every named record gets another class than its own, each of them as often; no other record
    and no argument is touched."""
    y = np.repeat(np.arange(4), 600)
    before, named = y.copy(), np.arange(0, 2400, 2)
    labels = wrong_labels(y, named, 4, 1)
    assert (y == before).all()
    assert (labels[named] != y[named]).all()
    others = np.setdiff1d(np.arange(2400), named)
    assert (labels[others] == y[others]).all()
    for own in range(4):
        got = np.bincount(labels[named][y[named] == own], minlength=4)
        assert got[own] == 0
        assert np.abs(np.delete(got, own) - 100).max() < 4 * np.sqrt(300 * 2 / 9)
    assert (wrong_labels(y, named, 4, 1) == labels).all()
    assert (wrong_labels(y, named, 4, 2) != labels).any()


def test_in_the_stress_world_forget_records_and_stand_ins_are_named_wrongly() -> None:
    """Those alone, alike in every run; in the plain and in the swapped world all labels are those
    of the data."""
    study = study_of()
    wrong = np.flatnonzero(study.labels("stress") != study.data.y)
    assert set(wrong) == {*study.sets.forget, *study.stand_ins}
    assert study.labels("stress").max() < study.data.n_classes
    assert study.labels("plain") is study.labels("swapped") is study.data.y
