"""Coverage of every interval that the evidence carries, and the size of every required test, where
the truth is known.

    python -m benchmarks.validity.coverage    # 2,000 replicates a line, about 30 CPU minutes
    python -m benchmarks.validity.coverage --only slope --replicates 500

Prints the tables of docs/coverage.md; with --write also writes them there, and the rows to
benchmarks/results/coverage.json. Exit code 1 if an interval that is claimed to hold is short of its
level by more than SLACK and three Monte-Carlo errors.

"Below" is how often the truth lay below the interval, "above" how often above it; either is half of
1 - level where the interval is exact. The simulations are those of tests/simulations/.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict

from benchmarks.common import DOCS, RESULTS, options
from tests.simulations.cases import CASES
from tests.simulations.coverage import Row, covered, rho_covered
from tests.simulations.jackknifed import AUDITS, Jackknifed, simulate
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
MANY_RUNS = 20
"""From so many runs on residual memory has AUDITS replicates: a jackknife of n runs is n (n - 1) / 2
fits."""
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


def main() -> int:
    """Print the tables; 1 if anything is short."""
    parser = options(__doc__)
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--only", default="", help="intervals and tests whose name or setting holds this")
    parser.add_argument("--write", action="store_true", help="docs/coverage.md, and the rows as JSON")
    arguments = parser.parse_args()
    started = time.process_time()
    rows, sizes = simulated(arguments.only, arguments.replicates)
    before_after = jackknifed(arguments.only, arguments.replicates)
    seconds = time.process_time() - started
    lines = [coverage_line(low, high) for low, high in zip(rows[::2], rows[1::2], strict=True)]
    tables = (
        (COVERAGE_HEADER, lines),
        (SIZE_HEADER, [size_line(s) for s in sizes]),
        (JACKKNIFE_HEADER, [jackknife_line(row) for row in before_after]),
    )
    text = "\n\n".join(table(*one) for one in tables) + "\n"
    print(f"\n{text}\n{arguments.replicates} replicates, {seconds:.0f} CPU seconds")
    if arguments.write:
        write(rows, sizes, before_after, text, arguments.replicates)
    return int(any(r.short for r in rows) or any(s.above for s in sizes))


def write(
    rows: Sequence[Row], sizes: Sequence[Size], before_after: Sequence[Jackknifed], text: str, replicates: int
) -> None:
    """The rows as JSON; the tables between the marks of docs/coverage.md."""
    plain = {
        "replicates": replicates,
        "coverage": [asdict(r) for r in rows],
        "sizes": [asdict(s) for s in sizes],
        "jackknife": [asdict(row) for row in before_after],
    }
    (RESULTS / "coverage.json").write_text(json.dumps(plain, indent=1) + "\n")
    page = DOCS / "coverage.md"
    before, mark, _ = page.read_text().partition("<!-- tables -->\n")
    page.write_text(f"{before}{mark}\n{text}")


if __name__ == "__main__":
    raise SystemExit(main())
