"""THE main path: from a claim to its evidence, top to bottom on one screen."""

import json
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from auditkit.attacks.battery import near_aucs, run_battery
from auditkit.claims.claim import Claim
from auditkit.core.canonical import canonical
from auditkit.core.progress import NullReporter, Reporter
from auditkit.engine.cost import Resources
from auditkit.engine.queue import WorkerConfig
from auditkit.evidence.attack_numbers import attack_agreement
from auditkit.evidence.bundle import write_bundle
from auditkit.evidence.exposure_numbers import exposure_arrays
from auditkit.evidence.report_files import report_files
from auditkit.evidence.run_record import npz, run_record, salted_ids
from auditkit.evidence.schema import Evidence, Look
from auditkit.predictions import audit_predictions
from auditkit.runs.assemble import assemble, set_indices, signals_of
from auditkit.runs.collect import collect_through_common_interface
from auditkit.runs.dp_stage import run_dp_audit
from auditkit.runs.queries import build_queries
from auditkit.signals.measurements import build_arms, bundle_arrays, group_records
from auditkit.statistics.sequential import schedule
from auditkit.study.lock import lock_audit
from auditkit.verdict import decide, decide_single_model, record_look, with_diverged
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

    folder: where relative paths in the claim start. problems: what was already found wrong with the
    claim while reading it. given: what the audit may use of the machine, by default all. tell: how
    to report progress. lock: what the audit must be held to, see `auditkit.study.lock.promised`.
    Interrupted at any moment, the same call goes on where it was. Raises UsageError with every
    problem before anything is trained or written, AuditError where the audit cannot run.
    """
    if claim.predictions:
        return audit_predictions(claim, out, folder=folder, problems=problems, tell=tell, lock=lock)
    started, tell = time.time(), tell or NullReporter()
    given = given or Resources()
    begun = lock_audit(claim, out, folder=folder, problems=problems, given=given, tell=tell, lock=lock)
    study, plan, jobs, key, lock_sha256 = begun
    whole, workers = build_queries(study), WorkerConfig(jobs, plan.threads, given.backend, given.address)
    parts = group_records(study.data.y[study.sets.forget], study.data.groups[study.sets.forget])
    privacy = run_dp_audit(study, plan, tell) if claim.privacy else None
    besides = [privacy_finding(privacy)] if privacy else []
    looks: list[Look] = []
    for per_arm, share in schedule(claim.runs.looks, claim.runs.per_arm):
        if looks:
            tell.say(f"inconclusive after {looks[-1].runs} runs an arm; going on to {per_arm} ...")
        asked, collected = collect_through_common_interface(
            study, whole, plan, workers, lock_sha256, tell, per_arm
        )
        signals = signals_of(study, asked, collected)
        places = set_indices(study, signals)
        tell.say("attacking every compared run ...")
        scores, skipped = run_battery(signals, claim.criteria.all_attacks, places.forget, places.control)
        arms = build_arms(signals, collected.near, places, scores, skipped, parts)
        tell.say("deciding ...")
        judge = decide_single_model if study.released else partial(decide, share=share)
        decision = with_diverged(
            judge(arms, study.claim.criteria, len(places.test), claim.seed, besides),
            collected.diverged,
        )
        looks.append(record_look(decision, per_arm, share * claim.criteria.alpha))
        if looks[-1].outcome != "inconclusive" or collected.diverged:
            break  # runs that diverged stay so: no further look could decide

    near = near_aucs(
        signals, claim.criteria.all_attacks, places.forget, places.control, collected.near_logits
    )
    found = attack_agreement(scores)
    evidence = assemble(
        study, asked, plan, signals, arms, scores, near, found, privacy, decision, looks, lock_sha256, key
    )

    tell.say("writing the report ...")
    arrays = {
        **bundle_arrays(arms, scores, found, salted_ids(signals, key), places),
        **exposure_arrays(arms),
    }
    record = run_record(started, f"auditkit {' '.join(sys.argv[1:])}")
    files = {"evidence.json": canonical(evidence), "run.json": json.dumps(record, indent=1).encode()}
    write_bundle(out, {**files, "scores/scores.npz": npz(arrays), **report_files(files, tell)})
    return evidence
