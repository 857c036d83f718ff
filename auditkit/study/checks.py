"""Refuse before spending: everything that can be known to be wrong before the first model trains.

Each check returns its problems as texts that say the rule, what was found and what to do; an audit
reports all of them at once.
"""

from pathlib import Path

from auditkit.attacks import ATTACKS
from auditkit.attacks.battery import dependent_attacks
from auditkit.claims.claim import Claim
from auditkit.claims.privacy import privacy_problems
from auditkit.claims.required import required_tests
from auditkit.core.errors import UsageError
from auditkit.data import (
    Dataset,
    ForgetRequest,
    NearDuplicates,
    forget_size,
    set_problems,
)
from auditkit.statistics.power import POWER, equivalence_power, runs_for_power
from auditkit.statistics.prediction import BESIDE_ONE, prediction_power, runs_for_prediction
from auditkit.statistics.sequential import schedule
from auditkit.study.model_checks import (
    augment_problems,
    build_problems,
    fit_problems,
    model_problems,
    private_training_problems,
    procedure_problems,
    train_problems,
)

LEAST_CONTROL = 20
LEAST_SHADOWS = 4


def claim_problems(claim: Claim, folder: Path) -> list[str]:
    """What is wrong with a claim, whatever the data."""
    return [
        *forget_problems(claim),
        *model_problems(claim, folder),
        *train_problems(claim, folder),
        *private_training_problems(claim),
        *procedure_problems(claim, folder),
        *attack_problems(claim),
        *look_problems(claim),
        *power_problems(claim),
    ]


def data_problems(claim: Claim, data: Dataset, folder: Path) -> list[str]:
    """What is wrong with a claim for this data."""
    return [
        *drawing_problems(claim, data),
        *augment_problems(claim, data),
        *(build_problems(claim, data, folder) or fit_problems(claim, data, folder)),
    ]


def drawing_problems(claim: Claim, data: Dataset) -> list[str]:
    """Why the sets that the claim asks for cannot be drawn from this data."""
    if forget_problems(claim):
        return []
    problems = set_problems(
        data,
        ForgetRequest(**claim.forget.model_dump()),
        train=claim.data.train,
        control=claim.data.control,
        test=claim.data.test,
        population=claim.data.population,
        seed=claim.seed,
    )
    if claim.data.test < 1:
        problems.append(
            f"data.test must be at least 1 record, found {claim.data.test}; accuracy is read there"
        )
    if claim.data.control < LEAST_CONTROL:
        problems.append(
            f"data.control must be at least {LEAST_CONTROL} records, found {claim.data.control}; runs are put"
            " on one scale by a line through them"
        )
    if claim.runs.swap and not problems:
        forget = forget_size(data, ForgetRequest(**claim.forget.model_dump()), claim.data.train)
        if claim.data.control < forget:
            problems.append(
                "data.control must hold as many records as are forgotten for runs.swap = true, found "
                f"{claim.data.control} for {forget}; raise it, or set runs.swap = false"
            )
    if claim.privacy:
        # Refuting takes a p-value that stands Holm's correction among all tests, at the look that
        # spends most.
        tests = len(required_tests(claim.criteria, private=True, stress=claim.kind == "procedure"))
        share = (
            1.0 if look_problems(claim) else max(s for _, s in schedule(claim.runs.looks, claim.runs.per_arm))
        )
        level = share * claim.criteria.alpha
        problems += privacy_problems(claim.privacy, claim.data.population, level / tests)
    least = 2 * data.n_classes
    if claim.runs.shadow and claim.data.population < least:
        problems.append(
            f"data.population must be at least {least} records (two a class) for {claim.runs.shadow} shadow "
            f"runs, found {claim.data.population}; raise it, or set runs.shadow = 0"
        )
    return problems


def forget_problems(claim: Claim) -> list[str]:
    """Whether it is said, in exactly one way, what is to be forgotten."""
    try:
        ForgetRequest(**claim.forget.model_dump())
    except UsageError as error:
        return [f"forget: {problem}" for problem in error.problems]
    if claim.forget.ids is not None and not claim.forget.ids:
        return ["forget.ids must name records, found none; name at least one"]
    return []


def attack_problems(claim: Claim) -> list[str]:
    """Whether there are such attacks, and shadow runs enough to learn from."""
    problems = []
    if unknown := [name for name in claim.criteria.all_attacks if name not in ATTACKS]:
        problems.append(
            f"criteria.attacks, and criteria.reported, must be among {', '.join(ATTACKS)}; found"
            f" {', '.join(unknown)}; correct or remove it"
        )
    problems += dependent_attacks(claim.criteria.attacks)
    if 0 < claim.runs.shadow < LEAST_SHADOWS:
        problems.append(
            f"runs.shadow must be 0 or at least {LEAST_SHADOWS}, found {claim.runs.shadow}; the attacker"
            " learns from runs that saw a record and from runs that did not"
        )
    return problems


def look_problems(claim: Claim) -> list[str]:
    """Whether the looks come one after the other, and before the last run."""
    looks, n = claim.runs.looks, claim.runs.per_arm
    if looks and claim.kind != "procedure":
        return [f"runs.looks are for claims about a procedure, found {list(looks)}; leave it out"]
    if list(looks) == sorted(set(looks)) and all(look < n for look in looks):
        return []
    problem = (
        f"runs.looks must rise and end below runs.per_arm = {n}, where the last look is, found {list(looks)};"
        " correct it, or leave it out"
    )
    return [problem]


def power_problems(claim: Claim) -> list[str]:
    """Whether so many runs could decide anything at the margin, by what is left of alpha for the
    last look.

    A run's residual memory is compared with that of a retrained run, so that the planning SD counts
    twice: sqrt(2) SD for one difference.
    """
    if look_problems(claim):
        return []
    if claim.kind == "endpoint" and claim.runs.per_arm < BESIDE_ONE:
        problem = (
            f"runs.per_arm must be at least {BESIDE_ONE} beside a single model, as each run is left out in"
            f" turn, found {claim.runs.per_arm}; raise it"
        )
        return [problem]
    n, criteria = claim.runs.per_arm, claim.criteria
    _, share = schedule(claim.runs.looks, n)[-1]
    sd, margin, alpha = 2**0.5 * criteria.planning_sd, criteria.residual_memory, share * criteria.alpha
    one_run = claim.kind == "endpoint"
    power = (
        prediction_power(n, criteria.planning_sd, margin, alpha)
        if one_run
        else equivalence_power(n, sd, margin, alpha)
    )
    if power >= POWER:
        return []
    enough = (
        runs_for_prediction(criteria.planning_sd, margin, alpha)
        if one_run
        else runs_for_power(sd, margin, alpha)
    )
    remedy = f"{enough} runs would do" if enough else "no number of runs up to 10,000 would do"
    problem = (
        f"runs.per_arm must give a true claim at least a {POWER:.0%} chance of support at margin "
        f"{margin:g} and planning SD {criteria.planning_sd:g}; {n} runs give {power:.0%}"
        f"{' at the last look' if claim.runs.looks else ''}; {remedy}"
    )
    return [problem]


def duplicate_warnings(near: NearDuplicates, forget: int) -> list[str]:
    """What near-copies of forget records in retain mean for the claim; [] where there are none."""
    if not near.count:
        return []
    warning = (
        f"{near.count} of {forget} forget records have a near-copy left in retain ({near.exact} of them an "
        "exact copy). No procedure makes a model forget a record whose copy it keeps, retraining included: "
        "for these records the claim can be supported and still mean nothing."
    )
    return [warning]
