"""How often the lower bounds of epsilon are wrong, where the true epsilon is known.

    python -m benchmarks.validity.epsilon_nulls                  # 4,000 audits each, 2 minutes
    python -m benchmarks.validity.epsilon_nulls --audits 1000

A bound may be above the true epsilon in 5 % of audits; it fails if the exact 95 % interval of the
share of wrong ones lies above 5 %. Each bound rests on an assumption: on what breaks it, it is
shown and may be wrong. The last two rules are wrong on purpose; the table must show it. The
simulations are those of tests/simulations/epsilon_bounds.py.
"""

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.common import options
from tests.simulations.epsilon_bounds import ALPHA, DELTA, MECHANISMS, RECORDS, Outcome, outcomes


def table(title: str, results: dict[str, Outcome]) -> Table:
    """One row a bound."""
    truth = next(iter(results.values())).truth
    shown = Table(title=f"{title}: true epsilon {truth.epsilon:.3f} at delta {DELTA:g}", title_justify="left")
    shown.add_column("bound", min_width=36)
    for name in (
        "assumes",
        "P(bound > truth)",
        "95 % interval",
        "median",
        "95th pct",
        "max",
        "ceiling",
        "found",
    ):
        shown.add_column(name, justify="right")
    for name, outcome in results.items():
        wrong, e = outcome.wrong, outcome.epsilon
        verdict = "within 5 %" if outcome.passed else "ABOVE 5 %"
        shown.add_row(
            name,
            outcome.assumes,
            f"{wrong.value:.4f}",
            f"{wrong.low:.4f} - {wrong.high:.4f}",
            *(f"{x:.3f}" for x in (np.median(e), np.quantile(e, 0.95), e.max(), outcome.ceiling)),
            verdict if outcome.covered else f"{verdict} (not claimed)",
        )
    return shown


def main() -> int:
    """Print one table a mechanism; 1 if a bound is above 5 % where it claims to hold."""
    parser = options(__doc__)
    parser.add_argument("--audits", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    console = Console(width=160, highlight=False)
    console.print(f"{arguments.audits} audits of {RECORDS} records each, confidence {1 - ALPHA:.0%}")
    failed = False
    for title, truth in MECHANISMS.items():
        results = outcomes(truth, arguments.audits, arguments.seed)
        console.print(table(title, results))
        failed |= any(o.covered and not o.passed for o in results.values())
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
