"""The path of a claim about answers that were handed in: no model, no training, no torch.

From signals on it is that of `auditkit.pipeline`. What was not handed in cannot be checked: it is
no required test of such a claim, and stands under what was not checked.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from auditkit.attacks import ATTACKS, FAMILIES, NotApplicable
from auditkit.attacks.battery import dependent_attacks, run_battery
from auditkit.claims.claim import ONE_RUN_MARGINS, Claim, with_margins
from auditkit.claims.required import required_tests
from auditkit.core.canonical import canonical, commitment
from auditkit.core.environment import without_torch
from auditkit.core.errors import UsageError
from auditkit.core.progress import NullReporter, Reporter
from auditkit.evidence import attack_numbers as battery
from auditkit.evidence import memory_numbers as summary
from auditkit.evidence.bundle import check_place, open_bundle, open_key, write_bundle
from auditkit.evidence.exposure_numbers import exposure_arrays, record_exposure
from auditkit.evidence.report_files import report_files
from auditkit.evidence.run_record import arm_summary, npz, run_record, salted_ids
from auditkit.evidence.schema import (
    Control,
    DataSummary,
    Evidence,
    Finding,
    InterfaceSummary,
    NotChecked,
    Verdict,
)
from auditkit.evidence.scope import UNSAID, of_predictions
from auditkit.signals.measurements import COMPARED, build_arms, bundle_arrays, group_records
from auditkit.signals.predictions_file import SETS, SubmittedPredictions, load_predictions
from auditkit.statistics.agreement import Agreement
from auditkit.statistics.arms import Arms, Scores
from auditkit.study.lock_check import expected_lock, verify_lock
from auditkit.verdict import decide, decide_single_model

SPOKEN_OF = ("name", "statement", "claimant", "auditor", "threat_model", "seed", "predictions", "criteria")
"""What a claim about answers may speak of; the rest is about training."""
NOT_HANDED_IN = (
    NotChecked("how the models were trained", "the reference runs are taken for what they are said to be"),
    NotChecked(
        "near-duplicates",
        "the records themselves were not handed in: copies of forget records may have been kept",
    ),
    NotChecked("what the weights hold", "no model was handed in that could be relearned, probed or rescaled"),
    NotChecked("the released model itself", "whether any model gave these answers cannot be seen from them"),
    NotChecked(
        "copies elsewhere", "source data, backups, derived data sets and other models are out of sight"
    ),
)
NO_JITTER = NotChecked(
    "residual memory near the records",
    "no answers were handed in that are said to lie a neighbour distance from the records or further: a"
    " filter that answers for the forget records alone would pass",
)
FAR_ENOUGH = 1.0
"""The share of the usual neighbour distance that answers near the records must reach, if they are
to count as such."""


def audit_predictions(
    claim: Claim,
    out: Path,
    *,
    folder: Path = Path(),
    problems: Sequence[str] = (),
    tell: Reporter | None = None,
    lock: str | None = None,
) -> Evidence:
    """Audit a claim about answers and leave the evidence bundle at `out`; arguments and errors as
    those of `auditkit.pipeline.audit`."""
    started, tell = time.time(), tell or NullReporter()
    begun = lock_audit(claim, out, folder=folder, problems=problems, lock=lock)
    claim, given, unmounted, key, lock_sha256 = begun

    tell.say("attacking every compared run ...")
    signals, places, criteria = given.signals, given.places, claim.criteria
    scores, skipped = run_battery(signals, criteria.all_attacks, places.forget, places.control)
    found = battery.attack_agreement(scores)
    parts = group_records(signals.labels[places.forget])
    arms = build_arms(signals, given.near, places, scores, skipped, parts)

    tell.say("deciding ...")
    judge = decide_single_model if given.unlearned_runs == 1 else decide
    decision = judge(arms, criteria, len(places.test), claim.seed)
    evidence = _assembled(claim, given, arms, scores, found, unmounted, decision, lock_sha256, key)

    tell.say("writing the report ...")
    arrays = {
        **bundle_arrays(arms, scores, found, salted_ids(signals, key), places),
        **exposure_arrays(arms),
    }
    record = run_record(started, f"auditkit {' '.join(sys.argv[1:])}")
    files = {"evidence.json": canonical(evidence), "run.json": json.dumps(record, indent=1).encode()}
    write_bundle(out, {**files, "scores/scores.npz": npz(arrays), **report_files(files, tell)})
    return evidence


class LockedPredictions(NamedTuple):
    """An audit of answers whose criteria are locked. unmounted: what the criteria leave unchecked;
    the rest as in `auditkit.study.lock.LockedAudit`."""

    claim: Claim
    given: SubmittedPredictions
    unmounted: list[NotChecked]
    key: bytes
    lock_sha256: str


def lock_audit(
    claim: Claim, out: Path, *, folder: Path, problems: Sequence[str], lock: str | None = None
) -> LockedPredictions:
    """Check the claim and the answers, and lock both in the bundle at `out`; as
    `auditkit.study.lock.lock_audit`."""
    check_place(out)
    promise, wrong = expected_lock(lock, out) if lock else (None, [])
    given = _checked(claim, folder, [*problems, *wrong])
    claim, unmounted = _settled(claim, given)
    key = open_key(out)
    criteria = _locked(claim, given, key)
    if promise:
        verify_lock(promise, canonical(criteria))
    return LockedPredictions(claim, given, unmounted, key, open_bundle(out, criteria))


def _checked(claim: Claim, folder: Path, problems: Sequence[str]) -> SubmittedPredictions:
    """What was handed in; UsageError with everything that is wrong with it and with the claim."""
    assert claim.predictions is not None
    problems = list(problems)
    problems += [
        f"{part}: a claim about answers trains nothing, found [{part}]; remove it, or [predictions]"
        for part in sorted(claim.model_fields_set - set(SPOKEN_OF))
    ]
    unknown = [name for name in claim.criteria.all_attacks if name not in ATTACKS]
    if unknown:
        problems.append(f"criteria.attacks: must be among {', '.join(ATTACKS)}, found {', '.join(unknown)}")
    problems += dependent_attacks(claim.criteria.attacks)
    said = claim.criteria.model_fields_set
    if "recoveries" in said and claim.criteria.recoveries:
        problems.append(
            "criteria.recoveries: they take models in hand, and only answers were handed in; set it to []"
        )
    try:
        given = load_predictions(folder / claim.predictions.file.expanduser(), claim.seed)
    except UsageError as error:
        raise UsageError(*problems, *error.problems) from error
    if "jitter" in said and (absent := sorted(set(claim.criteria.jitter) - set(given.shares))):
        problems.append(
            "criteria.jitter: answers near the records must be handed in for each, found none for "
            f"{', '.join(f'{share:g}' for share in absent)}; add them, or leave the key out"
        )
    if problems:
        raise UsageError(*problems)
    return given


def _settled(claim: Claim, given: SubmittedPredictions) -> tuple[Claim, list[NotChecked]]:
    """The claim with the criteria that it leaves open written out, and what they leave unchecked:
    margins by the number of unlearned runs, attacks and jitter by what was handed in."""
    reasons = {name: reason for name in claim.criteria.all_attacks if (reason := _unmountable(name, given))}
    able = {
        part: tuple(name for name in getattr(claim.criteria, part) if name not in reasons)
        for part in ("attacks", "reported")
    }
    if given.unlearned_runs == 1:
        claim = with_margins(claim, ONE_RUN_MARGINS)
    claim = with_margins(claim, {**able, "jitter": given.shares, "recoveries": ()})
    dropped = [name for name in reasons if name not in claim.criteria.all_attacks]
    return claim, [NotChecked(f"attack: {ATTACKS[name].title}", reasons[name]) for name in dropped]


def _unmountable(name: str, given: SubmittedPredictions) -> str | None:
    """Why an attack cannot be mounted on a retrained run of what was handed in; None if it can. The
    unlearned runs are not looked at."""
    if FAMILIES[ATTACKS[name].family].needs_torch:
        return (
            "the library of this attack brings torch with it; name it in criteria.attacks to have it mounted"
        )
    try:
        ATTACKS[name].score(given.signals, int(given.signals.runs_of("retrained")[0]))
    except NotApplicable as error:
        return error.reason
    return None


def _plain(claim: Claim) -> dict[str, object]:
    assert claim.predictions is not None
    plain: dict[str, object] = claim.model_dump(mode="json", exclude_none=True, include=set(SPOKEN_OF))
    return {**plain, "predictions": {"file": claim.predictions.file.name}}


def _locked(claim: Claim, given: SubmittedPredictions, key: bytes) -> dict[str, object]:
    """What is fixed before anything is computed, for lock.json."""
    ids = given.signals.ids
    return {
        "schema": 1,
        "claim": _plain(claim),
        "data": {
            "sha256": given.sha256,
            "sets": {name: commitment(key, ids[getattr(given.places, name)].tolist()) for name in SETS},
        },
        "required_tests": required_tests(claim.criteria),
    }


def _assembled(
    claim: Claim,
    given: SubmittedPredictions,
    arms: Arms,
    scores: Mapping[str, Mapping[str, Scores]],
    found: Mapping[str, Agreement],
    unmounted: Sequence[NotChecked],
    decision: tuple[list[Finding], list[Control], Verdict],
    lock_sha256: str,
    key: bytes,
) -> Evidence:
    """Everything the audit found, as the value that evidence.json holds."""
    findings, controls, verdict = decision
    criteria, signals, places = claim.criteria, given.signals, given.places
    return Evidence(
        schema=1,
        lock_sha256=lock_sha256,
        claim=_plain(claim),
        scope=of_predictions(given.unlearned_runs),
        interface=InterfaceSummary(given.interface.words) if given.interface.words else None,
        looks=(),
        data=_data(claim, given),
        environment=without_torch(),
        arms=tuple(arm_summary(name, signals, places, criteria.alpha, claim.kind) for name in COMPARED),
        controls=tuple(controls),
        exposure=record_exposure(arms, criteria.alpha),
        residual_memory=summary.residual_memory(arms, signals.labels[places.forget], criteria.alpha),
        states=(),
        findings=tuple(findings),
        attacks=battery.attack_summaries(scores, {}, criteria.alpha),
        agreement=battery.agreement(found),
        before_after=(
            None if given.unlearned_runs == 1 else battery.both_versions(signals, places, criteria.alpha)
        ),
        swap=(),
        privacy=None,
        utility=summary.utility(arms, len(places.test), criteria.alpha),
        drift=summary.drift(arms, criteria.alpha),
        not_checked=(
            *([UNSAID] if given.interface.words else []),
            *([] if max(criteria.jitter, default=0.0) >= FAR_ENOUGH else [NO_JITTER]),
            *unmounted,
            *NOT_HANDED_IN,
        ),
        warnings=given.notes,
        verdict=verdict,
    )


def _data(claim: Claim, given: SubmittedPredictions) -> DataSummary:
    assert claim.predictions is not None
    return DataSummary(
        name=claim.predictions.file.stem,
        origin="answers handed in as arrays",
        licence="not stated",
        commitment=given.sha256,
        sets={name: len(getattr(given.places, name)) for name in SETS},
        near_duplicates=None,
        exact_duplicates=None,
        jitter={f"jitter {share:g}": None for share in claim.criteria.jitter},
    )
