"""Claims put on trial: each is drawn from a bank and decided by the very function that decides an
audit, which is told nothing but the arms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from joblib import Parallel, delayed

from auditkit.claims.criteria import Criteria
from auditkit.core.ids import TestId
from auditkit.evidence.schema import Decision, Outcome, Ran
from auditkit.runs.bank import Bank, draw
from auditkit.signals.arms import Arm
from auditkit.verdict import decide_in_turn
from auditkit.verdict.controls import RHO
from auditkit.verdict.judging import blocking_findings, refuted_tests


@dataclass(frozen=True)
class Trial:
    """What came out for one claim. refuted_by: the tests that refute it. in_the_way: the tests that
    refute nothing and yet stand in the way of support, and controls that came out wrong. rho:
    residual memory on the forget records themselves, None where it could not be measured."""

    outcome: Outcome
    refuted_by: tuple[TestId, ...]
    in_the_way: tuple[str, ...]
    rho: float | None


def trial(bank: Bank, case: str, criteria: Criteria, runs: int, seed: int, k: int) -> Trial:
    """Claim k of a case, decided as an audit does."""
    arms = draw(bank, case, runs, seed, k)
    return trial_result(decide_in_turn(arms, criteria, bank.test_records, seed + k))


def trial_result(decision: Decision) -> Trial:
    """What matters of a decision."""
    findings, rho = decision.findings, decision.findings[RHO]
    failed = [f"control: {control.name}" for control in decision.controls if not control.passed]
    return Trial(
        outcome=decision.verdict.outcome,
        refuted_by=tuple(refuted_tests(findings)),
        in_the_way=(*failed, *(str(f.test) for f in blocking_findings(findings))),
        rho=rho.number.value if isinstance(rho, Ran) else None,
    )


def trials(
    bank: Bank, cases: Mapping[str, int], criteria: Criteria, runs: int, seed: int, jobs: int = 1
) -> dict[str, tuple[Trial, ...]]:
    """case -> its trials. cases: case -> how many claims of it are tried. The result does not
    depend on `jobs`, the number of processes."""
    most = max(cases.values())
    # Of every case the claims with one number share arms: a process gets whole numbers.
    numbers = [range(first, most, jobs) for first in range(min(jobs, most))]
    parts = Parallel(n_jobs=jobs)(delayed(_some)(bank, cases, criteria, runs, seed, own) for own in numbers)
    found = {key: one for part in parts for key, one in part.items()}
    return {case: tuple(found[case, k] for k in range(claims)) for case, claims in cases.items()}


def _arms(bank: Bank) -> list[Arm]:
    """The arms of all cases."""
    return [arm for case in bank.cases.values() for arm in (case.arm, case.placebo)]


def _some(
    bank: Bank, cases: Mapping[str, int], criteria: Criteria, runs: int, seed: int, numbers: Sequence[int]
) -> dict[tuple[str, int], Trial]:
    for one in {bank, *bank.apart.values()}:
        for arm in (one.original, one.retrained, one.honest, *_arms(one)):
            for scores in arm.scores.values():  # once for every run, and not for every claim that it is in
                scores.auc(), scores.placements()
    return {
        (case, k): trial(bank, case, criteria, runs, seed, k)
        for k in numbers
        for case, claims in cases.items()
        if k < claims
    }
