"""Which estimator of residual memory needs the fewest runs? Judged on retrained against retrained
runs alone.

    OMP_NUM_THREADS=1 python -m research.estimators.compare --bank DIR --build [--mnist DIR]   # train, once, 12 CPU minutes
    OMP_NUM_THREADS=1 python -m research.estimators.compare --bank DIR --out research/estimators/results.json

Three tables. *Compared*: for every estimator of `estimators_table`, the SD of one run's rho
relative to the present one. Over SPLITS divisions of the bank the estimator is fitted to RUNS - 1
originals and as many retrained runs, and projects all others; the SD is that of the retrained ones
among these, over their distance from the originals. *Before and after*: rho of retrained runs
passed off as unlearned, cross-fitted, over disjoint arms of RUNS runs drawn from the bank.
*Invariance*: what must not move rho.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from auditkit.statistics.hypotheses import p_above, paired
from auditkit.statistics.margins import Margins
from auditkit.statistics.power import runs_for_power
from auditkit.statistics.residual import effective_records, memory, rho
from research.estimators.arms import (
    MEASURES,
    RUNS,
    SHARES,
    Measure,
    Rows,
    cross_fitted,
    drawn,
    invariance,
    mixed,
)
from research.estimators.bank import PLANS, Setting, build, settings
from research.estimators.table import AFTER, ESTIMATORS, Estimator

SPLITS, DRAWS = 12, 100
FLOOR = 0.02
"""SDs of a run below this are taken for it: three runs an arm, the least there is, decide then
anyway."""
GATE = 0.5
"""Settings count whose SD of a run is at most this with the present estimator; there is no memory
in the others."""
SHARE = 0.3
"""Of the way from retrained to original margins, for the response."""
MARGINS = (0.2, 0.1)


def held_out(O: Margins, R: Margins) -> Iterator[tuple[Margins, Margins, Margins, Margins]]:
    """(O, R) to fit to and (O, R) to project, SPLITS times."""
    rng = np.random.default_rng(0)
    for _ in range(SPLITS):
        o, r = rng.permutation(O.runs), rng.permutation(R.runs)
        yield O.take(o[: RUNS - 1]), R.take(r[: RUNS - 1]), O.take(o[RUNS - 1 :]), R.take(r[RUNS - 1 :])


def of_one_run(estimator: Estimator, setting: Setting) -> tuple[float, float]:
    """(SD, response): of rho of one retrained run, in the projection alone; and the rho of margins
    SHARE of the way to those of the originals."""
    arms = [setting.arms[arm][estimator.query] for arm in ("original", "retrained")]
    squares, distances, responses = [], [], []
    for O, R, O_left, R_left in held_out(*arms):
        terms = estimator.fit(O, R)
        base = terms(R_left).sum(axis=1)
        squares.append(base.var(ddof=1))
        distances.append(terms(O_left).sum(axis=1).mean() - base.mean())
        between = mixed(R_left, O_left, SHARE)
        responses.append(terms(between).sum(axis=1).mean() - base[: between.runs].mean())
    distance = float(np.mean(distances))
    if distance <= 0:
        return float("nan"), float("nan")
    return float(np.sqrt(np.mean(squares)) / distance), float(np.mean(responses) / distance)


def compared(bank: Sequence[Setting]) -> Rows:
    """One row an estimator: the SD of a run in each setting, and relative to the present
    estimator."""
    rows: Rows = []
    for name, estimator in ESTIMATORS.items():
        found = [of_one_run(estimator, setting) for setting in bank]
        rows.append({"estimator": name, "sd": [sd for sd, _ in found], "response": [r for _, r in found]})
        print(f"  {name}", flush=True)
    before = rows[0]
    counts = np.flatnonzero(np.array(before["sd"]) <= GATE)
    for row in rows:
        sd, response = (np.array(row[key])[counts] for key in ("sd", "response"))
        base, usual = (np.array(before[key])[counts] for key in ("sd", "response"))
        ratio = np.maximum(sd, FLOOR) / np.maximum(base, FLOOR)
        with np.errstate(divide="ignore"):
            for_response = np.where(response > 0, ratio * usual / response, np.inf)
        row["median"], row["worst"] = number(float(np.median(ratio))), number(float(np.max(ratio)))
        row["mean"], row["mean_for_response"] = (
            number(float(stats.gmean(ratio))),
            number(float(stats.gmean(for_response))),
        )
        row["by_data"] = {
            data: number(float(stats.gmean(ratio[[bank[int(k)].data == data for k in counts]])))
            for data in names(bank)
        }
    for row in rows:  # JSON has no NaN
        row["sd"], row["response"] = ([number(x) for x in row[key]] for key in ("sd", "response"))
    return rows


def number(x: float) -> float | None:
    """For JSON: None where an estimator finds no memory in some setting."""
    return float(x) if np.isfinite(x) else None


def names(bank: Sequence[Setting]) -> list[str]:
    """The data sets."""
    return list(dict.fromkeys(setting.data for setting in bank))


def null(measure: Measure, setting: Setting, draws: int) -> dict[str, float]:
    """Retrained runs passed off as unlearned. sd, mean: of rho over draws. rejected: how often the
    two-sided t-test of D = 0 has p <= .05. gate: how often G > 0 at level .05. records:
    effective."""
    arms = drawn(setting, 0)
    seen = [measure(*next(arms)) for _ in range(draws)]
    values = np.array([rho(one) for one in seen])
    level = [stats.ttest_1samp(one.D, 0).pvalue if one.D.std() > 0 else 1.0 for one in seen]
    return {
        "sd": float(values.std(ddof=1)),
        "mean": float(values.mean()),
        "rejected": float(np.mean(np.array(level) <= 0.05)),
        "gate": float(np.mean([p_above(*paired(one.G), 0) <= 0.05 for one in seen])),
        "records": float(np.median([effective_records(one) for one in seen])),
    }


def needed(sd: float) -> dict[str, int | None]:
    """margin -> runs an arm for residual memory to be found within it with probability 0.8, at
    level .05, if rho has this SD at RUNS runs."""
    one = max(sd, 1e-6) * np.sqrt(RUNS)
    return {f"{margin:g}": runs_for_power(one, margin, 0.05) for margin in MARGINS}


def before_and_after(bank: Sequence[Setting], draws: int) -> Rows:
    """One row a setting."""
    rows: Rows = []
    for setting in bank:
        row: dict[str, Any] = {"data": setting.data, "forget": setting.forget}
        row["records"] = setting.arms["original"]["exact"].forget.shape[1]
        for name, measure in MEASURES.items():
            found: dict[str, Any] = dict(null(measure, setting, draws))
            row[name] = found | {"runs": needed(found["sd"]) if found["gate"] >= 0.5 else None}
        rows.append(row)
        print(f"  {setting.name}", flush=True)
    return rows


def told(result: Mapping[str, Any]) -> Iterator[str]:
    """The result as Markdown tables."""
    data = list(result["compared"][0]["by_data"])
    yield "| estimator | median | worst | mean | " + " | ".join(data) + " | mean, for equal response |"
    yield "|---|" + "---|" * (4 + len(data))
    for row in result["compared"]:
        cells = [
            row["median"],
            row["worst"],
            row["mean"],
            *(row["by_data"][d] for d in data),
            row["mean_for_response"],
        ]
        yield (
            f"| {row['estimator']} | "
            + " | ".join("∞" if cell is None else f"{cell:.2f}" for cell in cells)
            + " |"
        )
    yield ""
    yield (
        "| data, forget set | records | effective | SD of ρ | mean ρ | runs for Δ = 0.2 | runs for Δ = 0.1 |"
    )
    yield "|---|" + "---|" * 6
    for row in result["before_and_after"]:
        sides = [row[name] for name in MEASURES]
        columns = [
            (
                [
                    f"{side['records']:.1f}",
                    f"{side['sd']:.4f}",
                    f"{side['mean']:+.3f}",
                    *map(str, side["runs"].values()),
                ]
                if side["runs"]
                else ["–"] * 5
            )
            for side in sides
        ]
        cells = [" → ".join(pair) for pair in zip(*columns, strict=True)]
        yield f"| {row['data']}, {row['forget']} | {row['records']} | " + " | ".join(cells) + " |"
    yield ""
    for name in MEASURES:
        level = [row[name]["rejected"] for row in result["before_and_after"] if row[name]["runs"]]
        yield f"{name}: p <= .05 in {np.mean(level):.3f} of draws, over {len(level)} settings"
    yield ""
    yield (
        "| data | | other originals | "
        + " | ".join(f"{share:g}" for share in SHARES)
        + " | honest by other recipes |"
    )
    yield "|---|---|---|" + "---|" * (len(SHARES) + 1)
    for row in result["invariance"]:
        for name in MEASURES:
            side = row[name]
            cells = [f"{side['other originals']:.2f}", *(f"{x:+.2f}" for x in side["interpolated"])]
            recipes = ", ".join(f"{value:+.2f}" for value in side["recipes"].values())
            yield f"| {row['data']} | {name} | " + " | ".join(cells) + f" | {recipes} |"


def main() -> None:
    """Train what is missing if asked to, else compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bank", type=Path, required=True)
    parser.add_argument("--build", action="store_true")
    parser.add_argument("--mnist", type=Path, help="directory of the IDX files")
    parser.add_argument("--data", nargs="+", default=list(PLANS), choices=list(PLANS))
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.build:
        for name in given.data:
            build(name, given.mnist if name == "mnist" else None, given.bank)
        return
    bank = list(settings(given.bank, given.data))
    ours, same = (one(*next(drawn(bank[0], 0))) for one in (memory, partial(cross_fitted, AFTER)))
    np.testing.assert_allclose(ours.D / ours.G.mean(), same.D / same.G.mean(), atol=1e-9)
    result = {
        "runs": RUNS,
        "settings": [setting.name for setting in bank],
        "compared": compared(bank),
        "before_and_after": before_and_after(bank, given.draws),
        "invariance": invariance(bank),
    }
    print("\n".join(told(result)))
    if given.out:
        given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
