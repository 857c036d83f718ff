"""What an audit writes down: frozen values, one for each thing a report shows.

Every number is a `Number`: it carries its interval, the size of what it was computed from, and
where its formula comes from. Nothing here computes; nothing in a report computes either.
"""

from dataclasses import dataclass
from typing import Literal

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
class Ran:
    """A test that ran.

    name: a short key. question: what it asks, in words. margin: the bound locked before the run, in
    the unit of the number, None for a test that has none. two_sided: the margin is +-margin, and
    not an upper bound. p_passed: chance of a result this good if the claim were wrong by the
    margin, None for a test without one. p_refuted: chance of a result this bad if the claim were
    true; p_refuted_holm: the same after Holm's correction over all tests. informative: the no-op
    control did not pass this test. support_needs_informative: an uninformative result blocks
    support. explanation: what else a reader must know of it, often nothing.
    """

    name: str
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
    kind: Literal["ran"] = "ran"


@dataclass(frozen=True)
class Skipped:
    """A required test that could not be run. It never counts as passing."""

    name: str
    question: str
    reason: str
    kind: Literal["skipped"] = "skipped"


Finding = Ran | Skipped


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
    """The same decision on models whose answer is known. expected, found: in words; rho: None where
    it could not be measured; passed: whether the audit got it right."""

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
class ArmSummary:
    """One arm: what it is, and the accuracy of its runs on each set."""

    name: str
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
class ClassMemory:
    """Residual memory of the forget records of one class, and the same of the honest control."""

    label: int
    rho: Number
    honest: Number


@dataclass(frozen=True)
class Recovered:
    """Residual memory of models that somebody with their weights has changed. name: how; rho: of
    the unlearned models, honest: of the honest control, both changed in the same way."""

    name: str
    rho: Number
    honest: Number


@dataclass(frozen=True)
class ResidualMemory:
    """The headline number and what stands behind it.

    exact: on the forget records themselves. jittered: on inputs near them, one for each radius,
    which is given as a share of the usual nearest-neighbour distance. recovered: what a model's
    weights give away beyond its answers, one line a way to make it show, with the same of the
    honest control. honest: of the honest retrained control. per_run: arm -> one value a run, for
    the figure. effective_records: how many forget records carry it. smallest_detectable: the share
    of memory left that this audit would have told from none with probability 0.8; could_see: the
    same in a sentence.
    """

    exact: Number
    jittered: tuple[tuple[float, Number], ...]
    recovered: tuple[Recovered, ...]
    honest: Number
    per_class: tuple[ClassMemory, ...]
    per_run: dict[str, tuple[float, ...]]
    effective_records: Number
    smallest_detectable: Number
    could_see: str = ""


@dataclass(frozen=True)
class OperatingPoint:
    """The true-positive rates of an attack at a false-positive rate that N records can show. arms:
    arm -> mean over runs, its interval over records. gap: unlearned minus retrained, its interval
    over runs."""

    fpr: float
    arms: dict[str, Number]
    gap: Number


@dataclass(frozen=True)
class AttackSummary:
    """One attack on all arms. family: what it goes by, of `auditkit.attacks.FAMILIES`. auc: arm ->
    mean over runs. gap: unlearned minus retrained. near: jittered query -> the same gap asked near
    the records, where the attack can be mounted there. balanced_accuracy: arm -> mean over runs,
    the threshold chosen on other records; the advantage is twice that minus one. points:
    true-positive rates at quotable false-positive rates, for the ROC figure and its table. leads:
    the strongest of its family on the original runs."""

    name: str
    title: str
    paper: str
    family: str
    auc: dict[str, Number]
    gap: Number
    near: dict[str, Number]
    balanced_accuracy: dict[str, Number]
    points: tuple[OperatingPoint, ...]
    leads: bool


@dataclass(frozen=True)
class AgreedBy:
    """How many forget records are found by `attacks` attacks or more. records: arm -> their
    number."""

    attacks: int
    records: dict[str, int]


@dataclass(frozen=True)
class Agreement:
    """On how many forget records several attacks agree. A record is found by an attack if its
    score, the mean over runs, is higher than those of all but a share `fpr` of the control records.
    attacks: how many were counted. records: how many forget records there are."""

    fpr: float
    attacks: int
    records: int
    at_least: tuple[AgreedBy, ...]


@dataclass(frozen=True)
class BeforeAfter:
    """What somebody who kept the original model sees beside a later one: the AUC of the posterior
    difference (Chen et al. 2021) between forget and control records. unlearned, retrained: by the
    later model. Even perfect retraining gives the records away to who holds both, so that it is
    held against nobody."""

    unlearned: Number
    retrained: Number


@dataclass(frozen=True)
class SwapLine:
    """The SWAP advantage of one attack (Tu et al. 2025): 0 for retrained models, whatever the
    attack, 1 for one that knows every record, below 0 for over-forgetting."""

    name: str
    title: str
    advantage: Number


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
class Drift:
    """How far the unlearned runs differ from retrained ones where nothing was to be forgotten.

    slope: of the margins on control records against the retrained runs' (1 = none). comparability:
    how well they rank control records, relative to retrained runs among themselves (1 = as well);
    below `floor` the two cannot be compared. excess_spread: kappa, by how much calibrated control
    margins differ, in units of what chance between runs gives (1 = as retrained runs among
    themselves). rho_error: the standard deviation of residual memory that so much drift on forget
    records would cause by itself; the interval of residual memory does not contain it.
    """

    slope: Number
    comparability: Number
    floor: float
    excess_spread: Number
    rho_error: Number


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
    jitter: dict[str, float | None]


@dataclass(frozen=True)
class Halves:
    """Whether the first and the second half of the runs, which have none in common, name the same
    records. first, second, both: how many records. by_chance: in both, if either half had named as
    many at random. jaccard: both over either, None where neither names any. runs: an arm in the
    first half."""

    first: int
    second: int
    both: int
    by_chance: float
    jaccard: float | None
    runs: int


@dataclass(frozen=True)
class RecordExposure:
    """Which forget records are still exposed one by one; who they are stands in scores/, by salted
    ids.

    false_discoveries: the share of those named that is named wrongly, at most and on average.
    records: how many forget records there are; a count's `n_records` says in how many of them the
    original runs show memory at all, and only those can be exposed. unlearned: how many are still
    remembered, below: how many were pushed below what retrained runs show. original, honest: the
    same count of these arms. control: how many control records are named, which were never trained
    on. share: of the memory of the worst record that is left, and the most that is left in any.
    auc: how often unlearned and retrained runs are told apart by their answer on the worst record;
    honest_share, honest_auc: the same of the honest control."""

    false_discoveries: float
    records: int
    unlearned: Number
    below: Number
    original: Number
    honest: Number
    control: Number
    share: Number
    honest_share: Number
    auc: Number
    honest_auc: Number
    halves: Halves | None


@dataclass(frozen=True)
class InterfaceSummary:
    """What the claimed models do not say, a phrase each in `withheld`. It was withheld from every
    model before any two were compared, so that the whole audit speaks of somebody who sees no more
    than such answers."""

    withheld: tuple[str, ...]


@dataclass(frozen=True)
class Evidence:
    """All that an audit found: the content of evidence.json."""

    schema: Literal[1]
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
    utility: Number
    drift: Drift
    not_checked: tuple[NotChecked, ...]
    warnings: tuple[str, ...]
    verdict: Verdict
