"""Refuse before spending: everything that can be known to be wrong before the first model trains.

Each check returns its problems as texts that say the rule, what was found and what to do; an audit
reports all of them at once.
"""

from pathlib import Path

from auditkit.attacks import ATTACKS
from auditkit.claims import Claim
from auditkit.data import Dataset, ForgetRequest, NearDuplicates, set_problems
from auditkit.errors import UsageError
from auditkit.statistics.power import POWER, equivalence_power, runs_for_power
from auditkit.unlearning.resolve import option_problems, resolve

LEAST_CONTROL = 20
LEAST_SHADOWS = 4


def claim_problems(claim: Claim, folder: Path) -> list[str]:
    """What is wrong with a claim, whatever the data."""
    return [
        *forget_problems(claim),
        *procedure_problems(claim, folder),
        *attack_problems(claim),
        *power_problems(claim),
    ]


def data_problems(claim: Claim, data: Dataset) -> list[str]:
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
            f"data.control must be at least {LEAST_CONTROL} records, found {claim.data.control}; runs are put on "
            "one scale by a line through them"
        )
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


def procedure_problems(claim: Claim, folder: Path) -> list[str]:
    """Whether there is such a procedure, and whether it takes these options."""
    try:
        procedure = resolve(claim.procedure.name, folder)
    except UsageError as error:
        return list(error.problems)
    return option_problems(procedure, claim.procedure.options)


def attack_problems(claim: Claim) -> list[str]:
    """Whether there are such attacks, and shadow runs enough to learn from."""
    problems = []
    if unknown := [name for name in claim.criteria.attacks if name not in ATTACKS]:
        problems.append(
            f"criteria.attacks must be among {', '.join(ATTACKS)}; found {', '.join(unknown)}; correct or "
            "remove it"
        )
    if 0 < claim.runs.shadow < LEAST_SHADOWS:
        problems.append(
            f"runs.shadow must be 0 or at least {LEAST_SHADOWS}, found {claim.runs.shadow}; the attacker learns "
            "from runs that saw a record and from runs that did not"
        )
    return problems


def power_problems(claim: Claim) -> list[str]:
    """Whether so many runs could decide anything at the margin.

    A run's residual memory is compared with that of a retrained run, so that the planning SD counts
    twice: sqrt(2) SD for one difference.
    """
    n, criteria = claim.runs.per_arm, claim.criteria
    sd, margin, alpha = 2**0.5 * criteria.planning_sd, criteria.residual_memory, criteria.alpha
    power = equivalence_power(n, sd, margin, alpha)
    if power >= POWER:
        return []
    enough = runs_for_power(sd, margin, alpha)
    remedy = f"{enough} runs would do" if enough else "no number of runs up to 10,000 would do"
    problem = (
        f"runs.per_arm must give a true claim at least a {POWER:.0%} chance of support at margin "
        f"{margin:g} and planning SD {criteria.planning_sd:g}; {n} runs give {power:.0%}; {remedy}"
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
