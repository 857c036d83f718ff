"""The jobs of the engine's benchmark: what is to be trained, the same for whoever trains it."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.flop_counter import FlopCounterMode

from auditkit.claims.claim import BUILT_IN
from auditkit.claims.read import read_claim
from auditkit.core.errors import AuditError, UsageError
from auditkit.core.progress import NullReporter
from auditkit.data import load
from auditkit.engine.workload import TrainingWorkload, flops
from auditkit.models.architectures import Build, cnn, mlp
from auditkit.study.study import asked_records, prepare
from auditkit.training import Recipe, initialise, run_seed

HELD_OUT = 1000
SHAPE, CLASSES = (784,), 10


@dataclass(frozen=True, eq=False)
class Job:
    """Training some runs, each on `records` of the pool, of its own drawing, and asking each about
    all of it.

    x: float32 (pool, *shape); y: int64 (pool,). note: what a reader must know about the data.
    """

    name: str
    build: Build
    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.int64]
    records: int
    recipe: Recipe
    device: str
    note: str = ""

    @property
    def epochs(self) -> int:
        """Passes over a run's records."""
        return self.recipe.epochs

    def members(self, seed: int) -> npt.NDArray[np.int64]:
        """The records that the run with this seed is trained on, as positions in the pool."""
        return np.random.default_rng(seed).permutation(len(self.x))[: self.records]

    def seeds(self, runs: int, repeat: int) -> list[int]:
        """One for each run; it decides the run's members, initial weights and order of records."""
        return [run_seed(repeat, self.name, k) for k in range(runs)]

    def accuracy(self, seed: int, logits: npt.NDArray[np.float32]) -> float:
        """The share of the records that the run was not trained on that it classifies rightly."""
        left_out = np.delete(np.arange(len(self.x)), self.members(seed))
        return float((logits[left_out].argmax(axis=1) == self.y[left_out]).mean())

    def work(self, runs: int) -> TrainingWorkload:
        """The job as the engine's planning sees it."""
        x, y = torch.from_numpy(self.x[: self.records]), torch.from_numpy(self.y[: self.records])
        return TrainingWorkload(
            self.build, x, y, self.recipe, self.records, {"benchmark": runs}, self.x.nbytes
        )

    def shortened(self) -> "Job":
        """The job with one epoch: as much memory, less time."""
        return replace(self, recipe=replace(self.recipe, epochs=1))

    def tiny(self) -> "Job":
        """The job with 50 records a run of a pool of 100, and one epoch: to have done it once."""
        return replace(self.shortened(), x=self.x[:100], y=self.y[:100], records=50)


def training_flops(job: Job) -> int:
    """Floating-point operations of the matrix products and convolutions of training one run:
    forward, the gradients of all weights, and of all layers' inputs but the first's.
    """
    return flops(job.work(1))


def answering_flops(job: Job) -> int:
    """Floating-point operations of asking one run about the pool."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        initialise(job.build, 0).eval()(torch.from_numpy(job.x[:100]))
    a_record: float = counter.get_total_flops() / 100
    return round(a_record * len(job.x))


def jobs(device: str, quick: bool) -> tuple[Job, Job, Job]:
    """The perceptron and the CNN on Fashion-MNIST, and the built-in claim's model on digits."""
    x, y, note = _images(300 if quick else 2048, 100 if quick else HELD_OUT)
    small = 64 if quick else 512
    held_out = len(x) - (300 if quick else 2048)
    perceptron = Recipe(epochs=1 if quick else 20, batch_size=128, learning_rate=0.001)
    convolutional = Recipe(epochs=1, batch_size=32, learning_rate=0.001)
    pool = slice(0, small + held_out)
    return (
        Job("mlp", functools.partial(mlp, SHAPE, CLASSES), x, y, len(x) - held_out, perceptron, device, note),
        Job(
            "cnn",
            functools.partial(cnn, SHAPE, CLASSES),
            x[pool],
            y[pool],
            small,
            convolutional,
            device,
            note,
        ),
        _digits(device, quick),
    )


def _images(records: int, held_out: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], str]:
    rng = np.random.default_rng(0)
    n = records + held_out
    try:
        data = load("fashion-mnist")
    except (AuditError, UsageError):
        x = rng.random((n, *SHAPE), dtype=np.float32)
        return x, rng.integers(CLASSES, size=n), "random images: Fashion-MNIST is not installed"
    chosen = rng.permutation(len(data.y))[:n]
    return data.x[chosen], data.y[chosen], data.origin


def _digits(device: str, quick: bool) -> Job:
    """As many records a run as the built-in claim's originals have, its model and its recipe."""
    claim, problems = read_claim(BUILT_IN)
    assert not problems, problems
    study = prepare(claim, Path(), [], NullReporter())
    recipe = replace(study.recipe, epochs=1) if quick else study.recipe
    pool: Sequence[int] = asked_records(study).tolist()
    x, y = study.data.x[pool], study.data.y[pool]
    return Job("digits", study.build, x, y, claim.data.train, recipe, device, study.data.origin)
