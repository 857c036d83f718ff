"""Where the answers of an audit come from, once its criteria are locked: models that are trained
here, or answers that were submitted. No torch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from auditkit.claims.claim import Claim
from auditkit.evidence.assemble import Account, Attacked
from auditkit.evidence.schema import PrivacySummary
from auditkit.signals.interface import Interface
from auditkit.signals.measurements import Measured


@dataclass(frozen=True)
class AuditRequest:
    """What is to be audited, and where.

    Attributes:
        claim: the claim as it was read.
        out: the directory of the bundle.
        folder: where relative paths in the claim start.
        problems: what was already found wrong with the claim.
        lock: what the audit must be held to, see `auditkit.study.lock_check.expected_lock`.
    """

    claim: Claim
    out: Path
    folder: Path = Path()
    problems: tuple[str, ...] = ()
    lock: str | None = None


@dataclass(frozen=True, eq=False)
class Source:
    """A locked audit and its answers.

    Attributes:
        claim: with everything that it leaves open written out.
        key: salts the record ids of the bundle; it lies in a file beside it.
        lock_sha256: of what was locked.
        looks: (runs an arm, share of alpha) of each look.
        measure: runs an arm -> the answers of all models.
        measure_stress: runs an arm and what the models withhold -> the answers of all models of the
            stress world, once those of the plain one are measured; None where there is none.
        account: what is said beside the decision, at a level alpha.
        one_model: whether the claim is about a single model.
        audit_privacy: puts a claim of differential privacy to the test, which trains a model; None
            where there is no such claim.
    """

    claim: Claim
    key: bytes
    lock_sha256: str
    looks: Sequence[tuple[int, float]]
    measure: Callable[[int], Measured]
    account: Callable[[Attacked, float], Account]
    one_model: bool
    audit_privacy: Callable[[], PrivacySummary] | None = None
    measure_stress: Callable[[int, Interface], Measured] | None = None
