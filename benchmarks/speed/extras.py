"""What the engine's benchmark tells besides seconds: share of the peak, the queue's cost,
memory.
"""

import importlib.util
from collections.abc import Iterator, Sequence

from auditkit.core.errors import AuditError
from auditkit.engine.plan import cores, step_seconds
from auditkit.engine.resources import BACKENDS, Backend
from benchmarks.speed import contenders
from benchmarks.speed.clock import Host, matmul_rate, peak_memory
from benchmarks.speed.figures import Figure, Results, spread
from benchmarks.speed.jobs import answering_flops, training_flops
from benchmarks.speed.turns import ENGINE, LIMIT, LOADER, ONE_WORKER, Entry, Hosts, contender

NO_OPS = 200
CARRIED = 10
"""Megabytes that a task of a middling audit carries."""


def peak_figures(results: Results, entry: Entry) -> Iterator[Figure]:
    """How much of the machine's peak the engine reaches on a job: its matrix products and
    convolutions, each counted once, over the time from handing over the job to having all
    answers.
    """
    job, runs = entry.job, entry.bracketed
    own = results.of(job.name, ENGINE, runs)
    training, answering = training_flops(job), answering_flops(job)
    together = [_mean([p.together for p in m.around]) for m in own]
    apart = [_mean([p.apart for p in m.around]) for m in own]
    higher = [max(pair) for pair in zip(together, apart, strict=True)]
    rates = [runs * (training + answering) / m.clocked.seconds / 1e9 for m in own]
    shares = [100 * rate / top for rate, top in zip(rates, higher, strict=True)]
    part = training / (training + answering)
    what = f"{job.name}, {runs} runs"
    yield Figure(f"{what}: peak, one process on all cores", spread(together), "GFLOP/s")
    yield Figure(f"{what}: peak, one process a core", spread(apart), "GFLOP/s")
    yield Figure(f"{what}: engine", spread(rates), "GFLOP/s", f"{part:.0%} of it training, the rest asking")
    yield Figure(f"{what}: engine's share of the higher peak", spread(shares), "%")
    yield Figure(
        f"{what}: counting only training", spread(part * s for s in shares), "%", "asking takes time too"
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def step_figure(entry: Entry, repeats: int, every: Hosts) -> Figure:
    """What share of its threads' peak a step reaches with nothing around it."""
    job, measured = entry.job, entry.choices[entry.bracketed].measured
    plan = measured.plan
    step = training_flops(job) / job.work(1).steps * plan.width / 1e9

    def one() -> float:
        before = every.engine.call(matmul_rate, plan.threads, job.device)
        took = every.engine.call(step_seconds, job.work(plan.width), plan)
        after = every.engine.call(matmul_rate, plan.threads, job.device)
        return 100 * step / took / _mean([before, after])

    remark = f"{plan.width} runs, {plan.threads} thread(s), of their own peak"
    return Figure(f"{job.name}: a step by itself", spread(one() for _ in range(repeats)), "%", remark)


def scaling_figures(results: Results) -> Iterator[Figure]:
    """What a run costs the more there are, and what workers gain."""
    for job in results.jobs():
        for runs in results.sizes(job, ENGINE):
            each = spread(1e3 * m.clocked.seconds / runs for m in results.of(job, ENGINE, runs))
            yield Figure(f"{job}: engine, one of {runs} run(s)", each, "ms")
        for runs in results.sizes(job, ONE_WORKER):
            if gain := results.ratio(job, runs, ONE_WORKER, ENGINE):
                yield Figure(f"{job}, {runs} runs: speed of all workers over one's", gain, "times")


def queue_figures(repeats: int, host: Host, everything: bool) -> Iterator[Figure]:
    """What an empty task costs, in this process and by loky, or by everything that is installed;
    and how long it takes until the first is back.
    """
    most = max(2, cores())
    cases: list[tuple[str, Backend, int, int]] = [
        ("in this process", "loky", 1, 0),
        ("loky", "loky", most, 0),
    ]
    if everything:
        cases += [(b, b, most, 0) for b in BACKENDS if b != "loky" and importlib.util.find_spec(b)]
        cases += [(f"loky, {CARRIED} MB each", "loky", most, CARRIED)]
    for name, backend, workers, megabytes in cases:
        remark = f"{NO_OPS} tasks, {workers} worker(s)"
        found = []
        try:
            for _ in range(repeats):
                found.append(host.call(contenders.queue_seconds, backend, workers, NO_OPS, megabytes))
        except (AuditError, RuntimeError, ValueError) as error:  # a cluster that is not to be had here
            yield Figure(f"queue, {name}", None, "", f"failed: {error}")
            continue
        yield Figure(f"queue, {name}: an empty task", spread(1e3 * each for _, each in found), "ms", remark)
        yield Figure(f"queue, {name}: until the first is back", spread(first for first, _ in found), "s")


def memory_figures(entry: Entry, every: Hosts) -> Iterator[Figure]:
    """The most memory that all processes of the engine take, and of a loop, each in processes that
    have done nothing else yet.
    """
    job, runs = entry.job.shortened(), entry.bracketed
    for name in (ENGINE, LOADER):
        host = every.of(name)
        before, _ = host.call(peak_memory)
        host.clock(contender(name, entry.choices[runs]), job, job.seeds(runs, 0), LIMIT)
        most, processes = host.call(peak_memory)
        remark = f"{processes} process(es) in sum; {before / 1e6:.0f} MB in the first before any work"
        yield Figure(f"memory, {job.name}, {runs} runs: {name}", spread([most / 1e6]), "MB", remark)
