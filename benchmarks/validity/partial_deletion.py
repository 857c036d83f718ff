"""Residual memory against the share of forget records that was never removed, and the smallest
share refuted.

    python -m benchmarks.validity.partial_deletion auditkit/claims/digits-fnn.toml
    python -m benchmarks.validity.partial_deletion examples/fashion-mnist-fnn.toml --directory DIR

A claim with its data, model, training and criteria; "unlearning" retrains with a share of the
forget records left in, drawn once. Every share goes through `auditkit.calibration`: the same
decision as an audit's, on claims drawn from one bank of runs. Prints a table and adds it to
benchmarks/results/partial-deletion.json; docs/partial-deletion.svg is drawn from what is there.
"""

import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from auditkit.calibration import fakes_by_keeping as keeping
from auditkit.calibration.gallery import EXACT_CASES, GalleryCase
from auditkit.calibration.trials import Trial, trials
from auditkit.core.progress import ConsoleReporter
from auditkit.engine.plan import cores
from auditkit.engine.resources import Resources
from auditkit.runs.fill_bank import fill
from benchmarks.common import DOCS, RESULTS, claim_in, claim_options

SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

Row = dict[str, object]


def row(share: float, found: tuple[Trial, ...]) -> Row:
    """What came out for one share."""
    rho = [t.rho for t in found if t.rho is not None]
    tests: dict[str, int] = {}
    for trial in found:
        for test in trial.refuted_by:
            tests[str(test)] = tests.get(str(test), 0) + 1
    low, middle, high = np.quantile(rho, (0.05, 0.5, 0.95)) if rho else (None, None, None)
    return {
        "share": share,
        "claims": len(found),
        "refuted": sum(t.outcome == "not_supported" for t in found),
        "supported": sum(t.outcome == "supported" for t in found),
        "rho": middle,
        "rho_low": low,
        "rho_high": high,
        "refuted_by": tests,
    }


def table(rows: list[Row]) -> str:
    """The table."""
    lines = ["share kept   rho (5 % to 95 % of claims)   refuted  supported   most often by"]
    for r in rows:
        by = sorted(r["refuted_by"].items(), key=lambda pair: -pair[1])[:3]  # type: ignore[attr-defined]
        lines.append(
            f"{r['share']:>9.0%}   {r['rho']:+.3f} ({r['rho_low']:+.3f} to {r['rho_high']:+.3f})   "
            f"{r['refuted']:>4} of {r['claims']}  {r['supported']:>4} of {r['claims']}   "
            + ", ".join(f"{name} {count}" for name, count in by)
        )
    return "\n".join(lines)


def draw(results: dict[str, list[Row]], path: Path) -> None:
    """The figure: rho against the share kept, a line a data set, with the diagonal and the
    margin.
    """
    figure = Figure(figsize=(6.4, 4.2))
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=0.8, label="ρ = share")
    axes.axhspan(-0.2, 0.2, color="0.93", label="margin ±0.2")
    for (name, rows), marker in zip(sorted(results.items()), "os^Dv", strict=False):
        share = np.array([r["share"] for r in rows], dtype=float)
        rho, low, high = (np.array([r[k] for r in rows], dtype=float) for k in ("rho", "rho_low", "rho_high"))
        axes.errorbar(share, rho, [rho - low, high - rho], marker=marker, markersize=4, capsize=2, label=name)
    axes.set(xlabel="share of the forget records that was never removed", ylabel="residual memory ρ")
    axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")


def main() -> None:
    """Fill a bank, decide, print, draw."""
    parser = claim_options(__doc__)
    parser.add_argument("--claims", type=int, default=20)
    parser.add_argument("--jobs", type=int)
    options = parser.parse_args()
    claim = claim_in(options.claim, options.directory)
    kept = {f"{share:g} kept": GalleryCase(keeping.partly_deleted, {"share": share}) for share in SHARES}
    gallery = {name: case.claimed for name, case in (EXACT_CASES | kept).items()}
    resources, tell = Resources(jobs=options.jobs), ConsoleReporter()
    bank = fill(claim, gallery, folder=options.claim.parent, given=resources, tell=tell)
    cases = dict.fromkeys(gallery, options.claims)
    decided = trials(bank, cases, claim.criteria, claim.runs.per_arm, claim.seed, options.jobs or cores())
    rows = [row(share, decided[case]) for share, case in zip((0.0, *SHARES), cases, strict=True)]
    print(claim.data.source)
    print(table(rows))
    path = RESULTS / "partial-deletion.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    results[claim.data.source] = rows
    path.write_text(json.dumps(results, indent=1) + "\n")
    draw(results, DOCS / "partial-deletion.svg")


if __name__ == "__main__":
    main()
