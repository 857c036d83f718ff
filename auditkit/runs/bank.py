"""A bank of runs, and the claims that are drawn from it. Arrays only; no model and no torch.

A rate needs many claims, and a claim needs many runs. A bank has the runs of one study, more of
each arm than an audit has, measured once by the code of an audit; a claim is some of them, drawn
without replacement within each claim. Claims that are drawn from one bank have runs in common, and
all of them the sets: a rate over one bank is a rate in this world, and other worlds are other banks
(other seeds). See docs/calibration.md.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auditkit.core.errors import AuditError, IntegrityError
from auditkit.core.ids import ORIGINAL, RETRAINED
from auditkit.signals.arm_arrays import arm_arrays, arms_in
from auditkit.signals.arms import Arm, Arms, common_queries
from auditkit.statistics.margins import Ints

EXACT_CASE = "exact retraining"
"""The honest case: unlearned runs that are retrained runs, drawn like those they are compared
with."""


@dataclass(frozen=True, eq=False)
class Case:
    """A claimed arm, run k of which was made from run k of the originals. skipped: attack -> why it
    could not be mounted on it; it has no scores of such an attack."""

    arm: Arm
    skipped: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Bank:
    """original: the original runs. pool: the retrained ones, from which a claim's retrained runs,
    its honest control and, in the case EXACT, its unlearned runs are drawn. cases: name -> claimed
    arm. skipped: attack -> why it could not be mounted on any arm. test_records: how many test
    records the accuracies are over. parts: see `Arms`. about: what the runs are of, for whoever
    opens the file: JSON. apart: the cases whose models withhold something, each in a bank of its
    own in which it is withheld from every arm."""

    original: Arm
    pool: Arm
    cases: Mapping[str, Case]
    skipped: Mapping[str, str]
    test_records: int
    parts: Sequence[Ints]
    about: Mapping[str, object]
    apart: Mapping[str, "Bank"] = field(default_factory=dict)

    def of(self, case: str) -> "Bank":
        """The bank in which every arm is asked as the models of the case were."""
        return self.apart.get(case, self)

    @property
    def names(self) -> list[str]:
        """The cases, but for EXACT."""
        return [*self.cases, *self.apart]


def draw(bank: Bank, case: str, runs: int, seed: int, k: int) -> Arms:
    """Claim k of a case, `runs` an arm, without any sign of which case it is.

    The originals are drawn without replacement and the unlearned runs are those made from just
    these; retrained runs and honest control, and in the case EXACT the unlearned runs too, are
    disjoint draws without replacement from the pool. Claim k of every case has the same originals,
    retrained runs and honest control, so that cases differ by nothing but what was done. AuditError
    where the bank has too few runs, as others diverged.
    """
    bank = bank.of(case)
    drawn = _drawn(bank.original, bank.pool, runs, seed, k)
    if case == EXACT_CASE:
        if drawn.spare is None:
            has = len(bank.pool.accuracy)
            raise AuditError(f"a claim of {case!r} takes {3 * runs} retrained runs, the bank has {has}")
        claimed, skipped = drawn.spare, bank.skipped
    else:
        claimed = bank.cases[case].arm.take(drawn.own)
        skipped = {**bank.skipped, **bank.cases[case].skipped}
    O, U, R, H = common_queries(drawn.original, claimed, drawn.retrained, drawn.honest)
    return Arms(O, U, R, H, skipped, bank.parts)


@dataclass(frozen=True, eq=False)
class _Drawn:
    """own: which originals. spare: further retrained runs, None where the pool has no more."""

    own: Ints
    original: Arm
    retrained: Arm
    honest: Arm
    spare: Arm | None


@lru_cache(maxsize=8)  # the claims k of all cases share these arms, and with them what is worked out of them
def _drawn(original: Arm, pool: Arm, runs: int, seed: int, k: int) -> _Drawn:
    has = len(original.accuracy), len(pool.accuracy)
    if has[0] < runs or has[1] < 2 * runs:
        raise AuditError(
            f"a claim with {runs} runs an arm takes {runs} original and {2 * runs} retrained runs, the bank"
            f" has {has[0]} and {has[1]}"
        )
    rng = np.random.default_rng([seed, k])
    own = rng.permutation(has[0])[:runs]
    R, H, U = np.split(rng.permutation(has[1])[: 3 * runs], [runs, 2 * runs])
    spare = pool.take(U) if len(U) == runs else None
    return _Drawn(own, original.take(own), pool.take(R), pool.take(H), spare)


def save(bank: Bank, path: Path) -> None:
    """Keep a bank: an .npz of arrays, from which `open_bank` makes it again. Margins and scores of
    every run, never inputs and never ids."""
    others = list(dict.fromkeys(bank.apart.values()))
    banks = [bank, *others]
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    for k, one in enumerate(banks):
        arrays |= {**arm_arrays(f"{k}/original", one.original), **arm_arrays(f"{k}/pool", one.pool)}
        for name, case in one.cases.items():
            arrays |= arm_arrays(f"{k}/case/{name}", case.arm)
    about = {
        "banks": [_told(one) for one in banks],
        "apart": {name: 1 + others.index(one) for name, one in bank.apart.items()},
    }
    with path.open("wb") as file:  # np.savez would add .npz to any other name
        np.savez(file, bank=np.array(json.dumps(about)), **arrays)  # type: ignore[arg-type]


def open_bank(path: Path) -> Bank:
    """The bank that `save` kept. IntegrityError where the file is none."""
    try:
        with np.load(path) as arrays:
            about = json.loads(str(arrays["bank"]))
            arms = arms_in({name: arrays[name] for name in arrays.files if name != "bank"})
        first, *others = (_opened(k, told, arms) for k, told in enumerate(about["banks"]))
        return replace(first, apart={name: others[k - 1] for name, k in about["apart"].items()})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{path}: a bank of runs must be a file of `save`, found: {error}") from error


def _told(bank: Bank) -> dict[str, object]:
    """All of a bank but its arrays, as JSON."""
    return {
        "about": dict(bank.about),
        "skipped": dict(bank.skipped),
        "cases": {name: dict(case.skipped) for name, case in bank.cases.items()},
        "test_records": bank.test_records,
        "parts": [part.tolist() for part in bank.parts],
    }


def _opened(k: int, told: Mapping[str, Any], arms: Mapping[str, Arm]) -> Bank:
    """Bank k of a file, from what `_told` says of it and its arms."""
    return Bank(
        arms[f"{k}/original"],
        arms[f"{k}/pool"],
        {name: Case(arms[f"{k}/case/{name}"], skipped) for name, skipped in told["cases"].items()},
        told["skipped"],
        told["test_records"],
        [np.array(part, dtype=np.int64) for part in told["parts"]],
        told["about"],
    )


def runs_of(bank: Bank) -> dict[str, int]:
    """How many runs the bank has: original, retrained, and of each case."""
    return {str(ORIGINAL): len(bank.original.accuracy), str(RETRAINED): len(bank.pool.accuracy)} | {
        name: len(bank.of(name).cases[name].arm.accuracy) for name in bank.names
    }
