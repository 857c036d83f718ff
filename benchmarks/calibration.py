"""The auditor audited over several worlds: every case of the gallery in each, the counts added up.

    python -m benchmarks.calibration examples/digits-fnn.toml --seeds 4 --claims 5 --honest 50 --banks BANKS

Each seed is a world of its own: other records to forget, other runs. Prints one line a case, and writes
benchmarks/results/calibration-<name>.json. Banks are kept in BANKS, and used again where they are: whoever has changed
nothing but the decision trains nothing.
"""

import argparse
import dataclasses
from pathlib import Path

from auditkit.calibration import rates as r
from auditkit.calibration.bank import EXACT, Bank, open_bank, save
from auditkit.calibration.calibrate import summed_up
from auditkit.calibration.fill import fill
from auditkit.calibration.gallery import GALLERY, HONEST, LIMITS
from auditkit.calibration.trials import trials
from auditkit.claims import Claim, read_claim
from auditkit.engine.resources import Resources
from auditkit.evidence.canonical import canonical
from auditkit.progress import OnConsole

RESULTS = Path(__file__).parent / "results"


def bank_of(claim: Claim, folder: Path, kept: Path, given: Resources) -> Bank:
    """The bank of one world: opened if it is there, else filled and kept."""
    if kept.exists():
        return open_bank(kept)
    gallery = {name: entry.claimed for name, entry in {**HONEST, **GALLERY, **LIMITS}.items()}
    bank = fill(claim, gallery, folder=folder, given=given, tell=OnConsole())
    kept.parent.mkdir(parents=True, exist_ok=True)
    save(bank, kept)
    return bank


def world(claim: Claim, bank: Bank, claims: int, honest: int, jobs: int) -> r.Calibration:
    """The table of one world. honest: how many claims of exact retraining are tried, claims: of every other case."""
    names = [name for name in (*HONEST, *GALLERY, *LIMITS) if name in bank.names]
    cases = {EXACT: honest, **dict.fromkeys(names, claims)}
    return summed_up(
        bank, claim, GALLERY, trials(bank, cases, claim.criteria, claim.runs.per_arm, claim.seed, jobs)
    )


def together(worlds: list[r.Calibration]) -> r.Calibration:
    """The tables of several worlds as one."""
    rows = tuple(r.added(parts) for parts in zip(*(w.cases for w in worlds), strict=True))
    answer, sentences = r.answered(rows, worlds[0].alpha)
    diverged = tuple(run for w in worlds for run in w.diverged)
    runs = {arm: sum(w.runs[arm] for w in worlds) for arm in worlds[0].runs}
    return dataclasses.replace(
        worlds[0], cases=rows, answer=answer, sentences=sentences, diverged=diverged, runs=runs
    )


def line(case: r.CaseRates) -> str:
    """One case: outcomes, median residual memory, and in how many claims each kind of test refuted it."""
    caught = ", ".join(f"{times.test} {times.claims}" for times in case.caught_by if times.claims)
    rho = "   -  " if case.rho is None else f"{case.rho:+.3f}"
    return (
        f"{case.name:<26} {case.claims:>4} claims: {case.supported.claims:>4} supported, {case.refuted.claims:>4} refuted "
        f"[{case.refuted.low:.2f}, {case.refuted.high:.2f}], {case.inconclusive.claims:>4} open, rho {rho}  {caught}"
    )


def main() -> None:
    """Every world, then their sum."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("claim", type=Path)
    parser.add_argument("--seeds", type=int, default=4, help="worlds")
    parser.add_argument(
        "--claims", type=int, default=5, help="of each fake and honest variant, in each world"
    )
    parser.add_argument("--honest", type=int, default=50, help="claims of exact retraining, in each world")
    parser.add_argument("--banks", type=Path, required=True, help="where banks are kept")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()
    stated, problems = read_claim(given.claim)
    assert not problems, problems
    worlds = []
    for seed in range(given.seeds):
        claim = stated.model_copy(update={"seed": seed})
        kept = given.banks / f"{given.claim.stem}-{seed}.npz"
        bank = bank_of(claim, given.claim.parent, kept, Resources(jobs=given.jobs, device=given.device))
        worlds.append(world(claim, bank, given.claims, given.honest, given.jobs))
        print(f"seed {seed}: {worlds[-1].answer}. {' '.join(worlds[-1].sentences)}", flush=True)
    total = together(worlds)
    print("\n".join([*map(line, total.cases), *total.sentences]))
    (RESULTS / f"calibration-{given.claim.stem}.json").write_bytes(canonical(total))


if __name__ == "__main__":
    main()
