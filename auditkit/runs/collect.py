"""The runs of an audit: trained, unlearned and asked by the engine, as far as the store does not
have them.

Besides `study`, `training`, `unlearning` and the engine nothing needs torch; what leaves here are
arrays.
"""

import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auditkit.core.errors import AuditError
from auditkit.core.progress import Reporter
from auditkit.engine import store
from auditkit.engine.plan import Plan
from auditkit.engine.queue import WorkerConfig, results
from auditkit.runs.queries import QueryPlan
from auditkit.runs.stacks import RunStack, UnlearnedArm, build_task, plan_stacks, shared
from auditkit.runs.tasks import Task, Tensors
from auditkit.signals.interface import Interface, detect_interface, merge_interfaces
from auditkit.signals.signals import create_logits, open_logits
from auditkit.statistics.margins import Floats
from auditkit.statistics.prediction import BESIDE_ONE
from auditkit.study.study import Study

LEAST_RUNS = 3
"""Runs an arm must have left when those that diverged are taken out."""


@dataclass(frozen=True, eq=False)
class RunAnswers:
    """Everybody's answers.

    logits: float32 (rows, records, classes), memory-mapped. rows: the arm and the number of each
    run there; a procedure seen in another state than the claimed one is the arm "unlearned,
    <state>". near: arm -> jittered query -> (runs, near records), margins. near_logits: jittered
    query -> float32 (rows, near records, classes), the mean over the draws, memory-mapped.
    observed: name -> float64 (rows, near records), what was measured with the models in hand, NaN
    where a run was not asked. withheld: arm -> what its models do not say, on the records or near
    them, for each arm that is claimed. diverged: the runs whose answers were not all finite, in
    words; the rest leaves out their numbers in every arm, so that arms stay comparable.
    """

    logits: npt.NDArray[np.float32]
    rows: Sequence[tuple[str, int]]
    near: Mapping[str, Mapping[str, Floats]]
    near_logits: Mapping[str, npt.NDArray[np.float32]]
    observed: Mapping[str, Floats]
    withheld: Mapping[str, Interface]
    diverged: Sequence[str]


def train_and_query(
    study: Study,
    asked: QueryPlan,
    plan: Plan,
    workers: WorkerConfig,
    lock_sha256: str,
    tell: Reporter,
    per_arm: int | None = None,
    claimed: Mapping[str, UnlearnedArm] | None = None,
) -> RunAnswers:
    """Train every arm, unlearn, and ask: the first `per_arm` runs of each (all, if it is not
    given), and all shadow runs. claimed: see `plan_stacks`."""
    listed = plan_stacks(study, asked, plan, lock_sha256, claimed)
    last = study.claim.runs.per_arm if per_arm is None else per_arm
    every = [stack for stack in listed if stack.arm == "shadow" or stack.runs.stop <= last]
    _do([stack for stack in every if stack.trained], "training", study, asked, plan, workers, tell)
    verb = f"unlearning ({f'{len(claimed)} ways' if claimed else study.claim.procedure.name})"
    if study.released:
        verb = "asking the released model"
        [stack] = [stack for stack in every if not stack.trained]
        store.save(stack.weights, study.released.stacked())
    _do([stack for stack in every if not stack.trained], verb, study, asked, plan, workers, tell)
    return _gathered(every)


def collect_through_common_interface(
    study: Study,
    whole: QueryPlan,
    plan: Plan,
    workers: WorkerConfig,
    lock_sha256: str,
    tell: Reporter,
    per_arm: int,
) -> tuple[QueryPlan, RunAnswers]:
    """The same, and if the unlearned models withhold something every arm is asked again through the
    same interface. whole: questions through no interface, as only from plain answers can be seen
    what they do not say. Returned with what was asked in the end."""
    collected = train_and_query(study, whole, plan, workers, lock_sha256, tell, per_arm)
    unsaid = collected.withheld["unlearned"]
    if not unsaid.words:
        return whole, collected
    tell.say(
        f"the unlearned models withhold something: {'; '.join(unsaid.words)}; asking every model alike ..."
    )
    asked = whole.through(unsaid)
    return asked, train_and_query(study, asked, plan, workers, lock_sha256, tell, per_arm)


def _do(
    stage: Sequence[RunStack],
    verb: str,
    study: Study,
    asked: QueryPlan,
    plan: Plan,
    workers: WorkerConfig,
    tell: Reporter,
) -> None:
    """Have the stacks done that the store does not have; each result is kept as soon as it is
    there."""
    missing = [stack for stack in stage if store.load(stack.answers, tell.say) is None]
    if not missing:
        return
    given = shared(study, asked)

    @lru_cache(maxsize=1)
    def make(k: int) -> Task:
        return build_task(
            study, asked, plan, given, missing[k], _weights(missing[k], tell), _proxies(missing[k], tell)
        )

    tasks = _Tasks(make, len(missing))
    with tell.stage(verb, sum(len(stack.runs) for stack in missing)) as advance:
        for k, result in results(tasks, workers):
            prefix = "weights/"
            if weights := {n.removeprefix(prefix): t for n, t in result.items() if n.startswith(prefix)}:
                store.save(missing[k].weights, weights)
            store.save(missing[k].answers, {n: t for n, t in result.items() if not n.startswith(prefix)})
            advance(len(missing[k].runs))


@dataclass(frozen=True, eq=False)
class _Tasks(Sequence[Task]):
    """Tasks made when their turn has come, so that the weights of all stacks are never in memory at
    once."""

    make: Callable[[int], Task]
    n: int

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, k: Any) -> Any:
        if k >= self.n:
            raise IndexError(k)
        return self.make(k)


def _weights(stack: RunStack, tell: Reporter) -> Tensors | None:
    weights = store.load(stack.weights, tell.say)
    if weights is None and not stack.trained:
        raise _gone()
    return weights


def _proxies(stack: RunStack, tell: Reporter) -> Tensors | None:
    if stack.proxies is None:
        return None
    if (weights := store.load(stack.proxies, tell.say)) is None:
        raise _gone()
    return weights


def _gone() -> AuditError:
    return AuditError(
        f"{store.store_directory()}: runs that were stored here are gone or damaged; run the same command"
        " again"
    )


def _answers(stacks: Sequence[RunStack]) -> Iterator[tuple[RunStack, Tensors]]:
    for stack in stacks:
        if (answers := store.load(stack.answers)) is None:
            raise _gone()
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


def _gathered(stacks: Sequence[RunStack]) -> RunAnswers:
    """The answers of all stacks, a stack at a time: logits in files, the rest in memory."""
    rows = [(stack.arm, run) for stack in stacks for run in stack.runs]
    logits = _Files(len(rows))
    near: dict[str, dict[str, list[Floats]]] = {}
    observed: dict[str, Floats] = {}
    seen: dict[str, list[Interface]] = {}
    diverged: dict[tuple[str, int], str] = {}
    first = 0
    for stack, answers in _answers(stacks):
        n = len(stack.runs)
        if stack.claimed:
            seen.setdefault(stack.arm, []).append(_unsaid(answers))
        finite = np.ones(n, dtype=bool)
        for name, tensor in sorted(answers.items()):
            kind, _, query = name.partition("/")
            values = tensor.numpy()
            if kind == "observed":  # NaN where a run was not asked
                observed.setdefault(query, np.full((len(rows), values.shape[1]), np.nan))[
                    first : first + n
                ] = values
                continue
            finite &= np.isfinite(values).reshape(n, -1).all(axis=1)
            if kind == "near":
                near.setdefault(stack.arm, {}).setdefault(query, []).append(values)
            elif kind == "logits":
                logits.write(query, first, values)
        first += n
        for k in np.flatnonzero(~finite).tolist():
            run = stack.runs[k]
            diverged[stack.arm, run] = f"{stack.arm} run {run} (seed {stack.seeds[k]})"
    runs = Counter(arm for arm, _ in rows)
    # What one run of an arm could not be put through is left out for all of them.
    joined = {
        arm: {q: np.concatenate(parts) for q, parts in own.items() if sum(map(len, parts)) == runs[arm]}
        for arm, own in near.items()
    }
    files = logits.reopened()
    unsaid = {arm: merge_interfaces(of_stacks) for arm, of_stacks in seen.items()}
    return _without(
        diverged,
        RunAnswers(files.pop(""), rows, joined, files, observed, unsaid, tuple(diverged.values())),
    )


def _unsaid(answers: Tensors) -> Interface:
    """What the models of a stack withhold on the records or near them."""
    told = (t.numpy() for name, t in answers.items() if name == "logits/" or name.startswith("drawn/"))
    return merge_interfaces([detect_interface(logits) for logits in told])


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


def _without(diverged: Mapping[tuple[str, int], str], found: RunAnswers) -> RunAnswers:
    """The answers without the runs that diverged: a shadow run by itself, any other number in every
    arm."""
    if not diverged:
        return found
    shadows = {run for arm, run in diverged if arm == "shadow"}
    others = {run for arm, run in diverged if arm != "shadow"}
    runs = Counter(arm for arm, _ in found.rows)
    if runs["unlearned"] == 1 and ("unlearned", 0) in diverged:
        raise AuditError(
            "the released model must answer with finite numbers, found others; release one that does"
        )

    def gone(arm: str) -> set[int]:
        if runs[arm] == 1:  # the released model: no number ties it to the runs of the other arms
            return set()
        return shadows if arm == "shadow" else others

    kept = [k for k, (arm, run) in enumerate(found.rows) if run not in gone(arm)]
    left = sum(found.rows[k][0] == "original" for k in kept)
    least = BESIDE_ONE if runs["unlearned"] == 1 else LEAST_RUNS
    if left < least:
        raise AuditError(
            f"at least {least} runs an arm must answer with finite numbers, found {left}; these diverged: "
            f"{', '.join(diverged.values())}; lower training.learning_rate, or mend the procedure"
        )
    files = _Files(len(kept))
    for query, logits in {"": found.logits, **found.near_logits}.items():
        for to, k in enumerate(kept):
            files.write(query, to, logits[k : k + 1])
    fewer = files.reopened()
    return replace(
        found,
        logits=fewer.pop(""),
        rows=[found.rows[k] for k in kept],
        near={
            arm: {q: np.delete(margins, sorted(gone(arm)), axis=0) for q, margins in own.items()}
            for arm, own in found.near.items()
        },
        near_logits=fewer,
        observed={name: values[kept] for name, values in found.observed.items()},
    )
