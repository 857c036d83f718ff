"""What an audit would take and could decide, said before any of it is paid for."""

from collections.abc import Mapping
from dataclasses import dataclass

from auditkit.claims.claim import Claim
from auditkit.claims.criteria import Criteria
from auditkit.claims.required import required_tests
from auditkit.core.errors import UsageError
from auditkit.core.progress import Reporter
from auditkit.engine.cost import Cost, refusals
from auditkit.engine.plan import Plan
from auditkit.engine.resources import Resources
from auditkit.statistics.power import POWER, minimum_detectable_effect, runs_for_power
from auditkit.statistics.prediction import runs_for_prediction
from auditkit.statistics.sequential import OperatingCharacteristic, course, schedule
from auditkit.study.planning import describe_plan, price_plan
from auditkit.study.study import Study

TRUTHS = {"an honest claim": 0.0, "half the memory left": 0.5, "a no-op": 1.0}
"""Of what the course of the audit is foretold: true residual memory."""


@dataclass(frozen=True)
class Sensitivity:
    """What a look can see of residual memory. runs: an arm. level: of its tests. told_from_none,
    refuted: the smallest residual memory that is told from none, and that refutes whatever Holm's
    correction takes, with probability .8."""

    runs: int
    level: float
    told_from_none: float
    refuted: float


@dataclass(frozen=True)
class PowerForecast:
    """What `auditkit plan` says. lines: runs and cost in words. cost: None where it cannot be seen.
    sd: of one run, the claim's planning SD. supported: the probability that an honest claim passes
    the test of residual memory; every other required test can only lower it. runs_needed: an arm,
    for it to be .8 with one look; None if there is no such number. looks: each with what it can
    see. courses: how the audit goes."""

    claim: str
    lines: tuple[str, ...]
    plan: Plan
    cost: Cost | None
    sd: float
    margin: float
    alpha: float
    tests: int
    supported: float
    runs_needed: int | None
    looks: tuple[Sensitivity, ...]
    courses: Mapping[str, OperatingCharacteristic]


def forecast(study: Study, given: Resources, tell: Reporter) -> PowerForecast:
    """The plan, cost and power of an audit. Nothing is trained but the few steps that are timed."""
    claim, criteria = study.claim, study.claim.criteria
    found = price_plan(study, given, None, tell)
    if found.cost and (too_much := refusals(found.cost, given)):
        raise UsageError(*too_much)
    # One run against n has the error that n differences of this standard deviation have.
    one_run, n = claim.kind == "endpoint", claim.runs.per_arm
    sd = criteria.planning_sd * ((n + 1) if one_run else 2) ** 0.5
    tests = len(required_tests(criteria, private=claim.privacy is not None, stress=claim.kind == "procedure"))
    courses = courses_of(claim, sd, tests)
    honest = next(iter(courses.values()))
    return PowerForecast(
        claim=claim.name,
        lines=tuple(describe_plan(study, found)),
        plan=found.plan,
        cost=found.cost,
        sd=criteria.planning_sd,
        margin=criteria.residual_memory,
        alpha=criteria.alpha,
        tests=tests,
        supported=sum(honest.supported),
        runs_needed=runs_for_prediction(criteria.planning_sd, criteria.residual_memory, criteria.alpha)
        if one_run
        else runs_for_power(sd, criteria.residual_memory, criteria.alpha),
        looks=tuple(
            sharpness(n, share, criteria, sd, tests)
            for n, share in schedule(claim.runs.looks, claim.runs.per_arm)
        ),
        courses=courses,
    )


def courses_of(claim: Claim, sd: float, tests: int) -> dict[str, OperatingCharacteristic]:
    """How an audit of this claim goes, for each of TRUTHS, by the test of residual memory alone."""
    criteria = claim.criteria
    return {
        name: course(
            schedule(claim.runs.looks, claim.runs.per_arm),
            mean=truth,
            sd=sd,
            margin=criteria.residual_memory,
            alpha=criteria.alpha,
            tests=tests,
        )
        for name, truth in TRUTHS.items()
    }


def sharpness(runs: int, share: float, criteria: Criteria, sd: float, tests: int) -> Sensitivity:
    """What the look at so many runs, which spends `share` of alpha, can see."""
    level = share * criteria.alpha
    beyond = minimum_detectable_effect(runs, sd, level / tests / 2)
    return Sensitivity(
        runs, level, minimum_detectable_effect(runs, sd, level), criteria.residual_memory + beyond
    )


def in_words(found: PowerForecast) -> list[str]:
    """A forecast as a person reads it, line by line."""
    passing = (
        f"  an honest claim passes the test of residual memory, margin ±{found.margin:g}, with probability "
        f"{found.supported:.2f}; the other {found.tests - 1} required tests can only lower that"
    )
    needed = "no number of runs" if found.runs_needed is None else f"{found.runs_needed} runs an arm"
    lines = [
        *found.lines,
        f"power, if the residual memory of one run has a standard deviation of {found.sd:.3g} as planned:",
        passing,
        f"  for probability {POWER:g} at that margin, with one look: {needed}",
        f"{'  look at runs an arm':<34}{'level':>9}{'told from none':>17}{'refuted from':>15}",
        *(
            f"  {look.runs:<32}{look.level:>9.4f}{look.told_from_none:>17.3f}{look.refuted:>15.3f}"
            for look in found.looks
        ),
        f"  (the smallest residual memory, with probability {POWER:g})",
        "course, by the test of residual memory alone: the probability that the audit ends at a look",
        f"{'  truth':<34}{'runs':>9}{'supported':>17}{'not supported':>15}{'runs, mean':>12}",
    ]
    for name, of in found.courses.items():
        rows = zip(of.runs, of.supported, of.refuted, strict=True)
        for k, (runs, supported, refuted) in enumerate(rows):
            first, mean = (f"  {name}", f"{of.expected_runs:>12.1f}") if k == 0 else ("", "")
            lines.append(f"{first:<34}{runs:>9}{supported:>17.3f}{refuted:>15.3f}{mean}")
    return lines
