"""A bank filled: the runs of one study and of a gallery, trained, asked and attacked by the code of
an audit."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from auditkit.attacks.battery import run_battery
from auditkit.claims.claim import Claim, ProcedureClaim
from auditkit.claims.required import required_tests
from auditkit.core.canonical import digest
from auditkit.core.errors import UsageError
from auditkit.core.progress import Reporter
from auditkit.engine.cost import Resources
from auditkit.engine.plan import Plan
from auditkit.engine.queue import WorkerConfig
from auditkit.runs.assemble import set_indices, signals_of
from auditkit.runs.bank import Bank, Case, joined
from auditkit.runs.collect import RunAnswers, train_and_query
from auditkit.runs.queries import QueryPlan, build_queries
from auditkit.runs.stacks import UnlearnedArm
from auditkit.signals.interface import NOTHING, Interface
from auditkit.signals.measurements import SetIndices, build_arm, group_records
from auditkit.signals.signals import Signals
from auditkit.statistics.arms import Arm, Scores
from auditkit.statistics.margins import Ints
from auditkit.study.planning import plan_for
from auditkit.study.study import Study, prepare

FOLD = 1.6
"""Runs of a bank for each run an arm of a claim: 1.6 n originals, and twice as many retrained ones,
of which an honest claim draws 3n."""
NOOP = ProcedureClaim(name="noop")


def fill(
    claim: Claim,
    gallery: Mapping[str, UnlearnedArm],
    *,
    folder: Path = Path(),
    problems: Sequence[str] = (),
    given: Resources,
    tell: Reporter,
    fold: float = FOLD,
) -> Bank:
    """The bank of a claim's study: its model, its data, its training; `fold` times as many runs as
    it has.

    gallery: the cases, name -> how they are made from the originals. Its own procedure plays no
    part but to be checked. Raises UsageError with every problem before anything is trained.
    """
    if claim.kind != "procedure":
        raise UsageError(
            *problems,
            "calibrate is about procedures, found a claim about"
            f" {'a released model' if claim.release else 'answers'}; leave that part out",
        )
    prepare(claim, folder, problems, tell)
    study = prepare(widened(claim, fold), folder, (), tell)
    plan, jobs = plan_for(study, given, None, tell)
    workers = WorkerConfig(jobs, plan.threads, given.backend, given.address)
    asked = build_queries(study)
    about: dict[str, object] = {
        "data": {"name": study.data.name, "commitment": study.data.commitment()},
        "claim": claim.model_dump(
            mode="json", exclude={"forget": {"ids"}, "procedure": True}, exclude_none=True
        ),
        "gallery": {name: made.procedure.model_dump(mode="json") for name, made in gallery.items()},
    }

    banks: list[tuple[Bank, Sequence[str]]] = []
    for found, names in collected_alike(study, asked, gallery, plan, workers, digest(about), tell):
        tell.say("attacking every run ...")
        signals = signals_of(study, asked, found)
        parts = group_records(study.data.y[study.sets.forget], study.data.groups[study.sets.forget])
        told = {**about, "diverged": list(found.diverged)}
        banks.append((bank_of(signals, found, set_indices(study, signals), parts, claim, names, told), names))
    (bank, _), *others = banks
    return replace(bank, apart={name: other for other, names in others for name in names})


def collected_alike(
    study: Study,
    asked: QueryPlan,
    gallery: Mapping[str, UnlearnedArm],
    plan: Plan,
    workers: WorkerConfig,
    key: str,
    tell: Reporter,
) -> Iterator[tuple[RunAnswers, Sequence[str]]]:
    """The answers of every arm, with the cases whose models withhold nothing; then, for those that
    withhold something, every arm asked again through the same interface. key: see
    `train_and_query`."""
    everything = train_and_query(study, asked, plan, workers, key, tell, claimed=gallery)
    through: dict[Interface, list[str]] = {NOTHING: []}
    for name in gallery:
        through.setdefault(everything.withheld[f"unlearned, {name}"], []).append(name)
    yield everything, through.pop(NOTHING)
    for interface, names in through.items():
        tell.say(f"{', '.join(names)}: {'; '.join(interface.words)}; asking every model alike ...")
        made = {name: gallery[name] for name in names}
        yield train_and_query(study, asked.through(interface), plan, workers, key, tell, claimed=made), names


def widened(claim: Claim, fold: float) -> Claim:
    """The claim with more runs, and without what no required test asks for."""
    required = required_tests(claim.criteria)
    recoveries = tuple(name for name in claim.criteria.recoveries if f"residual memory, {name}" in required)
    return claim.model_copy(
        update={
            "procedure": NOOP,
            "privacy": None,
            "runs": claim.runs.model_copy(
                update={"per_arm": math.ceil(fold * claim.runs.per_arm), "swap": False, "looks": ()}
            ),
            "criteria": claim.criteria.model_copy(update={"reported": (), "recoveries": recoveries}),
        }
    )


def bank_of(
    signals: Signals,
    collected: RunAnswers,
    places: SetIndices,
    parts: Sequence[Ints],
    claim: Claim,
    gallery: Sequence[str],
    about: Mapping[str, object],
) -> Bank:
    """The bank in the answers of all runs. An attack that cannot be mounted on one claimed arm is
    skipped for that case alone."""
    attacks = claim.criteria.attacks

    def arms(*names: str) -> tuple[list[Arm], Mapping[str, str]]:
        scores, skipped = run_battery(signals, attacks, places.forget, places.control, names)
        return [_arm(signals, collected, places, name, scores) for name in names], skipped

    (original, retrained, honest), skipped = arms("original", "retrained", "honest")
    cases = {}
    for name in gallery:
        [claimed], also = arms(f"unlearned, {name}")
        cases[name] = Case(claimed, {a: why for a, why in also.items() if a not in skipped})
    pool = joined(retrained, honest)
    return Bank(original, pool, cases, skipped, len(places.test), parts, about)


def _arm(
    signals: Signals,
    collected: RunAnswers,
    places: SetIndices,
    name: str,
    scores: Mapping[str, Mapping[str, Scores]],
) -> Arm:
    own = {attack: by_arm[name].asked() for attack, by_arm in scores.items()}
    return build_arm(signals, name, collected.near[name], places, own)
