"""A bank filled: the runs of one study and of a gallery, trained, asked and attacked by the code of
an audit."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from auditkit.attacks.battery import Battery, run_battery
from auditkit.claims.claim import Claim, ProcedureClaim
from auditkit.claims.required import required_tests
from auditkit.core.canonical import digest
from auditkit.core.errors import UsageError
from auditkit.core.ids import (
    HONEST,
    ORIGINAL,
    RETRAINED,
    STRESS,
    VARIANT,
    ArmKey,
    Recovered,
    placebo,
    residual_memory,
    unlearned,
)
from auditkit.core.progress import Reporter
from auditkit.engine.queue import WorkerConfig
from auditkit.engine.resources import Resources
from auditkit.runs.bank import Bank, Case
from auditkit.runs.collect import train_and_query
from auditkit.runs.queries import build_queries
from auditkit.runs.session import TrainingSession
from auditkit.runs.stacks import UnlearnedArm
from auditkit.runs.trained_source import measured_in
from auditkit.signals.arms import Arm
from auditkit.signals.interface import NOTHING, Interface, merge_interfaces
from auditkit.signals.measurements import Measured, build_arm
from auditkit.study.planning import plan_for
from auditkit.study.study import Study, prepare

FOLD = 1.6
"""Runs of a bank for each run an arm of a claim: a claim draws n of the 1.6 n originals, and of as
many retrained and honest runs."""
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
    about: dict[str, object] = {
        "data": {"name": study.data.name, "commitment": study.data.commitment()},
        "claim": claim.model_dump(
            mode="json", exclude={"forget": {"ids"}, "procedure": True}, exclude_none=True
        ),
        "gallery": {name: case.procedure.model_dump(mode="json") for name, case in gallery.items()},
    }
    session = open_session(study, given, digest(about), tell)
    banks: list[tuple[Bank, Sequence[str]]] = []
    for measured, names in measured_alike(session, gallery):
        tell.say("attacking every run ...")
        diverged = {**about, "diverged": list(measured.diverged)}
        one = build_bank(measured, claim.criteria.attacks, names, diverged)
        if claim.runs.stress:
            some = {name: gallery[name] for name in names}
            one = replace(one, stress=stress_bank(session, measured.interface, some, diverged))
        banks.append((one, names))
    (bank, _), *others = banks
    return replace(bank, apart={name: other for other, names in others for name in names})


def open_session(study: Study, given: Resources, reuse_key: str, tell: Reporter) -> TrainingSession:
    """A session for this study, its plan chosen anew. reuse_key: see `TrainingSession`."""
    plan, jobs = plan_for(study, given, None, tell)
    return TrainingSession(
        study, plan, WorkerConfig(jobs, plan.threads, given.backend, given.address), reuse_key, tell
    )


def measured_alike(
    session: TrainingSession, gallery: Mapping[str, UnlearnedArm]
) -> Iterator[tuple[Measured, Sequence[str]]]:
    """The answers of every arm, with the cases whose models withhold nothing; then, for those that
    withhold something, every arm asked again through the same interface.

    Args:
        session: what the runs are made with.
        gallery: the cases, by name.

    Yields:
        The answers, and the names of the cases that are to be judged by them.
    """
    study, tell, queries = session.study, session.tell, build_queries(session.study)
    answers = train_and_query(session, queries, gallery=gallery)
    through: dict[Interface, list[str]] = {NOTHING: []}
    for name in gallery:
        both = [answers.withheld[arm] for arm in (unlearned(name), placebo(name))]
        through.setdefault(merge_interfaces(both), []).append(name)
    yield measured_in(study, queries, answers), through.pop(NOTHING)
    for interface, names in through.items():
        tell.say(f"{', '.join(names)}: {'; '.join(interface.words)}; asking every model alike ...")
        behind = queries.through(interface)
        some = {name: gallery[name] for name in names}
        yield measured_in(study, behind, train_and_query(session, behind, gallery=some)), names


def widened(claim: Claim, fold: float) -> Claim:
    """The claim with more runs, and without what no required test asks for."""
    required = required_tests(claim.criteria)
    recoveries = tuple(
        name for name in claim.criteria.recoveries if residual_memory(Recovered(name)) in required
    )
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


def build_bank(
    measured: Measured, attacks: Sequence[str], gallery: Sequence[str], about: Mapping[str, object]
) -> Bank:
    """The bank in the answers of all runs. An attack that cannot be mounted on one claimed arm is
    skipped for that case alone.

    Args:
        measured: the answers.
        attacks: names in ATTACKS.
        gallery: the names of the cases.
        about: what the runs are of, see `Bank`.
    """

    def arms(*keys: ArmKey) -> tuple[list[Arm], Mapping[str, str]]:
        battery = run_battery(measured.signals, attacks, measured.sets, keys)
        return [_arm(measured, key, battery) for key in keys], battery.skipped

    (original, retrained, honest), skipped = arms(ORIGINAL, RETRAINED, HONEST)
    cases = {}
    for name in gallery:
        (claimed, control), also = arms(unlearned(name), placebo(name))
        cases[name] = Case(claimed, control, {a: why for a, why in also.items() if a not in skipped})
    test_records, variant = len(measured.sets.test), None
    if VARIANT in measured.compared:
        [variant], _ = arms(VARIANT)
    return Bank(
        original, retrained, honest, cases, skipped, test_records, measured.parts, about, variant=variant
    )


def stress_bank(
    session: TrainingSession,
    interface: Interface,
    gallery: Mapping[str, UnlearnedArm],
    about: Mapping[str, object],
) -> Bank:
    """The bank of the same runs in the stress world, where nothing is attacked; arguments as for
    `measured_alike` and `build_bank`, once what is asked there is answered."""
    study, queries = session.study, build_queries(session.study).through(interface)
    answers = train_and_query(session, queries, gallery=gallery, world=STRESS)
    measured = measured_in(study, queries, answers, STRESS)

    def arm(key: ArmKey) -> Arm:
        return _arm(measured, key.within(STRESS), Battery({}, {}))

    cases = {name: Case(arm(unlearned(name)), arm(placebo(name))) for name in gallery}
    original, retrained, honest = map(arm, (ORIGINAL, RETRAINED, HONEST))
    test_records = len(measured.sets.test)
    return Bank(original, retrained, honest, cases, {}, test_records, measured.parts, about)


def _arm(measured: Measured, key: ArmKey, battery: Battery) -> Arm:
    scores = {attack: by_arm[key].asked() for attack, by_arm in battery.scores.items()}
    return build_arm(measured, key, measured.other_margins[key], scores)
