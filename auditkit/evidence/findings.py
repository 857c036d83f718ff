"""What is decided: findings, controls, verdict, as frozen values.

Every number is a `Number`: it carries its interval, the size of what it was computed from, and
where its formula comes from. Nothing here computes; nothing in a report computes either.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from auditkit.core.ids import TestId

Outcome = Literal["supported", "not_supported", "inconclusive"]
Result = Literal["passed", "refuted", "undecided"]


@dataclass(frozen=True)
class Number:
    """One reported number.

    value: None where it is not defined (then the method says why). low, high: its interval at level
    `confidence`, None where it has no such end. n_runs, n_records: what it was computed from, the
    runs being the replicates. method, source: how, in words, and where the formula stands.
    """

    value: float | None
    low: float | None
    high: float | None
    confidence: float | None
    n_runs: int
    n_records: int
    method: str
    source: str


@dataclass(frozen=True)
class Interval:
    """An interval at the level of the number that it stands beside."""

    low: float
    high: float


@dataclass(frozen=True)
class Ran:
    """A test that ran.

    test: which. question: what it asks, in words. margin: the bound locked before the run, in
    the unit of the number, None for a test that has none. two_sided: the margin is +-margin, and
    not an upper bound. p_passed: chance of a result this good if the claim were wrong by the
    margin, None for a test without one. p_refuted: chance of a result this bad if the claim were
    true; p_refuted_holm: the same after Holm's correction over all tests. informative: the no-op
    control did not pass this test. support_needs_informative: an uninformative result blocks
    support. explanation: what else a reader must know of it, often nothing. refuting: the interval
    of the number over runs and records together, which must lie outside the margin to refute: the
    answer must hold for other records of the kind, too; None where a test weighs runs alone.
    """

    test: TestId
    question: str
    number: Number
    margin: float | None
    two_sided: bool
    p_passed: float | None
    p_refuted: float
    p_refuted_holm: float
    result: Result
    informative: bool
    support_needs_informative: bool
    explanation: str
    refuting: Interval | None = None
    kind: Literal["ran"] = "ran"


@dataclass(frozen=True)
class Skipped:
    """A required test that could not be run. It never counts as passing. number: what was measured
    all the same, None where nothing could be."""

    test: TestId
    question: str
    reason: str
    number: Number | None = None
    kind: Literal["skipped"] = "skipped"


Finding = Ran | Skipped
Findings = Mapping[TestId, Finding]
"""The findings of an audit, in the order of `auditkit.claims.required.required_tests`."""


@dataclass(frozen=True)
class Verdict:
    """The answer. sentence: the answer in one sentence. reasons: why, one sentence each.
    runs_needed: for an inconclusive verdict, the runs an arm that would decide it if the truth is
    what it now seems, of which further_runs are more than there were; both None where no number can
    be promised. outlook: what would settle it, or why nothing of the kind is said, in a sentence;
    empty for a verdict that decides."""

    outcome: Outcome
    sentence: str
    reasons: tuple[str, ...]
    margin: float
    confidence: float
    runs_needed: int | None
    further_runs: int | None = None
    outlook: str = ""


@dataclass(frozen=True)
class Control:
    """The decision, by the same code, on models whose answer is known.

    Attributes:
        expected, found: in words.
        rho: their residual memory, None where it was not measured.
        passed: whether the audit got it right.
    """

    name: str
    meaning: str
    expected: str
    found: str
    outcome: Outcome
    rho: Number | None
    passed: bool


@dataclass(frozen=True)
class Look:
    """One look at the runs so far. runs: an arm. level: of each test at this look; the levels of
    all looks that were planned add up to alpha. outcome: what the verdict would have been, and was
    at the last. failed: the controls that came out wrong."""

    runs: int
    level: float
    outcome: Outcome
    failed: tuple[str, ...]


@dataclass(frozen=True)
class Decision:
    """What was decided of a claim, and of the controls by the same code. Every number of a required
    test is computed with it, once, and carried by its finding."""

    findings: Findings
    controls: tuple[Control, ...]
    verdict: Verdict
