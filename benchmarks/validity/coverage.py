"""Coverage of every interval that the evidence carries, and the size of every required test, where
the truth is known.

    python -m benchmarks.validity.coverage    # 2,000 replicates a line, about 30 CPU minutes
    python -m benchmarks.validity.coverage --only slope --replicates 500

Prints the tables of docs/coverage.md; with --write also writes them there, and the rows to
benchmarks/results/coverage.json; with --only the lines of these settings alone are made anew. Exit
code 1 if an interval that is claimed to hold is short of its level by more than SLACK and three
Monte-Carlo errors.

"Below" is how often the truth lay below the interval, "above" how often above it; either is half of
1 - level where the interval is exact. The simulations are those of tests/simulations/.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from benchmarks.common import DOCS, RESULTS, options
from tests.simulations.cases import CASES
from tests.simulations.coverage import Row, covered, rho_covered
from tests.simulations.jackknifed import AUDITS, Jackknifed, Method, simulate
from tests.simulations.residual import RHO_CASES
from tests.simulations.shares import SHARES_CASES
from tests.simulations.sizes import SIZES, Size

COVERAGE_HEADER = (
    "interval",
    "setting",
    "runs",
    "truth",
    "its value",
    "90 % (below / above)",
    "95 % (below / above)",
    "±",
    "none",
    "",
)
T = TypeVar("T")
MANY_RUNS = 20
"""From so many runs on residual memory has AUDITS replicates: the jackknife of n runs makes
n (n - 1) / 2 fits."""
JACKKNIFE_HEADER = (
    "residual memory",
    "runs",
    "truth",
    "mean ρ (±)",
    "90 % before",
    "after",
    "passed before",
    "after",
    "refuted before",
    "after",
)
SIZE_HEADER = ("test", "setting", "runs", "wrong answer", "at most", "found", "±", "")


def table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, ["---"] * len(header), *lines))


def coverage_line(low: Row, high: Row) -> list[str]:
    """Both levels of a setting."""
    cells = [
        f"{r.covered:.3f} ({r.below:.3f} / {r.above:.3f})" + (f" **{r.verdict}**" if r.short else "")
        for r in (low, high)
    ]
    undefined = f"{low.undefined:.3f}" if low.undefined else ""
    note = "" if low.short else low.verdict
    names = [low.interval, low.setting, str(low.n), low.about]
    return [*names, f"{low.truth:.3f}", *cells, f"{low.error:.3f}", undefined, note]


def size_line(s: Size) -> list[str]:
    """One test in one setting."""
    numbers = [f"{s.nominal:g}", f"{s.found:.4f}", f"{s.error:.4f}"]
    return [s.test, s.setting, str(s.n), s.wrong, *numbers, "**ABOVE**" if s.above else ""]


def jackknife_line(row: Jackknifed) -> list[str]:
    """Before and after the jackknife, in one setting."""
    both = row.before, row.after
    covered = ["" if m.covered is None else f"{m.covered:.3f}" for m in both]
    wrong = [f"{m.passed:.3f}" for m in both] + [f"{m.refuted:.3f}" for m in both]
    mean = "" if row.mean is None else f"{row.mean:.3f} ({row.error:.3f})"
    return [row.setting, row.runs, f"{row.truth:.3f}", mean, *covered, *wrong]


def jackknifed(only: str, replicates: int) -> list[Jackknifed]:
    """All rows of residual memory with uneven shares whose setting holds `only`."""
    rows = []
    for case in SHARES_CASES:
        if only in f"jackknife {case.setting}":
            found = list(simulate(case, min(replicates, AUDITS)))
            print("\n".join(" | ".join(jackknife_line(row)) for row in found), flush=True)
            rows += found
    return rows


def printed(title: str, rows: list[Row]) -> list[Row]:
    """The rows, put on the terminal as they come."""
    texts = [
        f"{r.interval} {r.level:.0%} {r.covered:.3f}"
        f" ({r.below:.3f}/{r.above:.3f}){' SHORT' if r.short else ''}"
        for r in rows
    ]
    print(f"{title}: {'; '.join(texts)}", flush=True)
    return rows


def simulated(only: str, replicates: int) -> tuple[list[Row], list[Size]]:
    """All rows and sizes whose name or setting holds `only`."""
    rows: list[Row] = []
    sizes: list[Size] = []
    for case in CASES:
        if only in f"{case.interval} {case.setting}":
            rows += printed(f"{case.setting}, n = {case.n}", list(covered(case, replicates)))
    for rho_case in RHO_CASES:
        if only in f"residual memory {rho_case.setting}":
            coverage, wrong = rho_covered(rho_case, replicates if rho_case.n < MANY_RUNS else AUDITS)
            rows += printed(f"{rho_case.setting}, n = {rho_case.n}, share {rho_case.share:g}", coverage)
            sizes += wrong
    for name, size in SIZES:
        if only in f"size {name}":
            sizes += size(replicates)
    return rows, sizes


@dataclass(frozen=True)
class Found:
    """All rows of the benchmark."""

    coverage: Sequence[Row]
    sizes: Sequence[Size]
    jackknife: Sequence[Jackknifed]

    @property
    def text(self) -> str:
        """The tables."""
        levels = zip(self.coverage[::2], self.coverage[1::2], strict=True)
        tables = (
            (COVERAGE_HEADER, [coverage_line(low, high) for low, high in levels]),
            (SIZE_HEADER, [size_line(s) for s in self.sizes]),
            (JACKKNIFE_HEADER, [jackknife_line(row) for row in self.jackknife]),
        )
        return "\n\n".join(table(*one) for one in tables) + "\n"


def main() -> int:
    """Print the tables; 1 if anything is short."""
    parser = options(__doc__)
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--only", default="", help="intervals and tests whose name or setting holds this")
    parser.add_argument("--write", action="store_true", help="docs/coverage.md, and the rows as JSON")
    arguments = parser.parse_args()
    started = time.process_time()
    rows, sizes = simulated(arguments.only, arguments.replicates)
    found = Found(rows, sizes, jackknifed(arguments.only, arguments.replicates))
    seconds = time.process_time() - started
    print(f"\n{found.text}\n{arguments.replicates} replicates, {seconds:.0f} CPU seconds")
    if arguments.write:
        write(renewed(found) if arguments.only else found)
    return int(any(r.short for r in rows) or any(s.above for s in sizes))


def renewed(found: Found) -> Found:
    """The rows on file, those of settings that were simulated anew in their places."""
    plain = json.loads((RESULTS / "coverage.json").read_text())
    coverage = [Row(**{f.name: row[f.name] for f in fields(Row)}) for row in plain["coverage"]]
    sizes = [Size(**{f.name: row[f.name] for f in fields(Size)}) for row in plain["sizes"]]
    jackknife = [jackknifed_on_file(row) for row in plain.get("jackknife", ())]
    return Found(
        replaced(coverage, found.coverage, lambda r: (r.interval, r.setting, r.n)),
        # a setting of residual memory says where its truth was found to be
        replaced(sizes, found.sizes, lambda s: (s.test, s.setting.split(", truth")[0], s.n)),
        replaced(jackknife, found.jackknife, lambda j: j.setting),
    )


def replaced(old: Sequence[T], new: Sequence[T], setting: Callable[[T], object]) -> list[T]:
    """Rows, grouped by setting, with those of `new` for those of `old` in the same setting."""
    groups: dict[object, list[T]] = {}
    anew = {setting(row) for row in new}
    for row in (*(row for row in old if setting(row) not in anew), *new):
        groups.setdefault(setting(row), []).append(row)
    order = dict.fromkeys(setting(row) for row in (*old, *new))
    return [row for key in order for row in groups[key]]


def jackknifed_on_file(plain: Mapping[str, Any]) -> Jackknifed:
    """One line before and after the jackknife, as it was written."""
    methods = {side: Method(**plain[side]) for side in ("before", "after")}
    return Jackknifed(**{**plain, **methods})


def write(found: Found) -> None:
    """The rows as JSON; the tables between the marks of docs/coverage.md."""
    (RESULTS / "coverage.json").write_text(json.dumps(asdict(found), indent=1) + "\n")
    page = DOCS / "coverage.md"
    before, mark, _ = page.read_text().partition("<!-- tables -->\n")
    page.write_text(f"{before}{mark}\n{found.text}")


if __name__ == "__main__":
    raise SystemExit(main())
