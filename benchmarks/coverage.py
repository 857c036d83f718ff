"""Coverage of every interval that the evidence carries, and the size of every required test, where
the truth is known.

    python -m benchmarks.coverage                    # 2,000 replicates a line, six to seven CPU minutes
    python -m benchmarks.coverage --only slope --replicates 500

Prints the tables of docs/coverage.md; with --write also writes them there, and the rows to
benchmarks/results/coverage.json. Exit code 1 if an interval that is claimed to hold is short of its
level by more than SLACK and three Monte-Carlo errors.

Intervals are made by the functions that make those of evidence.json. "Below" is how often the truth
lay below the interval, "above" how often above it; either is half of 1 - level where the interval
is exact.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from auditkit.evidence.schema import Number
from benchmarks.coverage_cases import CASES, Case
from benchmarks.coverage_rho import RHO_CASES, RhoCase, seen
from benchmarks.coverage_sizes import SIZES, Size, residual_sizes

HERE = Path(__file__).resolve().parent
LEVELS = (0.9, 0.95)
SLACK = 0.02
"""A t-interval of values that are not normal is not exact: so much is let pass."""


@dataclass(frozen=True)
class Row:
    """One interval in one setting at one level. about: what its truth is. covered, below, above:
    shares of the replicates in which it is defined, the truth inside, below or above it. error:
    Monte-Carlo standard error of `covered`. undefined: the share in which there is no interval.
    width: median. truth: mean. claimed: whether the evidence claims to cover this truth."""

    interval: str
    setting: str
    n: int
    about: str
    level: float
    replicates: int
    covered: float
    below: float
    above: float
    error: float
    undefined: float
    width: float | None
    truth: float
    claimed: bool

    @property
    def short(self) -> bool:
        """Whether it covers less than it claims, beyond chance and SLACK."""
        return self.claimed and self.covered + 3 * self.error < self.level - SLACK

    @property
    def verdict(self) -> str:
        """In words."""
        if self.short:
            return "SHORT"
        if self.covered - 3 * self.error > self.level + SLACK:
            return "wide"
        return "" if self.claimed else "not claimed"


def rows_of(
    case: Case | RhoCase,
    numbers: Sequence[Sequence[Number]],
    truths: Sequence[float],
    interval: str,
    about: str,
) -> Iterator[Row]:
    """numbers: of each replicate, one a level. truths: of each replicate."""
    truth = np.array(truths)
    for level, found in zip(LEVELS, zip(*numbers, strict=True), strict=True):
        defined = np.array([x.value is not None and x.low is not None for x in found])
        low = np.array([x.low if x.low is not None else np.nan for x in found])[defined]
        high = np.array([x.high if x.high is not None else np.inf for x in found])[defined]
        # Limits that meet the truth but for rounding cover it.
        below, above = (np.mean(side) for side in (truth[defined] < low - 1e-9, truth[defined] > high + 1e-9))
        covered, k = float(1 - below - above), int(defined.sum())
        widths = (high - low)[np.isfinite(high)]
        yield Row(
            interval=interval, setting=case.setting, n=case.n, about=about, level=level, replicates=len(found),
            covered=covered, below=float(below), above=float(above),
            error=float(np.sqrt(max(covered * (1 - covered), 1 / k) / k)),
            undefined=float(1 - defined.mean()),
            width=float(np.median(widths)) if len(widths) else None,
            truth=float(truth.mean()), claimed=case.claimed,
        )  # fmt: skip


def alphas() -> list[float]:
    """The levels of one-sided tests, as the evidence makes its intervals from them: 1 - 2 alpha is
    covered."""
    return [(1 - level) / 2 for level in LEVELS]


def covered(case: Case, replicates: int) -> Iterator[Row]:
    """The rows of one case."""
    rng, sample = np.random.default_rng(1), case.sample()
    drawn = [sample(rng) for _ in range(replicates)]
    # A bound has one side, and all of alpha there.
    levels = [1 - level for level in LEVELS] if case.one_sided else alphas()
    numbers = [[at(alpha) for alpha in levels] for at, _ in drawn]
    yield from rows_of(case, numbers, [truth for _, truth in drawn], case.interval, case.about)


def rho_covered(case: RhoCase, replicates: int) -> tuple[list[Row], list[Size]]:
    """The rows of residual memory in one setting, of all forget records and of a class of them; and
    how often its test is wrong with the margin at the truth."""
    rows: list[Row] = []
    sizes: list[Size] = []
    for name, memories in seen(case, replicates).items():
        D, G = (np.sum([getattr(m, side).sum() for m in memories]) for side in ("D", "G"))
        truth = float(D / G)
        numbers = [[case.number(m, alpha) for alpha in alphas()] for m in memories]
        about = f"E[D] / E[G]; share left {case.share:g}"
        rows += rows_of(case, numbers, [truth] * replicates, f"residual memory, {name}", about)
        if abs(truth) > 0.05 and name == "all records":
            sizes += residual_sizes(case, memories, truth)
    return rows, sizes


def table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, ["---"] * len(header), *lines))


def coverage_table(rows: Sequence[Row]) -> str:
    """Both levels of a setting in one line."""
    lines = []
    for low, high in zip(rows[::2], rows[1::2], strict=True):
        cells = [
            f"{r.covered:.3f} ({r.below:.3f} / {r.above:.3f})" + (f" **{r.verdict}**" if r.short else "")
            for r in (low, high)
        ]
        note = low.verdict if low.verdict != "SHORT" else ""
        undefined = f"{low.undefined:.3f}" if low.undefined else ""
        truth = f"{low.truth:.3f}"
        lines.append(
            [
                low.interval,
                low.setting,
                str(low.n),
                low.about,
                truth,
                *cells,
                f"{low.error:.3f}",
                undefined,
                note,
            ]
        )
    header = [
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
    ]
    return table(header, lines)


def size_table(sizes: Sequence[Size]) -> str:
    """One line a test and setting."""
    lines = [
        [
            s.test,
            s.setting,
            str(s.n),
            s.wrong,
            f"{s.nominal:g}",
            f"{s.found:.4f}",
            f"{s.error:.4f}",
            "**ABOVE**" if s.above else "",
        ]
        for s in sizes
    ]
    return table(["test", "setting", "runs", "wrong answer", "at most", "found", "±", ""], lines)


def told(title: str, rows: list[Row]) -> list[Row]:
    """The rows, put on the terminal as they come."""
    shown = (
        f"{r.interval} {r.level:.0%} {r.covered:.3f}"
        f" ({r.below:.3f}/{r.above:.3f}){' SHORT' if r.short else ''}"
        for r in rows
    )
    print(f"{title}: {'; '.join(shown)}", flush=True)
    return rows


def main() -> int:
    """Print the tables; 1 if anything is short."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--only", default="", help="intervals and tests whose name or setting holds this")
    parser.add_argument(
        "--write", action="store_true", help="docs/coverage.md and benchmarks/results/coverage.json"
    )
    given = parser.parse_args()
    started = time.process_time()
    rows: list[Row] = []
    sizes: list[Size] = []
    for case in CASES:
        if given.only in f"{case.interval} {case.setting}":
            rows += told(f"{case.setting}, n = {case.n}", list(covered(case, given.replicates)))
    for rho_case in RHO_CASES:
        if given.only in f"residual memory {rho_case.setting}":
            found, wrong = rho_covered(rho_case, given.replicates)
            rows += told(f"{rho_case.setting}, n = {rho_case.n}, share {rho_case.share:g}", found)
            sizes += wrong
    for name, size in SIZES:
        if given.only in f"size {name}":
            sizes += size(given.replicates)
    seconds = time.process_time() - started
    text = f"{coverage_table(rows)}\n\n{size_table(sizes)}\n"
    print(f"\n{text}\n{given.replicates} replicates, {seconds:.0f} CPU seconds")
    if given.write:
        write(rows, sizes, text, given.replicates)
    return int(any(r.short for r in rows) or any(s.above for s in sizes))


def write(rows: Sequence[Row], sizes: Sequence[Size], text: str, replicates: int) -> None:
    """The rows as JSON; the tables between the marks of docs/coverage.md."""
    plain = {
        "replicates": replicates,
        "coverage": [asdict(r) for r in rows],
        "sizes": [asdict(s) for s in sizes],
    }
    (HERE / "results" / "coverage.json").write_text(json.dumps(plain, indent=1) + "\n")
    page = HERE.parent / "docs" / "coverage.md"
    before, mark, _ = page.read_text().partition("<!-- tables -->\n")
    page.write_text(f"{before}{mark}\n{text}")


if __name__ == "__main__":
    raise SystemExit(main())
