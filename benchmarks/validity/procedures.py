"""Every procedure judged against retraining and against its placebo, on three data sets.

    python -m benchmarks.validity.procedures digits mnist fashion-mnist --seeds 3
    AUDITKIT_DATA=DIR python -m benchmarks.validity.procedures mnist

The claims are those of `auditkit reproduce fnn --size reduced` (table "procedures"), and that of
the built-in audit on digits, with claim seeds 5, 6, ...: 20 runs an arm, everything that an audit
asks by default. "Before" is the verdict, on the very same runs, where unlearned runs are compared
with retrained ones and no share of the records need be visible; "after" that of an audit as it is
now. Adds a row a procedure and seed to benchmarks/results/procedures.json, of which docs/fnn.md
speaks; what is there already is not computed again.
"""

import json
from collections.abc import Iterator
from dataclasses import replace

from auditkit.claims.claim import BUILT_IN, Claim
from auditkit.claims.read import read_claim
from auditkit.core.ids import RELEARNED, Jitter, residual_memory
from auditkit.core.progress import ConsoleReporter
from auditkit.engine.resources import Resources
from auditkit.evidence.schema import Decision, Findings, Ran
from auditkit.reproduction.audits import FADED, OTHERS, OURS, STATES, Procedures, audits
from auditkit.runs.bank import Bank, all_of
from auditkit.runs.fill_bank import fill
from auditkit.runs.stacks import UnlearnedArm
from auditkit.verdict import decide, decide_in_turn
from auditkit.verdict.controls import RHO
from auditkit.verdict.judging import blocking_findings, format_number, refuted_tests
from benchmarks.common import RESULTS, options

Row = dict[str, object]
FIRST_SEED = 5


def claim_and_procedures(source: str) -> tuple[Claim, Procedures]:
    """What is audited on a data set."""
    if source != "digits":
        audit = audits("reduced", source)["procedures"]
        return audit.claim, audit.procedures
    claim, _ = read_claim(BUILT_IN)
    faded = {key: by for key, by in {**FADED, **STATES}.items() if key == "FFR" or key.startswith("VFR rank")}
    return claim, {**OTHERS, **faded, **OURS}


def numbers(findings: Findings) -> dict[str, object]:
    """What stands in a row: memory as they are, at the largest radius, relearned."""
    largest = max(test.of.radius for test in findings if isinstance(test.of, Jitter))
    asked = {"exact": RHO, "near": residual_memory(Jitter(largest)), "relearned": residual_memory(RELEARNED)}
    found = {name: findings[test] for name, test in asked.items()}
    return {name: format_number(f) if isinstance(f, Ran) else f.reason for name, f in found.items()}


def told(decision: Decision) -> dict[str, object]:
    """A decision as a row has it."""
    return {
        **numbers(decision.findings),
        "verdict": decision.verdict.outcome,
        "refuted_by": [str(test) for test in refuted_tests(decision.findings)],
        "in_the_way": [str(finding.test) for finding in blocking_findings(decision.findings)],
        "controls": [control.name for control in decision.controls if not control.passed],
    }


def rows(bank: Bank, claim: Claim, names: Procedures) -> Iterator[Row]:
    """Every procedure, before and after."""
    for name in names:
        arms = all_of(bank, name)
        against_retrained = replace(arms, placebo=None, variant=None, stress=None)
        every = claim.criteria.model_copy(update={"visible": 0.0})
        before = decide(against_retrained, every, bank.test_records, claim.seed)
        after = decide_in_turn(arms, claim.criteria, bank.test_records, claim.seed)
        loss = float(arms.retrained.accuracy.mean() - arms.unlearned.accuracy.mean())
        yield {"procedure": name, "loss": loss, "before": told(before), "after": told(after)}


def line(source: str, seed: int, row: Row) -> str:
    """A row as it is printed."""
    before, after = row["before"], row["after"]
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    return (
        f"{source} {seed} {row['procedure']!s:30} before {before['exact']} {before['verdict']};"
        f" after {after['exact']}, near {after['near']}, relearned {after['relearned']}: {after['verdict']}"
    )


def main() -> None:
    """Fill, judge, print, add."""
    parser = options(__doc__, seeds=3)
    parser.add_argument("sources", nargs="+", choices=("digits", "mnist", "fashion-mnist"))
    parser.add_argument("--jobs", type=int)
    arguments = parser.parse_args()
    path = RESULTS / "procedures.json"
    for source in arguments.sources:
        claim, procedures = claim_and_procedures(source)
        gallery = {name: UnlearnedArm(procedure) for name, procedure in procedures.items()}
        for seed in range(FIRST_SEED, FIRST_SEED + arguments.seeds):
            results = json.loads(path.read_text()) if path.exists() else {}
            key, seeded = f"{source} {seed}", claim.model_copy(update={"seed": seed})
            if key not in results:
                given = Resources(jobs=arguments.jobs)
                bank = fill(seeded, gallery, given=given, tell=ConsoleReporter(), fold=1.0)
                results[key] = list(rows(bank, seeded, procedures))
                path.write_text(json.dumps(results, indent=1) + "\n")
            print("\n".join(line(source, seed, row) for row in results[key]), flush=True)


if __name__ == "__main__":
    main()
