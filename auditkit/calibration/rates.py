"""How often the auditor was right: rates over claims whose answer is known."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from auditkit.calibration.trials import Trial
from auditkit.core.ids import Jitter, TestId
from auditkit.reports.method_page import METHOD as METHOD_PAGE
from auditkit.statistics.proportions import clopper_pearson

CONFIDENCE = 0.95
METHOD = (
    "share of the claims drawn from this bank, Clopper-Pearson interval; claims of one bank have runs in"
    " common, so that the interval is of these runs and narrower than of new ones"
)
SOURCE = f"{METHOD_PAGE}#rates"
ENOUGH = 0.5
"""An auditor that supports honest retraining in fewer claims than this share cannot settle claims
like these."""

Kind = Literal["exact", "honest", "fake", "limit"]
Answer = Literal["right", "wrong", "blind"]


@dataclass(frozen=True)
class Rate:
    """`claims` of all claims of a case, with its exact interval at CONFIDENCE."""

    claims: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Times:
    """In how many claims of a case a test did something."""

    test: str
    claims: int


@dataclass(frozen=True)
class CaseRates:
    """One row of the table. kind: "exact" retraining, which may be refuted no more often than
    alpha; "honest" retraining by another recipe; a "fake", which may never be supported; a "limit",
    a fake out of their reach that is shown, not counted. meaning, fools: in words. caught_by: in
    how many claims at least one test of each kind refuted it, kinds in the order in which tests are
    made. refuted_by: which tests refuted it, and in_the_way: which refuted nothing but stood in the
    way of support, each in how many claims, most often first. rho: median residual memory, None
    where it was never measured."""

    name: str
    kind: Kind
    meaning: str
    fools: str
    claims: int
    supported: Rate
    refuted: Rate
    inconclusive: Rate
    caught_by: tuple[Times, ...]
    refuted_by: tuple[Times, ...]
    in_the_way: tuple[Times, ...]
    rho: float | None


@dataclass(frozen=True)
class Calibration:
    """All that a calibration found: the content of calibration.json.

    claim, data: what the runs are of. runs: how many the bank has, by arm; per_arm: how many of
    them an arm of a claim has. tests: what support needs. alpha: the level. diverged: runs that
    were left out, with their numbers in every arm. cases: exact retraining, honest variants, fakes,
    limits. answer: "wrong" if a fake was supported, or exact retraining refuted more often than
    alpha allows; "blind" if neither, but honest retraining was seldom supported; else "right".
    sentences: why.
    """

    schema: Literal[1]
    auditkit: str
    claim: Mapping[str, object]
    data: str
    runs: Mapping[str, int]
    per_arm: int
    tests: tuple[str, ...]
    alpha: float
    diverged: tuple[str, ...]
    confidence: float
    method: str
    source: str
    cases: tuple[CaseRates, ...]
    answer: Answer
    sentences: tuple[str, ...]


def group_of(test: TestId) -> str:
    """Tests that differ only in the attack, or only in the radius, are counted together."""
    if test.kind == "attack gap":
        return f"{test.kind}s"
    if isinstance(test.of, Jitter):
        return str(TestId(test.kind, "near", test.world))
    return str(test)


def rates(
    name: str, kind: Kind, meaning: str, fools: str, trials: Sequence[Trial], tests: Sequence[TestId]
) -> CaseRates:
    """The row of one case, of at least one trial. tests: every required test, in order."""
    groups = dict.fromkeys(map(group_of, tests))
    caught = Counter(one for trial in trials for one in {group_of(test) for test in trial.refuted_by})
    outcomes = Counter(trial.outcome for trial in trials)
    rhos = [trial.rho for trial in trials if trial.rho is not None]
    return CaseRates(
        name,
        kind,
        meaning,
        fools,
        len(trials),
        _rate(outcomes["supported"], len(trials)),
        _rate(outcomes["not_supported"], len(trials)),
        _rate(outcomes["inconclusive"], len(trials)),
        tuple(Times(test, caught[test]) for test in groups),
        _times(map(str, trial.refuted_by) for trial in trials),
        _times(trial.in_the_way for trial in trials if trial.outcome == "inconclusive"),
        median(rhos) if rhos else None,
    )


def added(parts: Sequence[CaseRates]) -> CaseRates:
    """The rows of one case in several worlds as one; rho is the median of their medians."""
    first, claims = parts[0], sum(part.claims for part in parts)

    def both(outcome: str) -> Rate:
        return _rate(sum(getattr(part, outcome).claims for part in parts), claims)

    def every(what: str) -> tuple[Times, ...]:
        counts: Counter[str] = Counter()
        for part in parts:
            counts.update({times.test: times.claims for times in getattr(part, what)})
        # Stable: kinds of test keep their order.
        order = counts.items() if what == "caught_by" else counts.most_common()
        return tuple(Times(*pair) for pair in order)

    rhos = [part.rho for part in parts if part.rho is not None]
    return CaseRates(
        first.name,
        first.kind,
        first.meaning,
        first.fools,
        claims,
        both("supported"),
        both("refuted"),
        both("inconclusive"),
        every("caught_by"),
        every("refuted_by"),
        every("in_the_way"),
        median(rhos) if rhos else None,
    )


def answered(cases: Sequence[CaseRates], alpha: float) -> tuple[Answer, tuple[str, ...]]:
    """Whether the auditor was right, and why, in sentences."""
    let_through = [case for case in cases if case.kind == "fake" and case.supported.claims]
    [exact] = [case for case in cases if case.kind == "exact"]
    too_often = exact.refuted.low > alpha
    sentences = [
        f"A fake was supported: {case.name}, in {case.supported.claims} of {case.claims} claims."
        for case in let_through
    ]
    fakes = sum(case.kind == "fake" for case in cases)
    if not let_through:
        sentences.append(f"No fake was supported, in any claim of {fakes} fakes.")
    sentences.append(
        f"Exact retraining was refuted in {exact.refuted.claims} of {exact.claims} claims, "
        + ("more often" if too_often else "no more often")
        + f" than the level of {alpha:g} allows, and supported in {exact.supported.claims}."
    )
    sentences += [
        f"Honest retraining by another recipe was refuted: {case.name}, in {case.refuted.claims} of"
        f" {case.claims} claims, by {', '.join(times.test for times in case.refuted_by[:3])}."
        for case in cases
        if case.kind == "honest" and case.refuted.claims
    ]
    sentences += [
        f"Done wrong out of reach of the required tests, shown and not counted: {case.name}, supported in "
        f"{case.supported.claims} of {case.claims} claims."
        for case in cases
        if case.kind == "limit"
    ]
    if let_through or too_often:
        return "wrong", tuple(sentences)
    if exact.supported.value < ENOUGH:
        sentences.append(
            "Even exact retraining is seldom supported with so many runs and records: what this audit cannot"
            " refute it will call inconclusive."
        )
        return "blind", tuple(sentences)
    return "right", tuple(sentences)


def _rate(k: int, n: int) -> Rate:
    found = clopper_pearson(k, n, 1 - CONFIDENCE)
    return Rate(k, found.value, found.low, found.high)


def _times(tests: Iterable[Iterable[str]]) -> tuple[Times, ...]:
    counts = Counter(test for one in tests for test in one)
    return tuple(Times(*pair) for pair in counts.most_common())
