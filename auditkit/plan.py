"""Before anything is trained: what is to be done, whether it can be, what it costs, and the lock."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from auditkit.checks import claim_problems, data_problems, duplicate_warnings
from auditkit.claims import Claim
from auditkit.data import (
    Dataset,
    ForgetRequest,
    NearDuplicates,
    Sets,
    draw_sets,
    load,
    near_duplicates,
)
from auditkit.errors import UsageError
from auditkit.evidence.canonical import commitment
from auditkit.models import MODELS
from auditkit.progress import Teller
from auditkit.training import Recipe, run_seed, train
from auditkit.training.stacked import initialise
from auditkit.unlearning import OTHER_STATES
from auditkit.unlearning.resolve import bind, resolve
from auditkit.verdict.required import required_tests

SMALL_STEP = 2e8
"""FLOPs of a training step of one stack below which one thread is used: threads would wait for each other
longer than they help (measured: digits MLP, 20 runs, batch 32: 4e7, no faster on two threads when the
machine is idle, four times slower when it is not)."""
TRAINED = ("original", "retrained", "honest", "shadow")
"""Arms trained from scratch; "unlearned" is made from "original"."""


@dataclass(frozen=True, eq=False)
class Study:
    """A claim that has passed all checks, with the data it is about."""

    claim: Claim
    folder: Path
    data: Dataset
    sets: Sets
    duplicates: NearDuplicates

    @property
    def recipe(self) -> Recipe:
        """How every arm is trained."""
        return Recipe(**self.claim.training.model_dump())

    @property
    def warnings(self) -> list[str]:
        """What the reader of the verdict must know about the data."""
        return duplicate_warnings(self.duplicates, len(self.sets.forget))

    def build(self) -> nn.Module:
        """A fresh model of the claim's architecture for this data."""
        model, data = self.claim.model, self.data
        return MODELS[model.name](data.x.shape[1:], data.n_classes, hidden=model.hidden)

    def procedure(self, **options: object) -> Callable[..., nn.Module]:
        """The claim's procedure with its options, `options` over them."""
        named = self.claim.procedure
        return bind(resolve(named.name, self.folder), {**named.options, **options}, self.recipe)

    @property
    def states(self) -> tuple[str, ...]:
        """The states in which the procedure's models can be seen; none for most procedures."""
        return OTHER_STATES.get(self.claim.procedure.name, ())

    @property
    def state(self) -> str:
        """The state that the claim is about, of a procedure that has several: the last, if it says nothing."""
        return str(self.claim.procedure.options.get("state", self.states[-1]))

    def members(self, arm: str) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
        """The records each run of an arm is trained on: (runs, n), positions in the data set."""
        if arm == "shadow":
            half = len(self.sets.population) // 2
            rngs = [np.random.default_rng(seed) for seed in run_seeds(self.claim, "shadow half")]
            rows = [rng.permutation(self.sets.population)[:half] for rng in rngs]
            return np.array(rows, dtype=np.int64).reshape(-1, half)
        own = [self.sets.retain, self.sets.forget] if arm == "original" else [self.sets.retain]
        return np.tile(np.concatenate(own), (self.claim.runs.per_arm, 1))


def run_seeds(claim: Claim, arm: str) -> list[int]:
    """The seed of each run of an arm."""
    n = claim.runs.shadow if arm.startswith("shadow") else claim.runs.per_arm
    return [run_seed(claim.seed, arm, i) for i in range(n)]


def prepare(claim: Claim, folder: Path, problems: Sequence[str], tell: Teller) -> Study:
    """Load the data, draw the sets, and refuse whatever cannot be audited: UsageError with every problem,
    those already found in the claim's file first. A data set that cannot be had raises its own error."""
    problems = [*problems, *claim_problems(claim, folder)]
    source, directory = claim.data.source, claim.data.directory
    if source.endswith(".npz"):
        source = str(folder / Path(source).expanduser())
    try:
        with tell.downloads() as progress:
            data = load(source, directory and folder / directory.expanduser(), progress=progress)
    except UsageError as error:
        raise UsageError(*problems, *error.problems) from error
    problems += data_problems(claim, data)
    if problems:
        raise UsageError(*problems)
    sets = draw_sets(data, ForgetRequest(**claim.forget.model_dump()), **sizes(claim), seed=claim.seed)
    return Study(claim, folder, data, sets, near_duplicates(data.x[sets.forget], data.x[sets.retain]))


def sizes(claim: Claim) -> dict[str, int]:
    """How many records of each kind are drawn."""
    part = claim.data
    return {"train": part.train, "control": part.control, "test": part.test, "population": part.population}


def plain_claim(claim: Claim, key: bytes) -> dict[str, object]:
    """The claim as it may leave the audit: record ids only as a salted commitment."""
    plain: dict[str, object] = claim.model_dump(mode="json", exclude_none=True)
    if claim.forget.ids is not None:
        plain["forget"] = {"records": len(claim.forget.ids), "commitment": commitment(key, claim.forget.ids)}
    return plain


def locked(study: Study, key: bytes) -> dict[str, object]:
    """What is fixed before the first model is trained, for lock.json."""
    ids = study.data.ids
    return {
        "schema": 1,
        "claim": plain_claim(study.claim, key),
        "data": {
            "commitment": study.data.commitment(),
            "sets": {
                name: commitment(key, ids[positions].tolist())
                for name, positions in asdict(study.sets).items()
            },
        },
        "required_tests": required_tests(study.claim.criteria),
        "seeds": "63 bits of SHA-256 over '<claim.seed>/<arm>/<index>'",
        "plan": {"training": "one stack an arm", "device": "cpu", "threads": threads_of(study)},
    }


def threads_of(study: Study) -> int:
    """How many threads every computation of the audit uses: part of its plan, as results differ in their
    last bits between one thread and two."""
    step = 6 * weights_of(study) * study.recipe.batch_size * study.claim.runs.per_arm
    return 1 if step < SMALL_STEP else (os.cpu_count() or 1)


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Let torch use n threads, and as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def weights_of(study: Study) -> int:
    """The number of parameters of one model."""
    return sum(p.numel() for p in initialise(study.build, 0).parameters())


def visits(study: Study, arm: str) -> int:
    """How many times training an arm looks at a record: runs x records x epochs."""
    return study.members(arm).size * study.claim.training.epochs


def tell_cost(study: Study, tell: Teller) -> None:
    """Say what is doubtful about the data, how many runs this takes and about how long: an epoch is timed."""
    runs, total = study.claim.runs, sum(visits(study, arm) for arm in TRAINED)
    seconds = total / _visits_a_second(study)
    for warning in study.warnings:
        tell.say(f"warning: {warning}")
    tell.say(
        f"{4 * runs.per_arm + runs.shadow} runs: {runs.per_arm} each of original, retrained, honest control "
        f"and unlearned ({study.claim.procedure.name}), {runs.shadow} shadow"
    )
    tell.say(
        f"{6 * weights_of(study) * total / 1e12:.2g} TFLOP of training, about {seconds:.0f} s on {threads_of(study)} "
        "thread(s), less what is already in the store; then unlearning, attacks and report"
    )


def _visits_a_second(study: Study) -> float:
    members = study.members("retrained")
    x, y = torch.from_numpy(study.data.x), torch.from_numpy(study.data.y)
    probe = Recipe(**{**study.claim.training.model_dump(), "epochs": 1})
    seconds = []
    for _ in range(2):  # the first pays for warming up
        start = time.perf_counter()
        train(study.build, x, y, members, probe, list(range(len(members))))
        seconds.append(time.perf_counter() - start)
    return members.size / min(seconds)
