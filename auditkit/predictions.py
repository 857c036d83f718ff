"""A claim about answers that were handed in: no model, no training, no torch.

What was not handed in cannot be checked: it is no required test of such a claim, and stands under
what was not checked.
"""

from collections.abc import Sequence
from pathlib import Path

from auditkit.attacks import ATTACKS, FAMILIES, NotApplicable
from auditkit.attacks.battery import dependent_attacks
from auditkit.claims.claim import Claim
from auditkit.claims.criteria import ONE_RUN_MARGINS
from auditkit.claims.read import with_margins
from auditkit.claims.required import required_tests
from auditkit.core.canonical import canonical, commitment
from auditkit.core.environment import without_torch
from auditkit.core.errors import UsageError
from auditkit.core.ids import RETRAINED, Jitter
from auditkit.core.progress import Reporter
from auditkit.evidence.assemble import Account, Attacked
from auditkit.evidence.bundle import check_place, open_bundle, open_key
from auditkit.evidence.schema import DataSummary, NotChecked
from auditkit.evidence.scope import NO_PLACEBO, of_predictions
from auditkit.evidence.version_numbers import both_versions
from auditkit.signals.measurements import Measured
from auditkit.signals.predictions_checks import SETS
from auditkit.signals.predictions_file import SubmittedPredictions, load_predictions
from auditkit.study.lock_check import expected_lock, verify_lock
from auditkit.study.source import AuditRequest, Source

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


def submitted_source(request: AuditRequest, tell: Reporter) -> Source:
    """Check the claim and the answers, lock both in the bundle, and give the answers.

    Args:
        request: what is to be audited.
        tell: how progress is reported; nothing here takes long.

    Raises:
        UsageError: with everything that is wrong with claim and answers, and then nothing is
            written; where the bundle or the request's lock holds other criteria, with the names of
            what differs.
    """
    del tell
    check_place(request.out)
    promise, wrong = expected_lock(request.lock, request.out) if request.lock else (None, [])
    submitted = _checked(request.claim, request.folder, [*request.problems, *wrong])
    claim, unmounted = _with_defaults(request.claim, submitted)
    key = open_key(request.out)
    content = _lock_content(claim, submitted, key)
    if promise:
        verify_lock(promise, canonical(content))
    lock_sha256, one_model = open_bundle(request.out, content), submitted.unlearned_runs == 1
    runs = len(submitted.measured.signals.runs_of(RETRAINED))

    def measure(per_arm: int) -> Measured:
        del per_arm  # All answers are there from the start.
        return submitted.measured

    def account(attacked: Attacked, alpha: float) -> Account:
        signals, sets = attacked.measured.signals, attacked.measured.sets
        far = max(claim.criteria.jitter, default=0.0) >= FAR_ENOUGH
        unsaid = (*([] if far else [NO_JITTER]), *(() if attacked.arms.placebo else (NO_PLACEBO,)))
        return Account(
            kind=claim.kind,
            lock_sha256=lock_sha256,
            claim=_plain(claim),
            scope=of_predictions(submitted.unlearned_runs),
            data=_data(claim, submitted),
            environment=without_torch(),
            not_checked=(*unsaid, *unmounted, *NOT_HANDED_IN),
            warnings=submitted.notes,
            before_after=None if one_model else both_versions(signals, sets, alpha),
        )

    return Source(claim, key, lock_sha256, [(runs, 1.0)], measure, account, one_model)


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
        submitted = load_predictions(folder / claim.predictions.file.expanduser(), claim.seed)
    except UsageError as error:
        raise UsageError(*problems, *error.problems) from error
    if "jitter" in said and (absent := sorted(set(claim.criteria.jitter) - set(submitted.shares))):
        problems.append(
            "criteria.jitter: answers near the records must be handed in for each, found none for "
            f"{', '.join(f'{share:g}' for share in absent)}; add them, or leave the key out"
        )
    if problems:
        raise UsageError(*problems)
    return submitted


def _with_defaults(claim: Claim, submitted: SubmittedPredictions) -> tuple[Claim, list[NotChecked]]:
    """The claim with the criteria that it leaves open written out, and what they leave unchecked:
    margins by the number of unlearned runs, attacks and jitter by what was handed in."""
    reasons = {
        name: reason for name in claim.criteria.all_attacks if (reason := _unmountable(name, submitted))
    }
    able = {
        part: tuple(name for name in getattr(claim.criteria, part) if name not in reasons)
        for part in ("attacks", "reported")
    }
    if submitted.unlearned_runs == 1:
        claim = with_margins(claim, ONE_RUN_MARGINS)
    claim = with_margins(claim, {**able, "jitter": submitted.shares, "recoveries": ()})
    dropped = [name for name in reasons if name not in claim.criteria.all_attacks]
    return claim, [NotChecked(f"attack: {ATTACKS[name].title}", reasons[name]) for name in dropped]


def _unmountable(name: str, submitted: SubmittedPredictions) -> str | None:
    """Why an attack cannot be mounted on a retrained run of what was handed in; None if it can. The
    unlearned runs are not looked at."""
    if FAMILIES[ATTACKS[name].family].needs_torch:
        return (
            "the library of this attack brings torch with it; name it in criteria.attacks to have it mounted"
        )
    try:
        ATTACKS[name].score(submitted.measured.signals, int(submitted.measured.signals.runs_of(RETRAINED)[0]))
    except NotApplicable as error:
        return error.reason
    return None


def _plain(claim: Claim) -> dict[str, object]:
    assert claim.predictions is not None
    plain: dict[str, object] = claim.model_dump(mode="json", exclude_none=True, include=set(SPOKEN_OF))
    return {**plain, "predictions": {"file": claim.predictions.file.name}}


def _lock_content(claim: Claim, submitted: SubmittedPredictions, key: bytes) -> dict[str, object]:
    """What is fixed before anything is computed, for lock.json."""
    ids = submitted.measured.signals.ids
    return {
        "schema": 1,
        "claim": _plain(claim),
        "data": {
            "sha256": submitted.sha256,
            "sets": {
                name: commitment(key, ids[getattr(submitted.measured.sets, name)].tolist()) for name in SETS
            },
        },
        "required_tests": required_tests(claim.criteria),
    }


def _data(claim: Claim, submitted: SubmittedPredictions) -> DataSummary:
    assert claim.predictions is not None
    return DataSummary(
        name=claim.predictions.file.stem,
        origin="answers handed in as arrays",
        licence="not stated",
        commitment=submitted.sha256,
        sets={name: len(getattr(submitted.measured.sets, name)) for name in SETS},
        near_duplicates=None,
        exact_duplicates=None,
        jitter=dict.fromkeys(map(Jitter, claim.criteria.jitter)),
    )
