import dataclasses

import numpy as np
import pytest
from numpy.typing import ArrayLike

from auditkit.core.errors import UsageError
from auditkit.data import Dataset, make_dataset

X = np.arange(12, dtype=np.float64).reshape(4, 3)
Y = np.array([0, 1, 0, 1])


def made(
    x: ArrayLike = X, y: ArrayLike = Y, ids: ArrayLike | None = None, groups: ArrayLike | None = None
) -> Dataset:
    return make_dataset("toy", x, y, ids, groups, licence="none", origin="a test")


def problems(
    x: ArrayLike = X, y: ArrayLike = Y, ids: ArrayLike | None = None, groups: ArrayLike | None = None
) -> list[str]:
    with pytest.raises(UsageError) as caught:
        made(x, y, ids, groups)
    return list(caught.value.problems)


def test_types_and_defaults() -> None:
    """Inputs become float32, labels int64, ids are made up, and each record is a group of its
    own."""
    data = made()
    assert (str(data.x.dtype), str(data.y.dtype), data.n_classes) == ("float32", "int64", 2)
    assert data.ids.tolist() == ["record-000000", "record-000001", "record-000002", "record-000003"]
    assert data.groups.tolist() == data.ids.tolist()


def test_shape_is_kept_and_integers_may_be_ids() -> None:
    """A record keeps its shape, and integer ids become strings."""
    data = made(X.reshape(4, 1, 3), ids=[4, 3, 2, 1], groups=[1, 1, 2, 2])
    assert data.x.shape == (4, 1, 3)
    assert data.ids.tolist() == ["4", "3", "2", "1"]
    assert data.groups.tolist() == ["1", "1", "2", "2"]


def test_all_problems_at_once() -> None:
    """One error holds every problem: lengths, infinite inputs, missing classes, repeated ids,
    groups."""
    x = X.copy()
    x[1, 0], x[3, 2] = np.nan, np.inf
    found = problems(x, [0, 2, 2], ids=["a", "b", "b", "d"], groups=["g"])
    text = """\
x and y must have one entry per record, found 4 inputs and 3 labels; drop or add the records that differ
labels out of range: y must be integers 0..K-1 with every class present, found no record of class 1; \
renumber the classes without gaps
ids must be unique, found 1 repeated: b; \
give each record its own id and say in groups which records belong together
groups must be one per record, shape (4,), found shape (1,); give each record one
inputs must be finite as float32, found NaN or infinity in 2 of 4 records: b, d; \
drop these records or fill in their values"""
    assert found == [f"data set 'toy': {line}" for line in text.splitlines()]


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        ([-1, 0, -2, 1], "found negative ones: -2, -1; number"),
        ([0.0, 1.0, 0.0, 1.0], "found type float64; convert it to int64"),
        ([0, 0, 0, 10**12], "found no record of class 1, 2, 3, 4, 5 and 999999999994 more; renumber"),
        ([[0], [1], [0], [1]], "found shape (4, 1); use y.argmax(axis=1)"),
    ],
)
def test_labels_out_of_range(y: ArrayLike, expected: str) -> None:
    """Labels that are negative, no integers, with gaps or not one per record are refused, and said
    so."""
    (found,) = problems(y=y)
    assert expected in found


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (np.zeros((4, 0)), "x must be (records, features, ...), found shape (4, 0)"),
        (np.zeros(4), "x must be (records, features, ...), found shape (4,)"),
        (np.full((4, 3), "a"), "x must be real numbers, found type <U1"),
        (np.full((4, 3), 1e300), "found NaN or infinity in 4 of 4 records: record-000000, "),
    ],
)
def test_inputs_that_no_model_can_take(x: ArrayLike, expected: str) -> None:
    """Inputs without features, that are no numbers or that overflow float32 are refused, and said
    so."""
    (found,) = problems(x)
    assert expected in found


def test_empty() -> None:
    """A data set without records is refused."""
    (found,) = problems(np.zeros((0, 3)), np.zeros(0, dtype=np.int64))
    assert "it must hold records, found none" in found


def test_ids_of_a_strange_type() -> None:
    """Ids that are neither strings nor integers are refused."""
    (found,) = problems(ids=np.array([0.5, 1.5, 2.5, 3.5]))
    assert "ids must be strings or integers, found type float64" in found


def test_commitment_depends_on_what_counts_and_on_nothing_else() -> None:
    """The commitment changes with x, y, ids and groups, and not with names, layout or the width of
    strings."""
    data = made(ids=["a", "b", "c", "d"])
    same = made(np.asfortranarray(X), Y.astype(np.uint8), np.array(["a", "b", "c", "d"], dtype="<U40"))
    renamed = dataclasses.replace(data, name="other", origin="elsewhere", licence="other")
    assert data.commitment() == same.commitment() == renamed.commitment()
    others = [
        made(X + 1, ids=["a", "b", "c", "d"]),
        made(X.reshape(4, 1, 3), ids=["a", "b", "c", "d"]),
        made(y=1 - Y, ids=["a", "b", "c", "d"]),
        made(ids=["ab", "", "c", "d"]),
        made(ids=["a", "b", "c", "d"], groups=["a", "a", "c", "d"]),
    ]
    assert len({data.commitment(), *(other.commitment() for other in others)}) == 6
