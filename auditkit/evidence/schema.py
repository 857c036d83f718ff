"""What an audit writes down: the content of evidence.json, one frozen value for each thing that a
report shows.

`findings` holds what is decided, `summaries` what is reported beside it; both are to be had here.
"""

from dataclasses import dataclass
from typing import Literal

from auditkit.core.ids import ArmKey, Query
from auditkit.evidence.findings import (
    Control,
    Decision,
    Finding,
    Findings,
    Interval,
    Look,
    Number,
    Outcome,
    Ran,
    Result,
    Skipped,
    Verdict,
)
from auditkit.evidence.summaries import (
    AgreedBy,
    Agreement,
    AttackSummary,
    BeforeAfter,
    ClassMemory,
    Halves,
    OperatingPoint,
    RecordExposure,
    RecoveredMemory,
    ResidualMemory,
    SwapLine,
)

__all__ = [
    "AgreedBy",
    "Agreement",
    "ArmSummary",
    "AttackSummary",
    "BeforeAfter",
    "ClassMemory",
    "Control",
    "DataSummary",
    "Decision",
    "Drift",
    "DriftLine",
    "Evidence",
    "Finding",
    "Findings",
    "Halves",
    "InterfaceSummary",
    "Interval",
    "Look",
    "NotChecked",
    "Number",
    "OperatingPoint",
    "Outcome",
    "PrivacySummary",
    "Ran",
    "RecordExposure",
    "RecoveredMemory",
    "ResidualMemory",
    "Result",
    "Scope",
    "Skipped",
    "State",
    "SwapLine",
    "Verdict",
]


@dataclass(frozen=True)
class ArmSummary:
    """One arm: what it is, and the accuracy of its runs on each set."""

    arm: ArmKey
    meaning: str
    runs: int
    retain_accuracy: Number
    forget_accuracy: Number
    test_accuracy: Number


@dataclass(frozen=True)
class State:
    """The procedure seen in another state (FNN: gate on, gate off, folded and repaired).
    claimed: this is the state the claim is about."""

    name: str
    rho: Number
    test_accuracy: Number
    claimed: bool


@dataclass(frozen=True)
class PrivacySummary:
    """What was found of a claim of differential privacy. epsilon, delta: as claimed.
    noise_multiplier: that the training used. accounted: the epsilon that the accountant works out
    from it, None without any noise. bound: the true epsilon is at least this. ceiling: the bound
    had every guess been right. canaries, guesses, right: how many there were, were guessed about,
    and were guessed rightly. p: of the claim. test_accuracy: of the privately trained model. words:
    the finding in a few sentences."""

    epsilon: float
    delta: float
    noise_multiplier: float
    accounted: float | None
    bound: Number
    ceiling: float
    canaries: int
    guesses: int
    right: int
    p: float
    test_accuracy: float
    words: str


@dataclass(frozen=True)
class Scope:
    """What a claim of this kind can come to, whatever the numbers. kind: procedure, endpoint or
    predictions. establishes: what support means; cannot: what it leaves open. Sentences."""

    kind: Literal["procedure", "endpoint", "predictions"]
    establishes: tuple[str, ...]
    cannot: tuple[str, ...]


@dataclass(frozen=True)
class NotChecked:
    """Something this audit did not look at, and why."""

    what: str
    why: str


@dataclass(frozen=True)
class DriftLine:
    """What residual memory would be if retrained runs, and not the placebo, were what unlearned
    ones are compared with. query: how records were asked about. unlearned: of the unlearned runs,
    memory and drift together. placebo: of the placebo, which has no memory: drift alone; None where
    there is no placebo."""

    query: Query
    unlearned: Number
    placebo: Number | None


@dataclass(frozen=True)
class Drift:
    """How far the unlearned runs differ from retrained ones where nothing was to be forgotten.

    slope: of the margins on control records against the retrained runs' (1 = none). comparability:
    how well they rank control records, relative to retrained runs among themselves (1 = as well);
    below `floor` the two cannot be compared. excess_spread: kappa, by how much calibrated control
    margins differ, in units of what chance between runs gives (1 = as retrained runs among
    themselves). rho_error: the standard deviation of residual memory that so much drift on forget
    records would cause by itself. against_retrained: a line a query, where there is a placebo that
    tells drift from memory.
    """

    slope: Number
    comparability: Number
    floor: float
    excess_spread: Number
    rho_error: Number
    against_retrained: tuple[DriftLine, ...] = ()


@dataclass(frozen=True)
class DataSummary:
    """The data, without any of it. commitment: SHA-256 over inputs, labels and ids. sets: the
    number of records in each. near_duplicates: forget records with a near-copy left in retain, of
    which `exact_duplicates` are copies, None where there were no records to look at. jitter:
    "jitter <share>" -> the radius of that query, in the unit of the input, None where only answers
    are known."""

    name: str
    origin: str
    licence: str
    commitment: str
    sets: dict[str, int]
    near_duplicates: int | None
    exact_duplicates: int | None
    jitter: dict[Query, float | None]


@dataclass(frozen=True)
class InterfaceSummary:
    """What the claimed models do not say, a phrase each in `withheld`. It was withheld from every
    model before any two were compared, so that the whole audit speaks of somebody who sees no more
    than such answers."""

    withheld: tuple[str, ...]


@dataclass(frozen=True)
class Evidence:
    """All that an audit found: the content of evidence.json."""

    schema: Literal[2]
    lock_sha256: str
    claim: dict[str, object]
    scope: Scope
    data: DataSummary
    interface: InterfaceSummary | None
    environment: dict[str, str]
    looks: tuple[Look, ...]
    arms: tuple[ArmSummary, ...]
    controls: tuple[Control, ...]
    residual_memory: ResidualMemory
    exposure: RecordExposure | None
    states: tuple[State, ...]
    findings: tuple[Finding, ...]
    attacks: tuple[AttackSummary, ...]
    agreement: Agreement | None
    before_after: BeforeAfter | None
    swap: tuple[SwapLine, ...]
    privacy: PrivacySummary | None
    drift: Drift
    not_checked: tuple[NotChecked, ...]
    warnings: tuple[str, ...]
    verdict: Verdict
