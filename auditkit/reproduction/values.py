"""What the experiments leave: frozen values, one for each thing that the page shows. Nothing here
computes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auditkit.evidence.schema import Number, Outcome


@dataclass(frozen=True)
class Decided:
    """What the audit of one procedure said. memory: how the forget records were asked about ->
    residual memory. refuted_by: the tests that refute the claim; in_the_way: what else keeps it
    from being supported."""

    outcome: Outcome
    sentence: str
    memory: Mapping[str, Number]
    refuted_by: tuple[str, ...]
    in_the_way: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One arm of a table. procedure: by which it is made, with its options; empty for an arm that
    is trained from scratch. retain, forget, test: accuracies; attack: accuracy of the paper's
    membership-inference attack, chance being 0.5. cost: floating-point operations over those of
    retraining; seconds: over its seconds. decided: None for arms that are no claim."""

    name: str
    procedure: str
    options: Mapping[str, Any]
    runs: int
    retain: Number
    forget: Number
    test: Number
    attack: Number
    cost: float | None
    seconds: float | None
    decided: Decided | None


@dataclass(frozen=True)
class Table:
    """Procedures on one data set, audited side by side. claim: what was done, but for the
    procedure. attack: how the paper's attack learns. diverged: runs whose answers were not finite,
    in words. says: what the rows say, in sentences."""

    name: str
    data: str
    claim: Mapping[str, Any]
    attack: str
    retraining_seconds: float
    diverged: tuple[str, ...]
    rows: tuple[Row, ...]
    says: tuple[str, ...] = ()
