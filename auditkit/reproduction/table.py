"""Procedures side by side on one data set: accuracies, the paper's attack, cost, and the verdict of
an audit on each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from auditkit.attacks import loss
from auditkit.claims.claim import Claim, ProcedureClaim
from auditkit.core.canonical import digest
from auditkit.core.ids import HONEST, ORIGINAL, RETRAINED, ArmKey, placebo, unlearned
from auditkit.core.progress import Reporter
from auditkit.engine.plan import threads
from auditkit.engine.resources import Resources
from auditkit.evidence.numbers import accuracy_number, mean_number
from auditkit.evidence.schema import Number, Ran, Skipped
from auditkit.reports.method_page import METHOD
from auditkit.reproduction.cost import Cost, cost_of, cost_of_retraining
from auditkit.reproduction.paper_attack import AttackModel, attack_accuracy
from auditkit.reproduction.sentences import sentences
from auditkit.reproduction.values import Decided, Row, Table
from auditkit.runs.bank import Bank, all_of
from auditkit.runs.fill_bank import build_bank, measured_alike, open_session, stress_bank, widened
from auditkit.runs.stacks import UnlearnedArm
from auditkit.signals.measurements import Measured, accuracy
from auditkit.statistics.margins import Ints
from auditkit.study.study import Study, prepare
from auditkit.verdict import decide_in_turn, with_diverged
from auditkit.verdict.controls import RHO
from auditkit.verdict.judging import blocking_findings, refuted_tests

MEMORY = RHO.kind
"""The kind of the tests of residual memory."""


def table(
    name: str,
    claim: Claim,
    procedures: Mapping[str, ProcedureClaim],
    *,
    attack: AttackModel,
    given: Resources,
    tell: Reporter,
) -> Table:
    """Every procedure applied to the same originals, and judged as an audit of it would be: same
    sets, same retrained runs, same controls, same criteria, which are the claim's.

    Interrupted, the same call goes on where training was.

    Args:
        name: of the table.
        claim: everything but the procedure.
        procedures: what is compared, by the names of the rows.
        attack: how the paper's attack learns.
        given: what may be used of the machine.
        tell: hears how it goes.

    Returns:
        Rows for the original and the retrained arm, then one for each procedure.

    Raises:
        UsageError: where the claim cannot be put to the test.
    """
    claim = widened(claim, 1.0)
    study = prepare(claim, Path(), (), tell)
    gallery = {key: UnlearnedArm(procedure) for key, procedure in procedures.items()}
    about = {
        "claim": claim.model_dump(mode="json"),
        "gallery": {k: p.model_dump() for k, p in procedures.items()},
    }
    session = open_session(study, given, digest(about), tell)
    rows: dict[str, Row] = {}
    retrainings: list[Cost] = []
    diverged: dict[str, None] = {}
    for measured, names in measured_alike(session, gallery):
        tell.say(f"judging {len(names)} procedures ...")
        answers = _Answers(measured, claim.criteria.alpha, attack)
        bank = build_bank(measured, claim.criteria.attacks, names, about)
        if claim.runs.stress:
            some = {key: gallery[key] for key in names}
            bank = replace(bank, stress=stress_bank(session, measured.interface, some, about))
        jobs = session.workers.jobs or 1
        verdicts = judged(study, procedures, bank, names, measured.diverged, jobs)
        for arm in (ORIGINAL, RETRAINED):
            rows.setdefault(str(arm), answers.row(str(arm), arm))
        rows |= {key: _judged_row(answers, key, procedures[key], verdicts[key]) for key in names}
        retrainings += [verdicts[key][2] for key in names]
        diverged |= dict.fromkeys(measured.diverged)
    seconds = float(np.median([spent.seconds for spent in retrainings]))
    ordered = tuple(rows[key] for key in (str(ORIGINAL), str(RETRAINED), *procedures))
    made = Table(name, study.data.name, _without_procedure(claim), attack, seconds, tuple(diverged), ordered)
    return replace(made, says=sentences(made))


def _judged_row(answers: "_Answers", key: str, procedure: ProcedureClaim, judgement: "Judged") -> Row:
    """The row of a procedure: its cost is a share of what retraining costs."""
    verdict, spent, retraining = judgement
    cost = (spent.flops / retraining.flops, spent.seconds / retraining.seconds)
    return answers.row(key, unlearned(key), procedure, cost, verdict)


def _without_procedure(claim: Claim) -> dict[str, object]:
    """What a table says of its claim; which records were forgotten would fill pages."""
    left_out: Any = {"procedure": True, "privacy": True, "forget": {"ids"}}
    said: dict[str, object] = claim.model_dump(mode="json", exclude=left_out, exclude_none=True)
    return said


Judged = tuple[Decided, Cost, Cost]
"""What an audit of a case says, what the procedure costs, and what retraining cost where that was
measured."""


def judged(
    study: Study,
    procedures: Mapping[str, ProcedureClaim],
    bank: Bank,
    names: Sequence[str],
    diverged: Sequence[str],
    jobs: int,
) -> dict[str, Judged]:
    """Each case, judged. Nothing but the seconds depends on `jobs`, the number of processes."""
    parts = [names[k::jobs] for k in range(min(jobs, len(names)))]
    found = Parallel(n_jobs=max(1, len(parts)))(
        delayed(_some)(
            study,
            {key: procedures[key] for key in part},
            _only(bank, part),
            diverged,
        )
        for part in parts
    )
    return {key: said for part in found for key, said in part.items()}


def _only(bank: Bank, names: Sequence[str]) -> Bank:
    """The bank with these cases alone, in either world."""
    stress = bank.stress and _only(bank.stress, names)
    return replace(bank, cases={key: bank.cases[key] for key in names}, stress=stress)


def _some(
    study: Study, procedures: Mapping[str, ProcedureClaim], bank: Bank, diverged: Sequence[str]
) -> dict[str, Judged]:
    with threads(1):
        retraining = cost_of_retraining(study)  # beside the procedures, as another process may slow both down
        return {
            key: (
                decided(bank, key, study.claim, concerning(diverged, key)),
                cost_of(study, procedure),
                retraining,
            )
            for key, procedure in procedures.items()
        }


def decided(bank: Bank, case: str, claim: Claim, diverged: Sequence[str]) -> Decided:
    """What an audit of this case says, on all runs of the bank."""
    arms = all_of(bank, case)
    decision = with_diverged(decide_in_turn(arms, claim.criteria, bank.test_records, claim.seed), diverged)
    findings, verdict = decision.findings, decision.verdict
    wrong = [f"control: {control.name}" for control in decision.controls if not control.passed]
    return Decided(
        verdict.outcome,
        verdict.sentence,
        {str(test.of): _number(f) for test, f in findings.items() if test.kind == MEMORY},
        tuple(map(str, refuted_tests(findings))),
        (*wrong, *(str(f.test) for f in blocking_findings(findings))),
    )


def concerning(diverged: Sequence[str], case: str) -> list[str]:
    """Of the runs that diverged those that are compared in this case: what became of other cases
    says nothing of it."""
    compared = tuple(f"{arm} run" for arm in (ORIGINAL, RETRAINED, HONEST, unlearned(case), placebo(case)))
    return [run for run in diverged if run.startswith(compared)]


def _number(finding: Ran | Skipped) -> Number:
    if isinstance(finding, Ran):
        return finding.number
    return Number(None, None, None, None, 0, 0, finding.reason, METHOD)


@dataclass(frozen=True, eq=False)
class _Answers:
    """What every arm answered, through one interface. alpha: intervals are of level 1 - 2 alpha.
    attack: how the paper's attack learns."""

    measured: Measured
    alpha: float
    attack: AttackModel

    def row(
        self,
        name: str,
        arm: ArmKey,
        procedure: ProcedureClaim | None = None,
        shares: tuple[float, float] = (1.0, 1.0),
        decided: Decided | None = None,
    ) -> Row:
        """The row of an arm. shares: of retraining, in operations and in seconds."""
        sets = self.measured.sets
        return Row(
            name,
            procedure.name if procedure else "",
            procedure.options if procedure else {},
            len(self.measured.signals.runs_of(arm)),
            self._accuracy(arm, sets.retain),
            self._accuracy(arm, sets.forget),
            self._accuracy(arm, sets.test),
            self._attack(arm),
            *shares,
            decided,
        )

    def _accuracy(self, arm: ArmKey, records: Ints) -> Number:
        values = accuracy(self.measured.signals, arm, records)
        return accuracy_number(values, len(records), self.alpha, "accuracy")

    def _attack(self, arm: ArmKey) -> Number:
        """The paper's attack on each run: forget records are its members, equally many control
        records are not."""
        signals, sets = self.measured.signals, self.measured.sets
        forget, control = sets.forget, sets.control
        n = min(len(forget), len(control))
        losses = (-loss.score(signals, int(run)) for run in signals.runs_of(arm))
        values = [attack_accuracy(of_run[forget[:n]], of_run[control[:n]], self.attack) for of_run in losses]
        return mean_number(np.array(values), 2 * n, self.alpha, "accuracy of the paper's attack")
