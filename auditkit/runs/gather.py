"""The answers of all stacks of an audit, gathered: logits in memory-mapped files, the rest in
memory, without the runs that diverged."""

import os
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from auditkit.core.errors import AuditError
from auditkit.core.ids import ORIGINAL, SHADOW, STRESS, UNLEARNED, ArmKey, Query, parse_query
from auditkit.engine import store
from auditkit.runs.answers import Tensors, of_kind, parsed, written
from auditkit.runs.stacks import RunStack
from auditkit.signals.interface import Interface, merge_interfaces
from auditkit.signals.interface_detection import detect_interface
from auditkit.signals.signals import create_logits, open_logits
from auditkit.statistics.margins import Floats
from auditkit.statistics.prediction import BESIDE_ONE

LEAST_RUNS = 3
"""Runs an arm must have left when those that diverged are taken out."""


@dataclass(frozen=True, eq=False)
class RunAnswers:
    """Everybody's answers.

    Attributes:
        logits: float32 (rows, records, classes), memory-mapped.
        rows: the arm and the number of each run there.
        other_margins: arm -> query -> (runs, near records), under every query but the exact one.
        near_logits: jittered query -> float32 (rows, near records, classes), the mean over the
            draws, memory-mapped.
        observed: name -> float64 (rows, near records), what was measured with the models in hand,
            NaN where a run was not asked.
        withheld: arm -> what its models do not say, on the records or near them, for each arm that
            is claimed.
        diverged: the runs whose answers were not all finite, in words; the rest leaves out their
            numbers in every arm, so that arms stay comparable.
    """

    logits: npt.NDArray[np.float32]
    rows: Sequence[tuple[ArmKey, int]]
    other_margins: Mapping[ArmKey, Mapping[Query, Floats]]
    near_logits: Mapping[Query, npt.NDArray[np.float32]]
    observed: Mapping[str, Floats]
    withheld: Mapping[ArmKey, Interface]
    diverged: Sequence[str]


def gather(stacks: Sequence[RunStack]) -> RunAnswers:
    """The answers of all stacks, a stack at a time: logits in files, the rest in memory."""
    rows = [(stack.arm, run) for stack in stacks for run in stack.runs]
    logits = _Files(len(rows))
    near: dict[ArmKey, dict[Query, list[Floats]]] = {}
    observed: dict[str, Floats] = {}
    interfaces: dict[ArmKey, list[Interface]] = {}
    diverged: dict[tuple[ArmKey, int], str] = {}
    first = 0
    for stack, answers in _answers(stacks):
        n = len(stack.runs)
        if stack.claimed:
            interfaces.setdefault(stack.arm, []).append(_stack_interface(answers))
        finite = np.ones(n, dtype=bool)
        for name, tensor in sorted(answers.items()):
            (kind, of), values = parsed(name), tensor.numpy()
            if kind == "observed":  # NaN where a run was not asked
                blank = np.full((len(rows), values.shape[1]), np.nan)
                observed.setdefault(of, blank)[first : first + n] = values
                continue
            finite &= np.isfinite(values).reshape(n, -1).all(axis=1)
            if kind == "near":
                near.setdefault(stack.arm, {}).setdefault(parse_query(of), []).append(values)
            elif kind == "logits":
                logits.write(of, first, values)
        first += n
        for k in np.flatnonzero(~finite).tolist():
            run = stack.runs[k]
            diverged[stack.arm, run] = f"{stack.arm} run {run} (seed {stack.seeds[k]})"
    files = logits.reopened()
    gathered = RunAnswers(
        logits=files.pop(""),
        rows=rows,
        other_margins=_of_every_run(near, rows),
        near_logits={parse_query(query): values for query, values in files.items()},
        observed=observed,
        withheld={arm: merge_interfaces(of_stacks) for arm, of_stacks in interfaces.items()},
        diverged=tuple(diverged.values()),
    )
    return _without(diverged, gathered)


def _of_every_run(
    near: Mapping[ArmKey, Mapping[Query, Sequence[Floats]]], rows: Sequence[tuple[ArmKey, int]]
) -> dict[ArmKey, dict[Query, Floats]]:
    """The margins that every run of an arm has: what one run could not be put through is left out
    for all of them."""
    runs = Counter(arm for arm, _ in rows)
    return {
        arm: {q: np.concatenate(parts) for q, parts in by_query.items() if sum(map(len, parts)) == runs[arm]}
        for arm, by_query in near.items()
    }


def _stack_interface(answers: Tensors) -> Interface:
    """What the models of a stack withhold on the records or near them."""
    plain = [t.numpy() for name, t in answers.items() if name == written("logits")]
    drawn = [t.numpy() for t in of_kind("drawn", answers).values()]
    return merge_interfaces([detect_interface(logits) for logits in (*plain, *drawn)])


def _answers(stacks: Sequence[RunStack]) -> Iterator[tuple[RunStack, Tensors]]:
    for stack in stacks:
        if (answers := store.load(stack.answers)) is None:
            raise runs_gone()
        yield stack, answers


def _scratch() -> Path:
    """A name in the store that `auditkit cache prune` knows as a leftover."""
    return store.store_directory() / f".{secrets.token_hex(32)}.{os.getpid():x}.part"


def _reopened(path: Path) -> npt.NDArray[np.float32]:
    """The logits in a finished file. Its name is given up at once, so that nothing is left of it,
    however this process ends."""
    logits = open_logits(path)
    with suppress(OSError):  # Windows keeps the name of an open file
        path.unlink()
    return logits


class _Files:
    """Files of logits, one a query, "" being the records as they are."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._open: dict[str, tuple[Path, np.memmap]] = {}

    def write(self, query: str, first: int, values: npt.NDArray[np.float32]) -> None:
        """Put the answers (runs, records, classes) of some runs into the file of a query, from row
        `first` on."""
        if query not in self._open:
            path = _scratch()
            self._open[query] = path, create_logits(path, self._rows, *values.shape[1:])
        self._open[query][1][first : first + len(values)] = values

    def reopened(self) -> dict[str, npt.NDArray[np.float32]]:
        """query -> its logits, read-only; see `_reopened`."""
        return {query: _reopened(path) for query, (path, _) in self._open.items()}


def _without(diverged: Mapping[tuple[ArmKey, int], str], answers: RunAnswers) -> RunAnswers:
    """The answers without the runs that diverged: a shadow run by itself, any other number in every
    arm."""
    if not diverged:
        return answers
    runs = Counter(arm for arm, _ in answers.rows)
    one_model = runs[UNLEARNED] == 1
    if one_model and (UNLEARNED, 0) in diverged:
        raise AuditError(
            "the released model must answer with finite numbers, found others; release one that does"
        )
    shadows = {run for arm, run in diverged if arm == SHADOW}
    others = {run for arm, run in diverged if arm != SHADOW}

    def gone(arm: ArmKey) -> set[int]:
        if runs[arm] == 1:  # the released model: no number ties it to the runs of the other arms
            return set()
        return shadows if arm == SHADOW else others

    kept = [k for k, (arm, run) in enumerate(answers.rows) if run not in gone(arm)]
    left = sum(answers.rows[k][0] in (ORIGINAL, ORIGINAL.within(STRESS)) for k in kept)
    least = BESIDE_ONE if one_model else LEAST_RUNS
    if left < least:
        raise AuditError(
            f"at least {least} runs an arm must answer with finite numbers, found {left}; these diverged: "
            f"{', '.join(diverged.values())}; lower training.learning_rate, or mend the procedure"
        )
    files = _Files(len(kept))
    for query, logits in {"": answers.logits, **{str(q): z for q, z in answers.near_logits.items()}}.items():
        for to, k in enumerate(kept):
            files.write(query, to, logits[k : k + 1])
    fewer = files.reopened()
    near = {
        arm: {q: np.delete(margins, sorted(gone(arm)), axis=0) for q, margins in by_query.items()}
        for arm, by_query in answers.other_margins.items()
    }
    return replace(
        answers,
        logits=fewer.pop(""),
        rows=[answers.rows[k] for k in kept],
        other_margins=near,
        near_logits={parse_query(query): values for query, values in fewer.items()},
        observed={name: values[kept] for name, values in answers.observed.items()},
    )


def runs_gone() -> AuditError:
    """What is to be said where stored runs are not to be had any more."""
    return AuditError(
        f"{store.store_directory()}: runs that were stored here are gone or damaged; run the same command"
        " again"
    )
