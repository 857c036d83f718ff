"""The lock: what an audit is held to, fixed and published before the first model is trained."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from auditkit.claims.claim import Claim
from auditkit.core.canonical import canonical
from auditkit.core.progress import Reporter
from auditkit.engine.cost import Resources
from auditkit.engine.plan import Plan
from auditkit.evidence.bundle import check_place, open_bundle, open_key
from auditkit.study.lock_check import expected_lock, verify_lock
from auditkit.study.planning import locked_plan, plan_for, plan_in
from auditkit.study.study import Study, locked, prepare


class LockedAudit(NamedTuple):
    """An audit whose criteria are locked, and of which nothing is trained yet. key: of the bundle's
    ids; lock_sha256: of its lock.json."""

    study: Study
    plan: Plan
    jobs: int
    key: bytes
    lock_sha256: str


def lock_audit(
    claim: Claim,
    out: Path,
    *,
    folder: Path,
    problems: Sequence[str],
    given: Resources,
    tell: Reporter,
    lock: str | None = None,
) -> LockedAudit:
    """Check the claim, choose the plan, and lock both in the bundle at `out`.

    lock: what the criteria must be, see `expected_lock`. Raises UsageError with every problem, and
    then nothing is written; where `out` or `lock` holds other criteria, with the names of what
    differs.
    """
    check_place(out)
    promise, wrong = expected_lock(lock, out) if lock else (None, [])
    study = prepare(claim, folder, [*problems, *wrong], tell)
    before = plan_in(promise.content) if promise and promise.content else locked_plan(out)
    plan, jobs = plan_for(study, given, before, tell)
    key = open_key(out)
    criteria = locked(study, plan, key)
    if promise:
        verify_lock(promise, canonical(criteria))
    return LockedAudit(study, plan, jobs, key, open_bundle(out, criteria))
