from itertools import combinations
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from auditkit.core.errors import UsageError
from auditkit.data import (
    Dataset,
    ForgetRequest,
    Sets,
    draw_sets,
    make_dataset,
    set_problems,
)

SIZES: dict[str, int] = {"train": 200, "control": 40, "test": 60, "population": 80, "seed": 3}


def toy(y: ArrayLike, groups: ArrayLike | None = None) -> Dataset:
    """A data set with the given labels, the ids r0, r1, … and inputs that do not matter."""
    y = np.asarray(y)
    ids = [f"r{i}" for i in range(len(y))]
    return make_dataset("toy", np.zeros((len(y), 1)), y, ids, groups, licence="none", origin="a test")


# 500 records: 250, 150 and 100 of the three classes.
DATA = toy(np.repeat([0, 1, 2], [250, 150, 100]))


def draw(request: ForgetRequest, data: Dataset = DATA, **sizes: int) -> Sets:
    return draw_sets(data, request, **{**SIZES, **sizes})


def parts(sets: Sets) -> list[list[int]]:
    return [part.tolist() for part in (sets.retain, sets.forget, sets.control, sets.test, sets.population)]


REQUESTS = [
    ForgetRequest(fraction=0.1),
    ForgetRequest(ids=tuple(f"r{i}" for i in range(0, 500, 20))),
    ForgetRequest(label=1),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=["fraction", "ids", "label"])
def test_disjoint_sorted_and_of_the_sizes_asked(request_: ForgetRequest) -> None:
    """The sets are disjoint, sorted int64 positions, as many as were asked for."""
    sets = draw(request_)
    assert len(sets.retain) + len(sets.forget) == 200
    assert [len(sets.control), len(sets.test), len(sets.population)] == [40, 60, 80]
    assert all(part == sorted(part) for part in parts(sets))
    assert sets.control.dtype == sets.retain.dtype == np.int64
    for one, other in combinations(parts(sets), 2):
        assert not set(one) & set(other)


@pytest.mark.parametrize("request_", REQUESTS, ids=["fraction", "ids", "label"])
def test_seed_decides(request_: ForgetRequest) -> None:
    """One seed gives one and the same sets, another seed gives others."""
    assert parts(draw(request_)) == parts(draw(request_))
    assert all(
        a != b for a, b in zip(parts(draw(request_))[2:], parts(draw(request_, seed=4))[2:], strict=True)
    )


def test_later_sets_do_not_move_earlier_ones() -> None:
    """A larger test or population changes neither what is trained on nor the control."""
    small, large = draw(REQUESTS[0]), draw(REQUESTS[0], test=100, population=90)
    assert parts(small)[:3] == parts(large)[:3]


@pytest.mark.parametrize("request_", [REQUESTS[0], REQUESTS[2]], ids=["fraction", "label"])
def test_training_is_stratified(request_: ForgetRequest) -> None:
    """The training records have the data set's proportions of classes."""
    sets = draw(request_)
    assert np.bincount(DATA.y[np.concatenate([sets.retain, sets.forget])]).tolist() == [100, 60, 40]


def test_fraction_is_of_the_training_records() -> None:
    """A tenth of 200 training records is 20 of them, drawn uniformly: about as often from each
    class's share."""
    counts = np.array(
        [np.bincount(DATA.y[draw(REQUESTS[0], seed=s).forget], minlength=3) for s in range(200)]
    )
    assert (counts.sum(axis=1) == 20).all()
    # 200 hypergeometric draws of 20 of 200: the mean's standard deviation is below 0.16 in each
    # class.
    np.testing.assert_allclose(counts.mean(axis=0), [10, 6, 4], atol=0.8)


def test_ids_are_all_forgotten_and_nothing_else() -> None:
    """The records named are the forget set, wherever they lie."""
    assert draw(ForgetRequest(ids=("r499", "r0", "r77"))).forget.tolist() == [0, 77, 499]


def test_whole_class_is_never_retained_nor_control() -> None:
    """A forgotten class is in neither retain nor control, while test and population keep it."""
    sets = draw(ForgetRequest(label=1))
    assert set(DATA.y[sets.forget]) == {1}
    assert len(sets.forget) == 60
    assert 1 not in DATA.y[sets.retain]
    assert 1 not in DATA.y[sets.control]
    assert 1 in DATA.y[sets.test]
    assert 1 in DATA.y[sets.population]


def test_control_of_a_whole_class_follows_retain() -> None:
    """Where no class of forget is left, the control has retain's proportions: here 100 to 40."""
    sets = draw(ForgetRequest(label=1), control=35)
    assert np.bincount(DATA.y[sets.control], minlength=3).tolist() == [25, 0, 10]


def test_control_follows_forget() -> None:
    """The control has forget's proportions of classes: here one to three, and none of the first
    class."""
    sets = draw(ForgetRequest(ids=("r250", "r400", "r401", "r402")), control=20)
    assert np.bincount(DATA.y[sets.control], minlength=3).tolist() == [0, 5, 15]


def test_control_is_filled_from_other_classes() -> None:
    """Where a class of forget has too few spare records, all of them are taken and others fill
    up."""
    named = tuple(f"r{i}" for i in range(400, 460))
    sets = draw(ForgetRequest(ids=named), train=230, control=60, test=10, population=10)
    spare = 40 - np.count_nonzero(DATA.y[sets.retain] == 2)
    assert 0 < spare < 60
    counts = np.bincount(DATA.y[sets.control], minlength=3)
    assert counts[2] == spare
    assert counts.sum() == 60
    assert counts[0] > counts[1] > 0


def test_control_belongs_to_groups_in_retain() -> None:
    """Where people have several records, the control holds no record of a person who is not in
    retain."""
    groups = np.array([f"p{i // 5}" for i in range(500)])
    data = toy(DATA.y, groups)
    forgotten = tuple(f"r{i}" for i in range(20))  # all records of the first four people
    for seed in range(20):
        sets = draw(ForgetRequest(ids=forgotten), data, seed=seed)
        assert set(groups[sets.control]) <= set(groups[sets.retain])


def test_single_records_may_be_control_among_groups() -> None:
    """A record that is its own group may be control, though nobody of its group is in retain."""
    groups = np.array([f"p{i % 10}" if i % 2 else f"alone{i}" for i in range(500)])
    data = toy(DATA.y, groups)
    sets = draw(ForgetRequest(ids=tuple(f"r{i}" for i in range(1, 500, 10))), data)
    chosen = set(groups[sets.control])
    assert "p1" not in chosen
    assert any(group.startswith("alone") for group in chosen)


FITS = "train, control, test and population must fit into the data set, found "
NONE = "forget must hold records, found 0 of {} in training; raise train or fraction, or name ids"


@pytest.mark.parametrize(
    ("request_", "sizes", "expected"),
    [
        (
            ForgetRequest(fraction=0.6),
            {"train": 400},
            (
                f"{FITS}train 400 + control 40 + test 60 + population 80 = 580 of 500 records; "
                "lower them by 80, or give more records\n"
                "forget must not be larger than retain, found 240 against 160 of 400 in training; "
                "raise train, or forget fewer records"
            ),
        ),
        (
            ForgetRequest(fraction=0.1),
            {"train": 1, "control": 0, "test": -1, "population": -5},
            (
                "train must be at least 2 records, found 1; raise it\n"
                "control must be at least 1 records, found 0; raise it\n"
                "test must be at least 0 records, found -1; raise it\n"
                "population must be at least 0 records, found -5; raise it"
            ),
        ),
        (
            ForgetRequest(fraction=float("nan")),
            {},
            "fraction must be above 0 and below 1, found nan; e.g. 0.1 forgets every tenth record",
        ),
        (
            ForgetRequest(fraction=1.0),
            {},
            "fraction must be above 0 and below 1, found 1.0; e.g. 0.1 forgets every tenth record",
        ),
        (ForgetRequest(fraction=0.001), {}, NONE.format(200)),
        (ForgetRequest(ids=()), {}, NONE.format(200)),
        (ForgetRequest(label=2), {"train": 2}, NONE.format(2)),
        (ForgetRequest(label=3), {}, "label must be a class, 0..2, found 3; name one of these"),
        (
            ForgetRequest(ids=("r1", "r1", "x1", "x2", "x3", "x4", "x5", "x6")),
            {"population": 300},
            (
                f"{FITS}train 200 + control 40 + test 60 + population 300 = 600 of 500 records; lower them by"
                " 100, or give more records\nids to forget must be in the data set, found 6 unknown: x1, x2,"
                " x3, x4, x5 …; correct or remove them\nids to forget must be named once, found 1 repeated:"
                " r1; correct or remove them"
            ),
        ),
        (
            ForgetRequest(label=0),
            {"train": 300, "control": 101, "test": 0, "population": 0},
            (
                "control must be 101 records that no run sees, of classes and groups still in retain; found"
                " 100; lower control or train, or forget fewer records of a class or group"
            ),
        ),
    ],
)
def test_every_problem_is_told(request_: ForgetRequest, sizes: dict[str, int], expected: str) -> None:
    """Every reason why the sets cannot be drawn is told with its rule, its value and its remedy."""
    assert set_problems(DATA, request_, **{**SIZES, **sizes}) == expected.split("\n")
    with pytest.raises(UsageError) as caught:
        draw(request_, DATA, **sizes)
    assert str(caught.value) == expected


def test_no_problem() -> None:
    """Sets that can be drawn have no problems, up to the last record."""
    assert set_problems(DATA, REQUESTS[0], train=300, control=100, test=50, population=50, seed=0) == []
    assert sum(map(len, parts(draw(REQUESTS[0], train=300, control=100, test=50, population=50)))) == 500


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({}, "none"),
        ({"fraction": 0.1, "label": 0}, "fraction and label"),
        ({"ids": (), "label": 0}, "ids and label"),
    ],
)
def test_request_is_said_in_one_way(arguments: dict[str, Any], found: str) -> None:
    """A request says what to forget in exactly one way."""
    with pytest.raises(UsageError, match=f"exactly one of fraction, ids and label; found {found}; keep one"):
        ForgetRequest(**arguments)
