"""A data set as every other room sees it: arrays that have been checked once."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from auditkit.core.errors import UsageError

SHOWN = 5  # how many offenders a message names


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled records, as checked by `make_dataset`.

    x        float32 (records, *shape), finite: the model's inputs
    y        int64 (records,): labels 0..n_classes-1, every class present
    ids      str (records,), unique: by which signals are joined
    groups   str (records,): whom a record belongs to (a person, a household); equal to ids where
             each record stands for itself
    licence  under which terms the data may be used, in words
    origin   where the data was found, in words; never an absolute path, for reports quote it
    """

    name: str
    x: NDArray[np.float32]
    y: NDArray[np.int64]
    ids: NDArray[np.str_]
    groups: NDArray[np.str_]
    licence: str
    origin: str

    @property
    def n_classes(self) -> int:
        """How many classes there are: the largest label plus one."""
        return int(self.y.max()) + 1

    def commitment(self) -> str:
        """SHA-256 (hex) of x, y, ids and groups: two data sets that train or split differently
        differ in it.

        Each array is hashed as a JSON line (name, type, shape, bytes to follow) and then its bytes,
        little-endian, so no two lists of arrays run together. Strings are hashed as a JSON list,
        because numpy's own bytes change with the longest string. Name, licence and origin are words
        about the data.
        """
        digest = hashlib.sha256()
        for name, values, kind in (("x", self.x, "<f4"), ("y", self.y, "<i8")):
            payload = np.ascontiguousarray(values, dtype=kind)
            digest.update(json.dumps([name, kind, payload.shape, payload.nbytes]).encode() + b"\n")
            digest.update(payload.data)
        for name, words in (("ids", self.ids), ("groups", self.groups)):
            text = json.dumps(words.tolist()).encode()
            digest.update(json.dumps([name, "str", words.shape, len(text)]).encode() + b"\n" + text)
        return digest.hexdigest()


def make_dataset(
    name: str,
    x: ArrayLike,
    y: ArrayLike,
    ids: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    *,
    licence: str,
    origin: str,
) -> Dataset:
    """Check arrays and make a `Dataset` of them.

    Args:
        name: of the data set, for reports and messages.
        x: (records, *shape), any real type; becomes float32.
        y: (records,), any integer type.
        ids: (records,), strings or integers; record-000000, … if not given.
        groups: (records,), strings or integers; the ids if not given.
        licence: under which terms the data may be used, in words.
        origin: where the data was found, in words.

    Raises:
        UsageError: with every problem found, not only the first.
    """
    inputs, labels = np.asarray(x), np.asarray(y)
    n = inputs.shape[0] if inputs.ndim else 0
    names = np.array([f"record-{i:06d}" for i in range(n)], dtype=np.str_) if ids is None else np.asarray(ids)
    owners = names if groups is None else np.asarray(groups)
    problems = [*_shape_problems(inputs, labels), *_label_problems(labels)]
    problems += _word_problems("ids", names, n, unique=True)
    if groups is not None:
        problems += _word_problems("groups", owners, n, unique=False)
    values = np.zeros(0, dtype=np.float32)
    if inputs.dtype.kind in "fiub" and inputs.ndim >= 2:
        with np.errstate(over="ignore"):  # what overflows float32 is reported as infinite just below
            values = np.ascontiguousarray(inputs, dtype=np.float32)
        problems += _finite_problems(values, names)
    if problems:
        raise UsageError(*(f"data set {name!r}: {problem}" for problem in problems))
    return Dataset(
        name=name,
        x=values,
        y=labels.astype(np.int64),
        ids=names.astype(np.str_),
        groups=owners.astype(np.str_),
        licence=licence,
        origin=origin,
    )


def _shape_problems(x: NDArray[np.generic], y: NDArray[np.generic]) -> Iterator[str]:
    """What is wrong with the shapes of x and y and the type of x."""
    if x.ndim < 2 or 0 in x.shape[1:]:
        yield (
            f"x must be (records, features, ...), found shape {x.shape}; "
            "give each record at least one input, e.g. x.reshape(len(x), -1)"
        )
    if x.shape[:1] == (0,):
        yield "it must hold records, found none; give at least one record of each class"
    if x.dtype.kind not in "fiub":
        yield f"x must be real numbers, found type {x.dtype}; convert it to float32"
    if x.ndim and y.ndim == 1 and len(y) != len(x):
        yield (
            f"x and y must have one entry per record, found {len(x)} inputs and {len(y)} labels; "
            "drop or add the records that differ"
        )


def _label_problems(y: NDArray[np.generic]) -> Iterator[str]:
    """What is wrong with labels: they must be the integers 0..K-1, every one present."""
    rule = "labels out of range: y must be integers 0..K-1 with every class present, found"
    if y.ndim != 1:
        yield f"y must be one label per record, shape (records,), found shape {y.shape}; use y.argmax(axis=1)"
    elif y.dtype.kind not in "iu":
        yield f"{rule} type {y.dtype}; convert it to int64"
    elif len(y):
        present = [int(label) for label in np.unique(y)]
        negative = [label for label in present if label < 0]
        absent = present[-1] + 1 - len(present) + len(negative)
        if negative:
            yield f"{rule} negative ones: {_listed(negative, len(negative))}; number the classes from 0"
        if absent:
            # len(y) + SHOWN candidates hold SHOWN absent ones at least, however large the largest
            # label is.
            candidates = range(min(present[-1], len(y) + SHOWN))
            first = sorted(set(candidates) - set(present))
            yield f"{rule} no record of class {_listed(first, absent)}; renumber the classes without gaps"


def _word_problems(what: str, words: NDArray[np.generic], n: int, *, unique: bool) -> Iterator[str]:
    """What is wrong with the length or the type of ids or groups, or which are repeated where none
    may be."""
    if words.shape != (n,):
        yield f"{what} must be one per record, shape ({n},), found shape {words.shape}; give each record one"
    elif words.dtype.kind not in "Uiu":
        yield f"{what} must be strings or integers, found type {words.dtype}; save them as strings"
    elif unique:
        values, counts = np.unique(words, return_counts=True)
        repeated = values[counts > 1].tolist()
        if repeated:
            yield (
                f"{what} must be unique, found {len(repeated)} repeated: {_listed(repeated, len(repeated))}; "
                "give each record its own id and say in groups which records belong together"
            )


def _finite_problems(x: NDArray[np.float32], ids: NDArray[np.generic]) -> Iterator[str]:
    """Says which records hold NaN or infinite inputs."""
    bad = np.flatnonzero(~np.isfinite(x).all(axis=tuple(range(1, x.ndim))))
    if len(bad):
        named = [str(ids[i]) if ids.shape == (len(x),) else f"number {i}" for i in bad[:SHOWN]]
        yield (
            f"inputs must be finite as float32, found NaN or infinity in {len(bad)} of {len(x)} records: "
            f"{_listed(named, len(bad))}; drop these records or fill in their values"
        )


def _listed(values: Sequence[object], total: int) -> str:
    """The first few values, and how many more of the total there are."""
    more = total - min(SHOWN, len(values))
    return ", ".join(str(value) for value in values[:SHOWN]) + (f" and {more} more" if more else "")
