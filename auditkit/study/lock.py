"""The lock: what an audit is held to, fixed and published before the first model is trained."""

from dataclasses import asdict, dataclass
from typing import Any

from auditkit.claims.claim import Claim
from auditkit.claims.required import required_tests
from auditkit.core.canonical import canonical, commitment, digest
from auditkit.core.environment import environment
from auditkit.core.progress import Reporter
from auditkit.engine.plan import Plan
from auditkit.engine.resources import Resources
from auditkit.evidence.bundle import check_place, open_bundle, open_key
from auditkit.statistics.sequential import schedule
from auditkit.study.lock_check import expected_lock, verify_lock
from auditkit.study.planning import locked_plan, plan_for, plan_in
from auditkit.study.source import AuditRequest
from auditkit.study.study import Study, prepare, seeds_of


@dataclass(frozen=True, eq=False)
class LockedAudit:
    """An audit whose criteria are locked, and of which nothing is trained yet. key: of the bundle's
    ids; lock_sha256: of its lock.json."""

    study: Study
    plan: Plan
    jobs: int
    key: bytes
    lock_sha256: str


def lock_audit(request: AuditRequest, given: Resources, tell: Reporter) -> LockedAudit:
    """Check the claim, choose the plan, and lock both in the bundle.

    Args:
        request: what is to be audited.
        given: what may be used of the machine.
        tell: how progress is reported.

    Raises:
        UsageError: with every problem, and then nothing is written; where the bundle or the
            request's lock holds other criteria, with the names of what differs.
    """
    check_place(request.out)
    promise, wrong = expected_lock(request.lock, request.out) if request.lock else (None, [])
    study = prepare(request.claim, request.folder, [*request.problems, *wrong], tell)
    before = plan_in(promise.content) if promise and promise.content else locked_plan(request.out)
    plan, jobs = plan_for(study, given, before, tell)
    key = open_key(request.out)
    content = lock_content(study, plan, key)
    if promise:
        verify_lock(promise, canonical(content))
    return LockedAudit(study, plan, jobs, key, open_bundle(request.out, content))


def lock_content(study: Study, plan: Plan, key: bytes) -> dict[str, object]:
    """What is fixed before the first model is trained, for lock.json."""
    ids = study.data.ids
    released = {"released": study.released.sha256} if study.released else {}
    return {
        **released,
        "schema": 1,
        "claim": plain_claim(study.claim, key),
        "data": {
            "commitment": study.data.commitment(),
            "sets": {
                name: commitment(key, ids[positions].tolist())
                for name, positions in asdict(study.sets).items()
            },
        },
        "required_tests": required_tests(
            study.claim.criteria, private=study.claim.privacy is not None, stress=study.stressed
        ),
        "looks": [
            {"runs": n, "level": share * study.claim.criteria.alpha}
            for n, share in schedule(study.claim.runs.looks, study.claim.runs.per_arm)
        ],
        "seeds": {
            "rule": "63 bits of SHA-256 over '<claim.seed>/<arm>/<index>'",
            "sha256": digest(seeds_of(study)),
        },
        "code": {"auditkit": environment()["code_sha256"], **study.own_code},
        "plan": asdict(plan),
    }


def plain_claim(claim: Claim, key: bytes) -> dict[str, object]:
    """The claim as it may leave the audit: record ids only as a salted commitment."""
    plain: dict[str, Any] = claim.model_dump(mode="json", exclude_none=True)
    if claim.release:
        plain.pop("procedure")
        plain["release"]["weights"] = claim.release.weights.name
    if claim.forget.ids is not None:
        plain["forget"] = {"records": len(claim.forget.ids), "commitment": commitment(key, claim.forget.ids)}
    return plain
