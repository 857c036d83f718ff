"""Which record plays which part: retain, forget, control, test, population."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from auditkit.core.errors import UsageError
from auditkit.data.dataset import Dataset
from auditkit.data.stratified import Indices, draw_by_class, largest_remainder, without

SHOWN = 5  # how many offenders a message names


@dataclass(frozen=True, eq=False)
class Sets:
    """Disjoint, sorted int64 positions of records in the data set, one array per part.

    retain      trained on, and kept
    forget      trained on by the original model, then to be forgotten
    control     never seen by any run; of classes and groups still in retain, otherwise matched to
                forget
    test        for utility
    population  the attacker's own records
    """

    retain: Indices
    forget: Indices
    control: Indices
    test: Indices
    population: Indices


@dataclass(frozen=True)
class ForgetRequest:
    """What is to be forgotten, said in exactly one way; UsageError otherwise.

    fraction  this share of the training records, drawn at random, above 0 and at most one half
    ids       the records with these ids
    label     every training record of this class
    """

    fraction: float | None = None
    ids: tuple[str, ...] | None = None
    label: int | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("fraction", "ids", "label") if getattr(self, name) is not None]
        if len(given) != 1:
            raise UsageError(
                "what to forget must be said as exactly one of fraction, ids and label; "
                f"found {' and '.join(given) or 'none'}; keep one"
            )


def set_problems(
    dataset: Dataset,
    request: ForgetRequest,
    *,
    train: int,
    control: int,
    test: int,
    population: int,
    seed: int,
) -> list[str]:
    """Every reason why `draw_sets` with the same arguments cannot draw, as rule, value and remedy;
    [] if it can. Whether enough records are left for the control is known only once the request and
    the sizes hold.
    """
    sizes = {"train": train, "control": control, "test": test, "population": population}
    asked = _request_problems(dataset, request)
    problems = [*_size_problems(len(dataset.y), sizes), *asked]
    if not asked and 2 <= train <= len(dataset.y):
        problems += _forget_problems(forget_size(dataset, request, train), train)
    if problems:
        return problems
    _, _, eligible = _draw_training(dataset, request, train, np.random.default_rng(seed))
    if len(eligible) < control:
        problems.append(
            f"control must be {control} records that no run sees, of classes and groups still in retain;"
            f" found {len(eligible)}; lower control or train, or forget fewer records of a class or group"
        )
    return problems


def draw_sets(
    dataset: Dataset,
    request: ForgetRequest,
    *,
    train: int,
    control: int,
    test: int,
    population: int,
    seed: int,
) -> Sets:
    """Draw the sets: retain and forget first, then control, test and population.

    Training records are stratified by class, and hold every record named by id. control follows
    forget's proportions of classes as far as those classes remain in retain, and retain's where
    none does (a whole class forgotten). test and population are drawn uniformly from what is left.

    Args:
        dataset: the records.
        request: what is to be forgotten.
        train: how many records retain and forget hold together.
        control: how many records that no run sees.
        test: how many records for utility.
        population: how many records of the attacker's own.
        seed: the same arguments give the same sets.

    Raises:
        UsageError: with all that `set_problems` says.
    """
    problems = set_problems(
        dataset, request, train=train, control=control, test=test, population=population, seed=seed
    )
    if problems:
        raise UsageError(*problems)
    rng = np.random.default_rng(seed)
    retain, forget, eligible = _draw_training(dataset, request, train, rng)
    y, k = dataset.y, dataset.n_classes
    kept = np.bincount(y[retain], minlength=k)
    wanted = np.where(kept > 0, np.bincount(y[forget], minlength=k), 0)
    spare = np.bincount(y[eligible], minlength=k)
    counts = largest_remainder(control, wanted if wanted.any() else kept, spare)
    controls = draw_by_class(y, eligible, counts, rng)
    left = rng.permutation(without(len(y), retain, forget, controls))
    return Sets(
        retain=np.sort(retain),
        forget=np.sort(forget),
        control=np.sort(controls),
        test=np.sort(left[:test]),
        population=np.sort(left[test : test + population]),
    )


def _draw_training(
    dataset: Dataset, request: ForgetRequest, train: int, rng: np.random.Generator
) -> tuple[Indices, Indices, Indices]:
    """retain, forget, and the records that may serve as control."""
    y = dataset.y
    named = _named(dataset, request)
    pool = without(len(y), named)
    stock = np.bincount(y[pool], minlength=dataset.n_classes)
    drawn = draw_by_class(y, pool, largest_remainder(train - len(named), stock, stock), rng)
    if request.fraction is not None:
        shuffled = rng.permutation(drawn)
        size = forget_size(dataset, request, train)
        forget, retain = shuffled[:size], shuffled[size:]
    elif request.label is not None:
        forget, retain = drawn[y[drawn] == request.label], drawn[y[drawn] != request.label]
    else:
        forget, retain = named, drawn
    return retain, forget, _eligible(dataset, retain, forget)


def _eligible(dataset: Dataset, retain: Indices, forget: Indices) -> Indices:
    """Untrained records of a class in retain, and of a group in retain or of no group but their
    own.

    A record alone in its group says nothing about anyone in the training data, so it may serve.
    """
    y, groups = dataset.y, dataset.groups
    _, code, size = np.unique(groups, return_inverse=True, return_counts=True)
    allowed = np.isin(y, y[retain]) & ((size[code] == 1) | np.isin(code, code[retain]))
    allowed[retain] = allowed[forget] = False
    return np.flatnonzero(allowed)


def _named(dataset: Dataset, request: ForgetRequest) -> Indices:
    """The positions of the records named by id, ascending; empty for other requests."""
    return np.flatnonzero(np.isin(dataset.ids, np.array(request.ids or (), dtype=np.str_)))


def forget_size(dataset: Dataset, request: ForgetRequest, train: int) -> int:
    """How many records are to be forgotten; it does not depend on the seed, since train is
    stratified."""
    if request.fraction is not None:
        return round(request.fraction * train)
    if request.label is not None:
        stock = np.bincount(dataset.y)
        return int(largest_remainder(train, stock, stock)[request.label])
    return len(request.ids or ())


def _size_problems(n: int, sizes: dict[str, int]) -> list[str]:
    """What is wrong with the sizes alone."""
    least = {"train": 2, "control": 1, "test": 0, "population": 0}
    problems = []
    for name, size in sizes.items():
        if size < least[name]:
            problems.append(f"{name} must be at least {least[name]} records, found {size}; raise it")
    total = sum(sizes.values())
    if total > n:
        listed = " + ".join(f"{name} {size}" for name, size in sizes.items())
        problems.append(
            f"train, control, test and population must fit into the data set, found {listed} = {total} "
            f"of {n} records; lower them by {total - n}, or give more records"
        )
    return problems


def _request_problems(dataset: Dataset, request: ForgetRequest) -> list[str]:
    """What is wrong with the request alone."""
    if request.fraction is not None and not 0 < request.fraction < 1:
        share = f"fraction must be above 0 and below 1, found {request.fraction}"
        return [f"{share}; e.g. 0.1 forgets every tenth record"]
    if request.label is not None and not 0 <= request.label < dataset.n_classes:
        return [
            f"label must be a class, 0..{dataset.n_classes - 1}, found {request.label}; name one of these"
        ]
    known, named = set(dataset.ids.tolist()), Counter(request.ids or ())
    unknown = [name for name in named if name not in known]
    repeated = [name for name, times in named.items() if times > 1]
    problems = []
    for rule, what, ids in (
        ("be in the data set", "unknown", unknown),
        ("be named once", "repeated", repeated),
    ):
        if ids:
            listed = ", ".join(ids[:SHOWN]) + (" …" if len(ids) > SHOWN else "")
            problems.append(
                f"ids to forget must {rule}, found {len(ids)} {what}: {listed}; correct or remove them"
            )
    return problems


def _forget_problems(forget: int, train: int) -> list[str]:
    """What is wrong with the number of records to forget."""
    if forget == 0:
        return [
            f"forget must hold records, found 0 of {train} in training; raise train or fraction, or name ids"
        ]
    if forget > train - forget:
        found = f"{forget} against {train - forget} of {train} in training"
        return [f"forget must not be larger than retain, found {found}; raise train, or forget fewer records"]
    return []
