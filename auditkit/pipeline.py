"""THE main path: from a claim to its evidence, top to bottom on one screen.

    claim -> locked source -> what all models answered -> attacks -> decision -> evidence -> bundle

It imports no torch: a claim about answers that were handed in is audited without.
"""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from auditkit.attacks.battery import run_battery
from auditkit.claims.claim import Claim
from auditkit.core.progress import NullReporter, Reporter
from auditkit.engine.resources import Resources
from auditkit.evidence.assemble import assemble, build_attacked, with_stress
from auditkit.evidence.report_files import write_audit
from auditkit.evidence.schema import Evidence, Look
from auditkit.predictions import submitted_source
from auditkit.study.source import AuditRequest, Source
from auditkit.verdict import (
    decide,
    decide_single_model,
    held_up_by_visibility,
    record_look,
    with_diverged,
)
from auditkit.verdict.difference_tests import privacy_finding


def audit(
    claim: Claim,
    out: Path,
    *,
    folder: Path = Path(),
    problems: Sequence[str] = (),
    given: Resources | None = None,
    tell: Reporter | None = None,
    lock: str | None = None,
) -> Evidence:
    """Audit a claim and leave the evidence bundle at `out`.

    Interrupted at any moment, the same call goes on where it was.

    Args:
        claim: what is said to be forgotten, by which procedure or in which model.
        out: the directory of the bundle.
        folder: where relative paths in the claim start.
        problems: what was already found wrong with the claim while reading it.
        given: what the audit may use of the machine, by default all.
        tell: how progress is reported, by default not at all.
        lock: what the audit must be held to: the SHA-256 of a lock.json, or its path.

    Raises:
        UsageError: with every problem, before anything is trained or written.
        AuditError: where the audit cannot run.
    """
    started, tell = time.time(), tell or NullReporter()
    source = open_source(AuditRequest(claim, out, folder, tuple(problems), lock), given or Resources(), tell)
    criteria, looks = source.claim.criteria, list[Look]()
    privacy = source.audit_privacy() if source.audit_privacy else None
    others = [privacy_finding(privacy)] if privacy else []
    for per_arm, share in source.looks:
        if looks:
            tell.say(f"inconclusive after {looks[-1].runs} runs an arm; going on to {per_arm} ...")
        measured = source.measure(per_arm)
        tell.say("attacking every compared run ...")
        battery = run_battery(measured.signals, criteria.all_attacks, measured.sets, measured.compared)
        attacked = build_attacked(measured, battery)
        tell.say("deciding ...")
        decide_claim = decide_single_model if source.one_model else partial(decide, share=share)
        test_records, seed = len(measured.sets.test), source.claim.seed
        decision = decide_claim(attacked.arms, criteria, test_records, seed, others)
        diverged = measured.diverged
        if source.measure_stress and held_up_by_visibility(decision) and not diverged:
            tell.say("too few forget records show any memory; going on to the stress world ...")
            stress = source.measure_stress(per_arm, measured.interface)
            attacked, diverged = with_stress(attacked, stress), stress.diverged
            decision = decide_claim(attacked.arms, criteria, test_records, seed, others)
        decision = with_diverged(decision, diverged)
        looks.append(record_look(decision, per_arm, share * criteria.alpha))
        if looks[-1].outcome != "inconclusive" or diverged:
            break  # runs that diverged stay so: no further look could decide

    account = source.account(attacked, looks[-1].level)
    evidence = assemble(account, attacked, decision, looks, criteria, privacy)
    tell.say("writing the report ...")
    write_audit(out, evidence, attacked, source.key, started, tell)
    return evidence


def open_source(request: AuditRequest, given: Resources, tell: Reporter) -> Source:
    """Check the claim, lock its criteria, and say where its answers come from.

    Raises:
        UsageError: with every problem, before anything is trained or written.
    """
    if request.claim.predictions:
        return submitted_source(request, tell)
    from auditkit.runs.trained_source import trained_source
    from auditkit.study.lock import lock_audit

    return trained_source(lock_audit(request, given, tell), given, tell)
