"""The table and the JSON of the engine's benchmark."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import fmean

from rich.console import Console
from rich.table import Table

from benchmarks.speed.clock import QUIET
from benchmarks.speed.figures import ENOUGH, Cell, Figure, Results, Spread
from benchmarks.speed.turns import (
    ART,
    ENGINE,
    LOADER,
    LOADER_1,
    PROCESSES,
    SIZES,
    TENSOR_1,
    TENSOR_ALL,
    Entry,
)

WIDTH = 200
ORDER = tuple(SIZES["mlp"])
COMPARED = {
    f"engine is n x the {LOADER}": (LOADER,),
    f"engine is n x the {LOADER_1}": (LOADER_1,),
    "engine is n x the best loop": (LOADER, LOADER_1, TENSOR_1, TENSOR_ALL, PROCESSES),
    f"engine is n x {ART}": (ART,),
}
"""Ratio in words -> the competitors, of whom the fastest counts. Above 1 the engine is faster."""


def show(
    machine: Mapping[str, object], entries: Sequence[Entry], results: Results, figures: Sequence[Figure]
) -> None:
    """Print everything: each number is a median, with the least and the most in brackets."""
    console = Console(width=WIDTH, highlight=False, markup=False)
    console.print(", ".join(f"{name}: {value}" for name, value in machine.items()))
    console.print(f"share of the cores that others took during a measurement: {results.others()}")
    console.print(
        f"where {ENOUGH} or more repeats are left, those are not counted in which it was over {QUIET}"
    )
    for entry in entries:
        console.print(*_described(entry), sep="\n  ")
    console.print(_table(results))
    for figure in figures:
        value = f"{figure.value} {figure.unit}" if figure.value else "none"
        console.print(f"{figure.name}: {value}{figure.remark and f' ({figure.remark})'}")


def document(
    machine: Mapping[str, object], entries: Sequence[Entry], results: Results, figures: Sequence[Figure]
) -> dict[str, object]:
    """What the table shows, and every repeat, for the JSON."""
    return {
        "machine": machine,
        "others_share": asdict(results.others()),
        "jobs": [_job(entry) for entry in entries],
        "seconds": [
            {"job": job, "contender": name, "runs": runs, **asdict(cell.spread), "runs_made": cell.runs}
            for job in results.jobs()
            for name in results.contenders(job)
            for runs in results.sizes(job, name)
            if (cell := results.cell(job, name, runs))
        ],
        "ratios": [
            {"job": job, "runs": runs, "ratio": name, "competitor": against, **asdict(ratio)}
            for job in results.jobs()
            for runs in results.sizes(job)
            for name in COMPARED
            for against, ratio in _advantage(results, job, runs, name)
        ],
        "figures": [asdict(figure) for figure in figures],
        "measurements": _measurements(results),
    }


def _described(entry: Entry) -> list[str]:
    job = entry.job
    batches = f"{job.recipe.epochs} epoch(s) of batches of {job.recipe.batch_size}"
    return [
        f"{job.name}: {job.records} records a run, {batches}, then asked about {len(job.x)}. {job.note}",
        f"plans, measured in {entry.planning:.1f} s while others took {entry.others:.0%} of the cores:",
        *(
            f"{runs} runs: {choice.plan}; {choice.workers} worker(s), in a fresh audit {choice.fresh_workers}"
            for runs, choice in entry.choices.items()
        ),
    ]


def _table(results: Results) -> Table:
    sizes = sorted({m.runs for m in results.measured})
    shown = Table(title="seconds of all runs: median (least-most); ~ scaled up from as many as were made")
    for heading in ("job", "contender", *(f"{n} runs" for n in sizes), "accuracy"):
        shown.add_column(heading, no_wrap=True)
    for job in results.jobs():
        for name in sorted(results.contenders(job), key=ORDER.index):
            cells = [_seconds(results.cell(job, name, n), n) for n in sizes]
            mean, error = results.accuracy(job, name)
            shown.add_row(job, name, *cells, f"{mean:.3f} ± {error:.3f}")
        for name in COMPARED:
            ratios = [_ratio(_advantage(results, job, n, name)) for n in sizes]
            if any(ratios):
                shown.add_row(job, name, *ratios, "", style="bold")
        shown.add_section()
    return shown


def _seconds(cell: Cell | None, runs: int) -> str:
    if cell is None:
        return ""
    least, most = cell.runs
    if least == runs:
        return str(cell.spread)
    return f"~{cell.spread} of {least}" if least == most else f"~{cell.spread} of {least}-{most}"


def _advantage(results: Results, job: str, runs: int, name: str) -> list[tuple[str, Spread]]:
    """The fastest competitor, and how many times as long as the engine it takes; [] if none was
    measured.
    """
    if runs not in results.sizes(job, ENGINE):
        return []
    against = results.best(job, runs, COMPARED[name])
    ratio = against and results.ratio(job, runs, against, ENGINE)
    return [(against, ratio)] if against and ratio else []


def _ratio(found: Sequence[tuple[str, Spread]]) -> str:
    return "".join(str(ratio) for _, ratio in found)


def _job(entry: Entry) -> dict[str, object]:
    job = entry.job
    return {
        "name": job.name,
        "records": job.records,
        "asked": len(job.x),
        "recipe": asdict(job.recipe),
        "device": job.device,
        "data": job.note,
        "planning": {"seconds": entry.planning, "others_share": entry.others},
        "plans": {
            runs: {**asdict(choice.plan), "workers": choice.workers, "fresh_workers": choice.fresh_workers}
            for runs, choice in entry.choices.items()
        },
    }


def _measurements(results: Results) -> list[dict[str, object]]:
    return [
        {
            "job": m.job,
            "contender": m.contender,
            "runs": m.runs,
            "repeat": m.repeat,
            "runs_made": len(m.clocked.accuracies),
            "seconds": m.clocked.seconds,
            "accuracy": fmean(m.clocked.accuracies),
            "others_share": m.clocked.others,
            "peaks": [asdict(peak) for peak in m.around],
        }
        for m in results.measured
    ]
