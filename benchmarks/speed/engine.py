"""The engine beside a plain PyTorch loop and ART's `ShadowModels`, on the same jobs.

    make bench                                  # about 20 minutes on two cores, longer on busy ones
    python -m benchmarks.speed.engine --quick   # everything tiny: whether it works

Prints one table and writes one JSON. Contenders take turns, so that whatever else the machine does
hits all of them; ratios are formed repeat by repeat. A repeat in which other processes took a tenth
of the cores or more is left out where enough others are left. A loop stops after a time limit and
its runs are scaled up: such seconds are marked "~". Contenders:

engine             the plan measured for the job, through the queue; as many workers as there are
                   cores for them, and they are there already
engine, fresh      what an audit that begins would do: `cost` decides how many workers, and their
                   start is counted, and their end
engine, 1 worker   the same plan, in one process
DataLoader loop    one model after the other over a `DataLoader`, on torch's own number of threads,
                   or 1
tensor loop        one model after the other by the engine's `fit`: on 1 thread, on all, or in
                   several processes with one thread each. The fastest of all loops is the "best
                   loop"
ART ShadowModels   adversarial-robustness-toolbox

Every contender also asks each model about all records, and its accuracy is that on records left
out.
"""

import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from auditkit.engine.plan import cores
from benchmarks.common import RESULTS, options
from benchmarks.speed.extras import memory_figures, peak_figures, queue_figures, scaling_figures, step_figure
from benchmarks.speed.figures import Figure, Measurement, Results
from benchmarks.speed.jobs import jobs
from benchmarks.speed.report import document, show
from benchmarks.speed.turns import QUICK, SIZES, Entry, enter, hosts, turns, warm_up

PATIENCE = 300.0
OUT = RESULTS / "engine.json"


def main() -> None:
    """Measure, print, write."""
    parser = options(__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="everything tiny, to see whether it works")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--job", choices=sorted(SIZES), action="append", help="only this one; by default all")
    parser.add_argument("--runs", type=int, help="only so many runs; by default 1 to 256")
    parser.add_argument("--out", type=Path, help=f"by default {OUT.name} in results, or none with --quick")
    arguments = parser.parse_args()
    measured_on, started = machine(arguments.device), time.perf_counter()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["AUDITKIT_CACHE"] = cache  # where the queue's workers keep their logs
        entries, results, figures = measure(
            1 if arguments.quick else arguments.repeats,
            arguments.quick,
            arguments.device,
            arguments.job or sorted(SIZES),
            arguments.runs,
        )
    measured_on["minutes"] = round((time.perf_counter() - started) / 60, 1)
    show(measured_on, entries, results, figures)
    if out := arguments.out or (None if arguments.quick else OUT):
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(document(measured_on, entries, results, figures), indent=1) + "\n")


def measure(
    repeats: int, quick: bool, device: str, only: Sequence[str], runs: int | None
) -> tuple[list[Entry], Results, list[Figure]]:
    """All measurements, one after the other."""
    sizes = {
        job: {who: [n for n in numbers if runs in (None, n)] for who, numbers in table.items()}
        for job, table in (QUICK if quick else SIZES).items()
    }
    with hosts(0 if quick else PATIENCE) as every:
        say("planning")
        entries = [
            enter(job, sizes[job.name], every.fresh) for job in jobs(device, quick) if job.name in only
        ]
        say("memory, warming up")
        memory = list(memory_figures(entries[0], every))
        warm_up(entries, every)
        results = Results(list(reported(turns(entries, repeats, every))))
        say("steps by themselves")
        figures = [f for e in entries for f in (*peak_figures(results, e), step_figure(e, repeats, every))]
        say("the queue")
        figures += [*scaling_figures(results), *memory]
        figures += queue_figures(repeats, every.engine, everything=not quick)
    return entries, results, figures


def reported(measurements: Iterator[Measurement]) -> Iterator[Measurement]:
    """The measurements, each told as it comes."""
    for m in measurements:
        others = f"others took {m.clocked.others:.0%} of the cores"
        say(f"repeat {m.repeat}: {m.job}, {m.runs} runs, {m.contender}: {m.clocked.seconds:.2f} s; {others}")
        yield m


def say(text: str) -> None:
    """Tell whoever waits."""
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


def machine(device: str) -> dict[str, object]:
    """What is measured on, and how busy it is."""
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if "model name" in line] if info.exists() else []
    return {
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "cpu": names[0].partition(":")[2].strip() if names else platform.processor(),
        "cores": cores(),
        "gpu": torch.cuda.get_device_name() if device == "cuda" else "none used",
        "torch": torch.__version__,
        "torch threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "load before": round(os.getloadavg()[0], 2),
    }


if __name__ == "__main__":
    main()
