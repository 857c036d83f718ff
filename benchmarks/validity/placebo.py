"""Unlearned against retrained and against the placebo: what of a number is memory, and what drift.

    python -m benchmarks.validity.placebo auditkit/claims/digits-fnn.toml
    python -m benchmarks.validity.placebo examples/mnist-fnn.toml --directory DIR --runs 12
    python -m benchmarks.validity.placebo auditkit/claims/digits-fnn.toml --stand-ins 20

Every honest recipe of the gallery, a no-op and the procedures, each applied to originals and to
retrained runs. Prints, for each way to ask: rho of the unlearned runs against retrained ones, rho
against the placebo with its standard error, and rho of the placebo itself against retrained ones,
which is drift alone; then how many runs an arm support takes at margins of .1 and .2, from the
spread of exact retraining. With --write the tables go into benchmarks/results/placebo.json, of
which docs/placebo.md speaks.
"""

import argparse
import json
from collections.abc import Iterator
from functools import cached_property

import numpy as np

from auditkit.calibration.honest_recipes import EXACT_CASES, HONEST_CASES
from auditkit.claims.claim import Claim, ProcedureClaim
from auditkit.core.ids import EXACT, RELEARNED, Jitter, Query
from auditkit.core.progress import ConsoleReporter
from auditkit.engine.resources import Resources
from auditkit.runs.bank import Bank
from auditkit.runs.fill_bank import fill
from auditkit.runs.stacks import UnlearnedArm
from auditkit.signals.arms import Arms, common_queries
from auditkit.statistics.power import runs_for_power
from auditkit.statistics.residual import record_error, rho, rho_error
from auditkit.study.study import Study
from auditkit.unlearning import UNLEARNERS
from benchmarks.common import RESULTS, claim_in, claim_options

Row = dict[str, object]
MARGINS = (0.1, 0.2)


def gallery(claim: Claim) -> dict[str, UnlearnedArm]:
    """The honest recipes, and every procedure that this model allows."""
    honest = {name: case.claimed for name, case in {**EXACT_CASES, **HONEST_CASES}.items()}
    own = claim.model.name.startswith("auditkit.unlearning.sisa")
    names = ["noop", "sisa"] if own else [name for name in UNLEARNERS if name not in ("sisa", "retrain")]
    return honest | {name: UnlearnedArm(ProcedureClaim(name=name)) for name in names}


def arms_of(bank: Bank, name: str) -> Arms:
    """All runs of a case."""
    bank = bank.of(name)
    case = bank.cases[name]
    O, U, R, H, P = common_queries(bank.original, case.arm, bank.retrained, bank.honest, case.placebo)
    return Arms(O, U, R, H, {}, bank.parts, P)


def row(name: str, arms: Arms, query: Query) -> Row:
    """One case, asked in one way."""
    assert arms.placebo is not None
    placebo = arms.memory(query)
    return {
        "case": name,
        "query": str(query),
        "against_retrained": rho(arms.claiming(arms.unlearned).memory(query)),
        "against_placebo": rho(placebo),
        "error": rho_error(placebo),
        "over_records": record_error(placebo),
        "drift": rho(arms.claiming(arms.placebo).memory(query)),
        "sd_of_a_run": rho_error(placebo) * np.sqrt(len(arms.retrained.accuracy)),
    }


def rows(bank: Bank) -> Iterator[Row]:
    """All cases, asked as they are, at the largest radius, and relearned."""
    for name in bank.names:
        arms = arms_of(bank, name)
        jitters: list[Query] = [query for query in arms.original.margins if isinstance(query, Jitter)]
        queries: list[Query] = [EXACT, *jitters[-1:], RELEARNED]
        for query in queries:
            if query in arms.original.margins and query in arms.unlearned.margins:
                yield row(name, arms, query)


def line(r: Row) -> str:
    """A row as it is printed."""
    values = " ".join(f"{r[k]:+8.3f}" for k in ("against_retrained", "against_placebo", "drift"))
    return (
        f"{r['case']!s:26} {r['query']!s:10} {values}   ±{r['error']:.3f} (records ±{r['over_records']:.3f})"
    )


def needed(found: list[Row]) -> dict[str, int | None]:
    """Runs an arm with which exact retraining is supported in four of five audits, by the way to
    ask that takes most: margin -> runs."""
    sds = [float(str(r["sd_of_a_run"])) for r in found if r["case"] in EXACT_CASES]
    return {f"{margin:g}": runs_for_power(max(sds), margin, 0.05) for margin in MARGINS} if sds else {}


def with_fewer_stand_ins(most: int) -> None:
    """Have every study of this process ask the placebo to forget so many records at most."""
    drawn = Study.__dict__["stand_ins"].func

    def fewer(study: Study) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.sort(np.random.default_rng(1).permutation(drawn(study))[:most])

    patched = cached_property(fewer)
    patched.__set_name__(Study, "stand_ins")
    Study.stand_ins = patched  # type: ignore[method-assign, assignment]


def arguments() -> argparse.Namespace:
    """The options of the command line."""
    parser = claim_options(__doc__)
    parser.add_argument("--runs", type=int, default=16, help="an arm")
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--stand-ins", type=int, help="at most so many; by default as many as are forgotten")
    parser.add_argument("--write", action="store_true", help="benchmarks/results/placebo.json")
    return parser.parse_args()


def main() -> None:
    """Fill a bank, print, write."""
    options = arguments()
    if options.stand_ins is not None:
        with_fewer_stand_ins(options.stand_ins)
    claim = claim_in(options.claim, options.directory)
    claim = about_memory(claim, options.runs)
    bank = fill(
        claim,
        gallery(claim),
        folder=options.claim.parent,
        given=Resources(jobs=options.jobs),
        tell=ConsoleReporter(),
        fold=1.0,
    )
    found = list(rows(bank))
    print(f"{claim.data.source}, {options.runs} runs an arm: rho against retrained, against placebo, drift")
    print("\n".join(map(line, found)))
    print(f"runs an arm for exact retraining, by margin: {needed(found)}")
    if options.write:
        path = RESULTS / "placebo.json"
        results = json.loads(path.read_text()) if path.exists() else {}
        results[claim.data.source] = {"rows": found, "needed": needed(found), "runs": options.runs}
        path.write_text(json.dumps(results, indent=1) + "\n")


def about_memory(claim: Claim, per_arm: int) -> Claim:
    """The claim with so many runs, and the cheapest attack alone: this is about memory."""
    criteria = claim.criteria.model_copy(update={"attacks": ("loss",), "reported": ()})
    runs = claim.runs.model_copy(update={"per_arm": per_arm, "shadow": 0, "stress": False})
    return claim.model_copy(update={"criteria": criteria, "runs": runs})


if __name__ == "__main__":
    main()
