"""What is reported beside the decision: memory, attacks and single records, as frozen values."""

from dataclasses import dataclass

from auditkit.core.ids import ArmKey, Query, Recovery
from auditkit.evidence.findings import Number


@dataclass(frozen=True)
class ClassMemory:
    """Residual memory of the forget records of one class, and the same of the honest control."""

    label: int
    rho: Number
    honest: Number


@dataclass(frozen=True)
class RecoveredMemory:
    """Residual memory of models that somebody with their weights has changed.

    Attributes:
        by: how they were changed.
        rho: of the unlearned models; None where it is a required test, whose finding carries it.
        honest: of the honest control, changed in the same way.
    """

    by: Recovery
    rho: Number | None
    honest: Number


@dataclass(frozen=True)
class ResidualMemory:
    """What stands behind residual memory, beside the required tests of it: those carry their own
    numbers, and the control that of honestly retrained runs.

    Attributes:
        recovered: what a model's weights give away beyond its answers, one line a way to make it
            show.
        per_class: residual memory of each class.
        per_run: arm -> one value a run, for the figure.
        effective_records: how many forget records carry residual memory.
        largest_share: how much of it the one record carries that carries most; largest_three: the
            three that carry most together.
        smallest_detectable: the share of memory left that this audit would have told from none with
            probability 0.8.
        could_see: `smallest_detectable` in a sentence.
    """

    recovered: tuple[RecoveredMemory, ...]
    per_class: tuple[ClassMemory, ...]
    per_run: dict[ArmKey, tuple[float, ...]]
    effective_records: Number
    largest_share: Number
    largest_three: Number
    smallest_detectable: Number
    could_see: str = ""


@dataclass(frozen=True)
class OperatingPoint:
    """The true-positive rates of an attack at a false-positive rate that N records can show. arms:
    arm -> mean over runs, its interval over records. gap: unlearned minus retrained, its interval
    over runs."""

    fpr: float
    arms: dict[ArmKey, Number]
    gap: Number


@dataclass(frozen=True)
class AttackSummary:
    """One attack on all arms. family: what it goes by (see `auditkit.attacks.Family`). auc: arm ->
    mean over runs. gap: unlearned minus retrained; None where it is a required test, whose finding
    carries it. near: jittered query -> the same gap asked near
    the records, where the attack can be mounted there. balanced_accuracy: arm -> mean over runs,
    the threshold chosen on other records; the advantage is twice that minus one. points:
    true-positive rates at quotable false-positive rates, for the ROC figure and its table. leads:
    the strongest of its family on the original runs."""

    name: str
    title: str
    paper: str
    family: str
    auc: dict[ArmKey, Number]
    gap: Number | None
    near: dict[Query, Number]
    balanced_accuracy: dict[ArmKey, Number]
    points: tuple[OperatingPoint, ...]
    leads: bool


@dataclass(frozen=True)
class AgreedBy:
    """How many forget records are found by `attacks` attacks or more. records: arm -> their
    number."""

    attacks: int
    records: dict[ArmKey, int]


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
    records: how many forget records there are; a count's `n_records` says in how many of them
    the original runs show memory at all, and only those can be exposed. unlearned: how many are
    still remembered, below: how many were pushed below what retrained runs show. original,
    honest: the same count of these arms. control: how many control records are named, which were
    never trained on. if_alone: how often a record would be named were it the only one that was
    left in whole: what it is worth not to be. share: of the memory of the worst record that is
    left, and the most that is left in any. auc: how often unlearned and retrained runs are told
    apart by their answer on the worst record; honest_share, honest_auc: the same of the honest
    control."""

    false_discoveries: float
    records: int
    unlearned: Number
    below: Number
    original: Number
    honest: Number
    control: Number
    if_alone: Number
    share: Number
    honest_share: Number
    auc: Number
    honest_auc: Number
    halves: Halves | None
