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
from auditkit.core.ids import HONEST, ORIGINAL, RETRAINED
from auditkit.signals.arm_arrays import arm_arrays, arms_in
from auditkit.signals.arms import Arm, Arms, common_queries
from auditkit.statistics.margins import Ints


@dataclass(frozen=True, eq=False)
class Case:
    """A claimed arm, run k of which was made from run k of the originals. placebo: run k of it was
    made in the same way from run k of the honest runs. skipped: attack -> why it could not be
    mounted on them; they have no scores of such an attack."""

    arm: Arm
    placebo: Arm
    skipped: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Bank:
    """original: the original runs. retrained: from scratch; honest: once more, from which the
    placebos were made. cases: name -> claimed arm. skipped: attack -> why it could not be mounted
    on any arm. test_records: how many test records the accuracies are over. parts: see `Arms`.
    about: what the runs are of, for whoever opens the file: JSON. apart: the cases whose models
    withhold something, each in a bank of its own in which it is withheld from every arm. variant:
    the runs of the auditor's other recipe, None where there are none. stress: the same runs' bank
    in the stress world, None where it was not gone into."""

    original: Arm
    retrained: Arm
    honest: Arm
    cases: Mapping[str, Case]
    skipped: Mapping[str, str]
    test_records: int
    parts: Sequence[Ints]
    about: Mapping[str, object]
    apart: Mapping[str, "Bank"] = field(default_factory=dict)
    variant: Arm | None = None
    stress: "Bank | None" = None

    def of(self, case: str) -> "Bank":
        """The bank in which every arm is asked as the models of the case were."""
        return self.apart.get(case, self)

    @property
    def names(self) -> list[str]:
        """The cases."""
        return [*self.cases, *self.apart]


def draw(bank: Bank, case: str, runs: int, seed: int, k: int) -> Arms:
    """Claim k of a case, `runs` an arm, without any sign of which case it is.

    The originals are drawn without replacement and the unlearned runs are those made from just
    these; so are the retrained runs and, independently, the honest ones with the placebos that
    were made from them. Claim k of every case has the same originals, retrained and honest runs, so
    that cases differ by nothing but what was done. AuditError where the bank has too few runs, as
    others diverged.
    """
    bank, which = bank.of(case), (runs, seed, k)
    arms = _draw(bank, case, which)
    own = _drawn(bank.original, bank.retrained, bank.honest, which).own
    variant = None if bank.variant is None else bank.variant.take(own)
    stress = None if bank.stress is None else _draw(bank.stress, case, which)
    return replace(arms, variant=variant, stress=stress)


def all_of(bank: Bank, case: str) -> Arms:
    """The claim of all runs of the bank, in their order."""
    bank = bank.of(case)
    stress = None if bank.stress is None else _every(bank.stress, case)
    return replace(_every(bank, case), variant=bank.variant, stress=stress)


def _every(bank: Bank, case: str) -> Arms:
    """All runs of one world."""
    own = bank.cases[case]
    O, U, R, H, P = common_queries(bank.original, own.arm, bank.retrained, bank.honest, own.placebo)
    return Arms(O, U, R, H, {**bank.skipped, **own.skipped}, bank.parts, P)


def _draw(bank: Bank, case: str, which: tuple[int, int, int]) -> Arms:
    """The claim in one world."""
    drawn, of_case = _drawn(bank.original, bank.retrained, bank.honest, which), bank.cases[case]
    claimed, placebo = of_case.arm.take(drawn.own), of_case.placebo.take(drawn.parents)
    O, U, R, H, P = common_queries(drawn.original, claimed, drawn.retrained, drawn.honest, placebo)
    return Arms(O, U, R, H, {**bank.skipped, **of_case.skipped}, bank.parts, P)


@dataclass(frozen=True, eq=False)
class _Drawn:
    """own: which originals. parents: which honest runs."""

    own: Ints
    original: Arm
    retrained: Arm
    parents: Ints
    honest: Arm


@lru_cache(maxsize=8)  # the claims k of all cases share these arms, and with them what is worked out of them
def _drawn(original: Arm, retrained: Arm, honest: Arm, which: tuple[int, int, int]) -> _Drawn:
    """which: (runs an arm, seed, claim)."""
    runs, seed, k = which
    arms = {"original": original, "retrained": retrained, "honest": honest}
    if few := {name: len(arm.accuracy) for name, arm in arms.items() if len(arm.accuracy) < runs}:
        raise AuditError(
            f"a claim takes {runs} runs an arm, the bank has only"
            f" {' and '.join(f'{n} {name}' for name, n in few.items())}"
        )
    rng = np.random.default_rng([seed, k])
    own, references, parents = (rng.permutation(len(arm.accuracy))[:runs] for arm in arms.values())
    return _Drawn(own, original.take(own), retrained.take(references), parents, honest.take(parents))


def save(bank: Bank, path: Path) -> None:
    """Keep a bank: an .npz of arrays, from which `open_bank` makes it again. Margins and scores of
    every run, never inputs and never ids."""
    others = list(dict.fromkeys(bank.apart.values()))
    banks = [bank, *others]
    banks += [one.stress for one in banks if one.stress]
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    for k, one in enumerate(banks):
        for arm in ("original", "retrained", "honest"):
            arrays |= arm_arrays(f"{k}/{arm}", getattr(one, arm))
        if one.variant:
            arrays |= arm_arrays(f"{k}/variant", one.variant)
        for name, case in one.cases.items():
            arrays |= arm_arrays(f"{k}/case/{name}", case.arm)
            arrays |= arm_arrays(f"{k}/placebo/{name}", case.placebo)
    about = {
        "banks": [_told(one) for one in banks],
        "apart": {name: 1 + others.index(one) for name, one in bank.apart.items()},
        "stress": [banks.index(one.stress) if one.stress else None for one in (bank, *others)],
    }
    with path.open("wb") as file:  # np.savez would add .npz to any other name
        np.savez(file, bank=np.array(json.dumps(about)), **arrays)  # type: ignore[arg-type]


def open_bank(path: Path) -> Bank:
    """The bank that `save` kept. IntegrityError where the file is none."""
    try:
        with np.load(path) as arrays:
            about = json.loads(str(arrays["bank"]))
            arms = arms_in({name: arrays[name] for name in arrays.files if name != "bank"})
        banks = [_opened(k, told, arms) for k, told in enumerate(about["banks"])]
        first, *others = (
            one if k is None else replace(one, stress=banks[k])
            for one, k in zip(banks, about["stress"], strict=False)
        )
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
        arms[f"{k}/retrained"],
        arms[f"{k}/honest"],
        {
            name: Case(arms[f"{k}/case/{name}"], arms[f"{k}/placebo/{name}"], skipped)
            for name, skipped in told["cases"].items()
        },
        told["skipped"],
        told["test_records"],
        [np.array(part, dtype=np.int64) for part in told["parts"]],
        told["about"],
        variant=arms.get(f"{k}/variant"),
    )


def runs_of(bank: Bank) -> dict[str, int]:
    """How many runs the bank has: original, retrained, honest, and of each case."""
    arms = {ORIGINAL: bank.original, RETRAINED: bank.retrained, HONEST: bank.honest}
    return {str(key): len(arm.accuracy) for key, arm in arms.items()} | {
        name: len(bank.of(name).cases[name].arm.accuracy) for name in bank.names
    }
