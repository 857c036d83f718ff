"""Procedures side by side on one data set: accuracies, the paper's attack, cost, and the verdict of
an audit on each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from auditkit.attacks import loss
from auditkit.claims.claim import Claim, Criteria, ProcedureClaim
from auditkit.core.canonical import digest
from auditkit.core.progress import Reporter
from auditkit.engine.cost import Resources
from auditkit.engine.plan import threads
from auditkit.engine.queue import WorkerConfig
from auditkit.evidence.numbers import accuracy_number, mean_number
from auditkit.evidence.schema import Number, Ran, Skipped
from auditkit.reproduction.cost import Cost, cost_of, cost_of_retraining
from auditkit.reproduction.paper_attack import AttackModel, attack_accuracy
from auditkit.reproduction.sentences import sentences
from auditkit.reproduction.values import Decided, Row, Table
from auditkit.runs.assemble import set_indices, signals_of
from auditkit.runs.bank import Bank, common_queries
from auditkit.runs.collect import RunAnswers
from auditkit.runs.fill_bank import bank_of, collected_alike, widened
from auditkit.runs.queries import build_queries
from auditkit.runs.stacks import UnlearnedArm
from auditkit.signals.measurements import SetIndices, accuracy, group_records
from auditkit.signals.signals import Signals
from auditkit.statistics.arms import Arms
from auditkit.statistics.margins import Ints
from auditkit.study.planning import plan_for
from auditkit.study.study import Study, prepare
from auditkit.verdict import decide, with_diverged
from auditkit.verdict.decision import blocking_reason

MEMORY = "residual memory, "
"""What the names of the tests of residual memory begin with."""


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
    plan, jobs = plan_for(study, given, None, tell)
    workers = WorkerConfig(jobs, plan.threads, given.backend, given.address)
    asked = build_queries(study)
    gallery = {key: UnlearnedArm(procedure) for key, procedure in procedures.items()}
    about = {
        "claim": claim.model_dump(mode="json"),
        "gallery": {k: p.model_dump() for k, p in procedures.items()},
    }
    parts = group_records(study.data.y[study.sets.forget], study.data.groups[study.sets.forget])
    rows: dict[str, Row] = {}
    retrainings: list[Cost] = []
    diverged: dict[str, None] = {}
    for answers, names in collected_alike(study, asked, gallery, plan, workers, digest(about), tell):
        tell.say(f"judging {len(names)} procedures ...")
        signals = signals_of(study, asked, answers)
        arm = _Asked(signals, set_indices(study, signals), answers, claim.criteria, attack)
        bank = bank_of(signals, answers, arm.places, parts, claim, names, about)
        verdicts = judged(study, procedures, bank, names, answers.diverged, jobs)
        for key in ("original", "retrained"):
            rows.setdefault(key, arm.row(key, key))
        rows |= {key: _judged_row(arm, key, procedures[key], verdicts[key]) for key in names}
        retrainings += [verdicts[key][2] for key in names]
        diverged |= dict.fromkeys(answers.diverged)
    seconds = float(np.median([spent.seconds for spent in retrainings]))
    ordered = tuple(rows[key] for key in ("original", "retrained", *procedures))
    made = Table(name, study.data.name, _without_procedure(claim), attack, seconds, tuple(diverged), ordered)
    return replace(made, says=sentences(made))


def _judged_row(arm: "_Asked", key: str, procedure: ProcedureClaim, judgement: "Judged") -> Row:
    """The row of a procedure: its cost is a share of what retraining costs."""
    verdict, spent, retraining = judgement
    cost = (spent.flops / retraining.flops, spent.seconds / retraining.seconds)
    return arm.row(key, f"unlearned, {key}", procedure, cost, verdict)


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
            replace(bank, cases={key: bank.cases[key] for key in part}),
            diverged,
        )
        for part in parts
    )
    return {key: said for part in found for key, said in part.items()}


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
    """What an audit of this case says: on the bank's originals, and on its retrained runs in their
    order, the first half as those that are compared with, the other as the honest control."""
    runs = len(bank.original.accuracy)
    first, second = np.split(np.arange(2 * runs), 2)
    own = bank.cases[case]
    O, U, R, H = common_queries(bank.original, own.arm, bank.pool.take(first), bank.pool.take(second))
    arms = Arms(O, U, R, H, {**bank.skipped, **own.skipped}, bank.parts)
    findings, controls, verdict = with_diverged(
        decide(arms, claim.criteria, bank.test_records, claim.seed), diverged
    )
    wrong = [f"control: {control.name}" for control in controls if not control.passed]
    return Decided(
        verdict.outcome,
        verdict.sentence,
        {f.name.removeprefix(MEMORY): _number(f) for f in findings if f.name.startswith(MEMORY)},
        tuple(f.name for f in findings if isinstance(f, Ran) and f.result == "refuted"),
        (*wrong, *(f.name for f in findings if blocking_reason(f))),
    )


def concerning(diverged: Sequence[str], case: str) -> list[str]:
    """Of the runs that diverged those that are compared in this case: what became of other cases
    says nothing of it."""
    compared = ("original run", "retrained run", "honest run", f"unlearned, {case} run")
    return [run for run in diverged if run.startswith(compared)]


def _number(finding: Ran | Skipped) -> Number:
    if isinstance(finding, Ran):
        return finding.number
    return Number(None, None, None, None, 0, 0, finding.reason, "docs/method.md")


@dataclass(frozen=True, eq=False)
class _Asked:
    """What every arm answered, through one interface."""

    signals: Signals
    places: SetIndices
    found: RunAnswers
    criteria: Criteria
    attack: AttackModel

    def row(
        self,
        name: str,
        arm: str,
        procedure: ProcedureClaim | None = None,
        shares: tuple[float, float] = (1.0, 1.0),
        found: Decided | None = None,
    ) -> Row:
        """The row of an arm. shares: of retraining, in operations and in seconds."""
        return Row(
            name,
            procedure.name if procedure else "",
            procedure.options if procedure else {},
            len(self.signals.runs_of(arm)),
            self._accuracy(arm, self.places.retain),
            self._accuracy(arm, self.places.forget),
            self._accuracy(arm, self.places.test),
            self._attack(arm),
            *shares,
            found,
        )

    def _accuracy(self, arm: str, records: Ints) -> Number:
        values = accuracy(self.signals, arm, records)
        return accuracy_number(values, len(records), self.criteria.alpha, "accuracy")

    def _attack(self, arm: str) -> Number:
        """The paper's attack on each run: forget records are its members, equally many control
        records are not."""
        forget, control = self.places.forget, self.places.control
        n = min(len(forget), len(control))
        losses = (-loss.score(self.signals, int(run)) for run in self.signals.runs_of(arm))
        values = np.array([attack_accuracy(own[forget[:n]], own[control[:n]], self.attack) for own in losses])
        return mean_number(values, 2 * n, self.criteria.alpha, "accuracy of the paper's attack")
