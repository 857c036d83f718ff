"""The contenders of the engine's benchmark: each trains the runs of a job and asks them about its
pool.

A contender gets the job, one seed a run, and a limit in seconds after which a loop may stop between
two runs. It gives the accuracy of each run it finished, on the records that run was not trained on.
"""

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, TensorDataset

from auditkit.core.environment import environment
from auditkit.engine.plan import Plan, cores, stacks, threads
from auditkit.engine.queue import Results, WorkerConfig, results, worker_session
from auditkit.engine.resources import Backend
from auditkit.models.architectures import mlp
from auditkit.runs.specs import Train
from auditkit.runs.tasks import Task
from auditkit.training import Recipe, fit, initialise
from benchmarks.speed.jobs import Job

Contender = Callable[[Job, Sequence[int], float], list[float]]

_KEPT = ExitStack()
"""Workers and other processes that contenders started here and keep."""


def engine(
    job: Job, seeds: Sequence[int], limit: float, *, plan: Plan, workers: int, keep: bool
) -> list[float]:
    """The engine: stacks as tasks, through its queue. keep: by workers that are there already, and
    stay. The limit does not bind it.
    """
    parts = [[seeds[k] for k in part] for part in stacks(len(seeds), plan.width)]
    tasks = [
        Task(
            what=f"benchmark, {job.name}, stack {k}",
            seeds=own,
            sent_from=environment(),
            plan=plan,
            build=job.build,
            make=Train(np.stack([job.members(seed) for seed in own]), job.recipe),
            x=job.x,
            y=job.y,
            near={},
            near_labels=job.y[:0],
        )
        for k, own in enumerate(parts)
    ]
    own_workers = WorkerConfig(workers, plan.threads)
    done = kept_workers(workers, plan.threads)(tasks) if keep else results(tasks, own_workers)
    return [
        job.accuracy(seed, logits)
        for k, result in done
        for seed, logits in zip(parts[k], result["logits/"].numpy(), strict=True)
    ]


@functools.cache
def kept_workers(workers: int, threads: int) -> Callable[[Sequence[Task]], Results]:
    """The queue with so many workers, kept until `end_workers`."""
    return _KEPT.enter_context(worker_session(WorkerConfig(workers, threads)))


def loader_loop(job: Job, seeds: Sequence[int], limit: float, *, on: int | None = None) -> list[float]:
    """One model after the other over a `DataLoader`, as it is usually written. on: so many threads,
    or as many as torch takes by itself.
    """

    def train(seed: int) -> torch.nn.Module:
        torch.manual_seed(seed)
        model = job.build().to(job.device)
        rows = torch.from_numpy(job.members(seed))
        loader = DataLoader(TensorDataset(x[rows], y[rows]), batch_size=job.recipe.batch_size, shuffle=True)
        optimiser = torch.optim.Adam(model.parameters(), lr=job.recipe.learning_rate)
        model.train()
        for _ in range(job.epochs):
            for images, labels in loader:
                optimiser.zero_grad()
                loss = torch.nn.functional.cross_entropy(model(images.to(job.device)), labels.to(job.device))
                loss.backward()
                optimiser.step()
        return model

    x, y = torch.from_numpy(job.x), torch.from_numpy(job.y)
    with threads(on or torch.get_num_threads()):
        return [job.accuracy(seed, _asked(train(seed), x)) for seed in _within(limit, seeds)]


def tensor_loop(job: Job, seeds: Sequence[int], limit: float, *, on: int) -> list[float]:
    """One model after the other by the engine's own `fit`, with the records in memory as tensors.
    on: so many threads.
    """

    def train(seed: int) -> torch.nn.Module:
        model = initialise(job.build, seed).to(job.device)
        [fitted] = fit([model], x, y, job.recipe, seeds=[seed], members=job.members(seed)[None])
        return fitted

    x, y = torch.from_numpy(job.x).to(job.device), torch.from_numpy(job.y).to(job.device)
    with threads(on):
        return [job.accuracy(seed, _asked(train(seed), x)) for seed in _within(limit, seeds)]


def process_loops(job: Job, seeds: Sequence[int], limit: float) -> list[float]:
    """The tensor loop in a process a core, which are there already, one thread each."""
    pool = one_thread_processes()
    parts = [seeds[k :: cores()] for k in range(min(cores(), len(seeds)))]
    futures = [pool.submit(tensor_loop, job, part, limit, on=1) for part in parts]
    return [accuracy for future in futures for accuracy in future.result()]


@functools.cache
def one_thread_processes() -> ProcessPoolExecutor:
    """As many processes as there are cores, with one thread each, kept until `end_workers`."""
    return _KEPT.enter_context(
        ProcessPoolExecutor(cores(), get_context("spawn"), torch.set_num_threads, (1,))
    )


def art(job: Job, seeds: Sequence[int], limit: float) -> list[float]:
    """ART's `ShadowModels`: told to train each on a share of the pool, it asks it about all but one
    record. It draws members, initial weights and order itself, from the first seed, and knows no
    limit.
    """
    from art.attacks.inference.membership_inference import ShadowModels
    from art.estimators.classification import PyTorchClassifier

    torch.manual_seed(seeds[0])
    model = job.build()
    template = PyTorchClassifier(
        model=model,
        loss=torch.nn.CrossEntropyLoss(),
        input_shape=job.x.shape[1:],
        nb_classes=int(job.y.max()) + 1,
        optimizer=torch.optim.Adam(model.parameters(), lr=job.recipe.learning_rate),
        device_type="gpu" if job.device == "cuda" else "cpu",
    )
    shadows = ShadowModels(template, num_shadow_models=len(seeds), random_state=seeds[0])
    for shadow in shadows.get_shadow_models():  # whose epochs it leaves at 10
        shadow.fit = functools.partial(shadow.fit, batch_size=job.recipe.batch_size, nb_epochs=job.epochs)
    one_hot = np.eye(template.nb_classes, dtype=np.float32)[job.y]
    _, (_, labels, answers) = shadows.generate_shadow_dataset(
        job.x, one_hot, (job.records + 0.5) / len(job.x)
    )
    right = answers.argmax(axis=1) == labels.argmax(axis=1)
    return [float(part.mean()) for part in right.reshape(len(seeds), -1)]


@torch.no_grad()
def _asked(model: torch.nn.Module, x: torch.Tensor) -> npt.NDArray[np.float32]:
    """The model's logits on x, in batches of 128, as ART has it: float32 (records, classes)."""
    model.eval()
    device = next(model.parameters()).device
    return torch.cat([model(batch.to(device)).cpu() for batch in x.split(128)]).numpy()


def _within(limit: float, seeds: Iterable[int]) -> Iterator[int]:
    """Seeds until the limit has passed, one at least."""
    stop = time.perf_counter() + limit
    for k, seed in enumerate(seeds):
        if k and time.perf_counter() > stop:
            return
        yield seed


def empty_tasks(n: int, *, megabytes: int = 0, epochs: int = 0, sleep: float = 0.0) -> list[Task]:
    """Tasks that train a perceptron of one unit, by default not at all, and ask it about one
    record.

    megabytes: what each carries. sleep: seconds that each takes besides.
    """
    members = np.zeros((1, max(1, megabytes * 125_000)), dtype=np.int64)
    return [
        Task(
            what=f"benchmark, empty task {k}",
            seeds=[k],
            sent_from=environment(),
            plan=Plan(1, 1, "cpu"),
            build=functools.partial(_tiny, sleep),
            make=Train(members, Recipe(epochs, batch_size=1, learning_rate=0.1)),
            x=np.zeros((1, 1), dtype=np.float32),
            y=np.zeros(1, dtype=np.int64),
            near={},
            near_labels=np.zeros(0, dtype=np.int64),
        )
        for k in range(n)
    ]


def _tiny(sleep: float) -> torch.nn.Module:
    time.sleep(sleep)
    return mlp((1,), 2, hidden=(1,))


def queue_seconds(backend: Backend, workers: int, n: int, megabytes: int) -> tuple[float, float]:
    """Seconds until the first of n empty tasks is back, and seconds a task after that."""
    tasks = empty_tasks(n, megabytes=megabytes)
    start = time.perf_counter()
    back = [time.perf_counter() for _ in results(tasks, WorkerConfig(workers, 1, backend))]
    return back[0] - start, (back[-1] - back[0]) / (n - 1)


def start_workers(workers: int, threads: int, sleep: float) -> None:
    """Have so many workers of the engine's there, and have each train: the first optimiser of a
    process has much to import. sleep: how long each keeps its task, so that one that is slower to
    start finds its own.
    """
    for _ in kept_workers(workers, threads)(empty_tasks(workers, epochs=1, sleep=sleep)):
        pass


def end_workers() -> None:
    """End the processes that are kept here: this one would wait for them when it ends."""
    _KEPT.close()
