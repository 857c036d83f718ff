"""The auditor audited over several worlds: every case of the gallery in each, the counts added up.

    python -m benchmarks.validity.calibration auditkit/claims/digits-fnn.toml --seeds 5 \\
        --galleries 1 --claims 20 --honest 50 --banks BANKS

Each seed is a world of its own: other records to forget, other runs. The first worlds have the
gallery, the others exact retraining alone. Prints one line a case, and writes
benchmarks/results/calibration-<name>.json. Banks are kept in BANKS, and used again where they are:
whoever has changed nothing but the decision trains nothing.
"""

import argparse
import dataclasses
from collections.abc import Mapping
from pathlib import Path

from auditkit.calibration import rates as r
from auditkit.calibration.calibrate import summed_up
from auditkit.calibration.gallery import EXACT_CASES, GALLERY, HONEST_CASES, LIMITS, GalleryCase
from auditkit.calibration.trials import trials
from auditkit.claims.claim import Claim
from auditkit.core.canonical import canonical
from auditkit.core.progress import ConsoleReporter
from auditkit.engine.resources import Resources
from auditkit.runs.bank import Bank, open_bank, save
from auditkit.runs.fill_bank import fill
from benchmarks.common import RESULTS, claim_in, claim_options


def bank_of(
    claim: Claim, folder: Path, kept: Path, given: Resources, entries: Mapping[str, GalleryCase]
) -> Bank:
    """The bank of one world: opened if it is there, else filled and kept."""
    if kept.exists():
        return open_bank(kept)
    gallery = {name: entry.claimed for name, entry in {**EXACT_CASES, **entries}.items()}
    bank = fill(claim, gallery, folder=folder, given=given, tell=ConsoleReporter())
    kept.parent.mkdir(parents=True, exist_ok=True)
    save(bank, kept)
    return bank


def chosen(names: str | None) -> dict[str, GalleryCase]:
    """The cases of these names, all if there are none."""
    every = {**HONEST_CASES, **GALLERY, **LIMITS}
    return every if names is None else {name: every[name] for name in names.split(";")}


def world(claim: Claim, bank: Bank, claims: int, honest: int, jobs: int) -> r.Calibration:
    """The table of one world. honest: how many claims of exact retraining are tried, claims: of
    every other case.
    """
    names = [name for name in (*HONEST_CASES, *GALLERY, *LIMITS) if name in bank.names]
    cases = {**dict.fromkeys(EXACT_CASES, honest), **dict.fromkeys(names, claims)}
    return summed_up(
        bank, claim, GALLERY, trials(bank, cases, claim.criteria, claim.runs.per_arm, claim.seed, jobs)
    )


def together(worlds: list[r.Calibration]) -> r.Calibration:
    """The tables of several worlds as one; a case need not have been tried in each."""
    names = dict.fromkeys(case.name for w in worlds for case in w.cases)
    rows = tuple(r.added([case for w in worlds for case in w.cases if case.name == name]) for name in names)
    answer, sentences = r.answered(rows, worlds[0].alpha)
    diverged = tuple(run for w in worlds for run in w.diverged)
    runs = {arm: sum(w.runs.get(arm, 0) for w in worlds) for arm in worlds[0].runs}
    return dataclasses.replace(
        worlds[0], cases=rows, answer=answer, sentences=sentences, diverged=diverged, runs=runs
    )


def line(case: r.CaseRates) -> str:
    """One case: outcomes, median residual memory, and in how many claims each kind of test refuted
    it.
    """
    caught = ", ".join(f"{times.test} {times.claims}" for times in case.caught_by if times.claims)
    rho = "   -  " if case.rho is None else f"{case.rho:+.3f}"
    return (
        f"{case.name:<26} {case.claims:>4} claims: {case.supported.claims:>4} supported,"
        f" {case.refuted.claims:>4} refuted [{case.refuted.low:.2f}, {case.refuted.high:.2f}],"
        f" {case.inconclusive.claims:>4} open, rho {rho}  {caught}"
    )


def arguments() -> argparse.Namespace:
    """The options of the command."""
    parser = claim_options(__doc__)
    parser.add_argument("--seeds", type=int, default=4, help="worlds")
    parser.add_argument("--claims", type=int, default=5, help="of each variant, in each world")
    parser.add_argument("--cases", help="of the gallery, their names with semicolons between; by default all")
    parser.add_argument("--galleries", type=int, default=4, help="worlds that have the gallery")
    parser.add_argument("--honest", type=int, default=50, help="claims of exact retraining, in each world")
    parser.add_argument("--banks", type=Path, required=True, help="where banks are kept")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--device", default="auto")
    return parser.parse_args()


def main() -> None:
    """Every world, then their sum."""
    options = arguments()
    stated = claim_in(options.claim, options.directory)
    resources = Resources(jobs=options.jobs, device=options.device)
    worlds = []
    for seed in range(options.seeds):
        claim = stated.model_copy(update={"seed": seed})
        kept = options.banks / f"{options.claim.stem}-{seed}.npz"
        cases = chosen(options.cases) if seed < options.galleries else {}
        bank = bank_of(claim, options.claim.parent, kept, resources, cases)
        worlds.append(world(claim, bank, options.claims, options.honest, options.jobs))
        print(f"seed {seed}: {worlds[-1].answer}. {' '.join(worlds[-1].sentences)}", flush=True)
    total = together(worlds)
    print("\n".join([*map(line, total.cases), *total.sentences]))
    (RESULTS / f"calibration-{options.claim.stem}.json").write_bytes(canonical(total))


if __name__ == "__main__":
    main()
