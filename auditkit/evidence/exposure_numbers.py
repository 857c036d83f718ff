"""Which single records are still exposed, as values of evidence.json and as arrays beside them."""

from dataclasses import asdict

import numpy as np
import numpy.typing as npt

from auditkit.core.ids import EXACT, HONEST, UNLEARNED
from auditkit.evidence.numbers import incomparable_arms, plain_number
from auditkit.evidence.schema import Halves, Number, RecordExposure
from auditkit.reports.method_page import METHOD
from auditkit.signals.arms import Arms
from auditkit.statistics.exposure import (
    FALSE_DISCOVERIES,
    Exposure,
    exposure,
    halves_overlap,
    memorised_independently,
    naming_power,
)
from auditkit.statistics.margins import Ints, Margins, stacked
from auditkit.statistics.worst_record import record_bounds, worst_auc, worst_share

NAMED = (
    "one-sided t per record, drift taken from the control records nearest in margin, Benjamini-Hochberg at a "
    f"false discovery rate of {FALSE_DISCOVERIES:g}"
)


def record_exposure(arms: Arms, alpha: float) -> RecordExposure | None:
    """How many forget records are still exposed, and how much the worst of them; None where
    unlearned and retrained runs are too different to be compared record by record, or there is a
    single unlearned one."""
    O, U, R, H, P = _margins(arms)
    if U.runs == 1 or incomparable_arms(arms, EXACT):
        return None
    seen, found = _found(arms)
    # Pooled, the two retrained arms say nothing of how they differ.
    seen_by_both = memorised_independently(O, stacked(R, H), R)
    honest = exposure(H, R, seen_by_both)
    runs, records = R.runs, len(found.forget)
    halves = halves_overlap(U, R, seen, P)

    def count(n: int, of: int) -> Number:
        return plain_number(float(n), runs, of, NAMED, "exposure")

    return RecordExposure(
        false_discoveries=FALSE_DISCOVERIES,
        records=records,
        unlearned=count(int(found.remembered.sum()), len(seen)),
        below=count(int(found.below.sum()), len(seen)),
        original=count(int(exposure(O, R, seen).remembered.sum()), len(seen)),
        honest=count(int(honest.remembered.sum()), len(seen_by_both)),
        control=count(int(found.false.sum()), len(found.false)),
        if_alone=plain_number(
            naming_power(O, U, R, seen, P),
            runs,
            len(seen),
            "mean over records of the probability that t with the original runs in the place of the unlearned"
            " ones stands one discovery",
            "exposure",
        ),
        share=_share_number(arms, alpha),
        honest_share=_share_number(arms.passed_off(HONEST.kind), alpha),
        auc=_auc_number(worst_auc(U, P, alpha), runs, records, alpha),
        honest_auc=_auc_number(worst_auc(H, R, alpha), runs, records, alpha),
        halves=None if halves is None else Halves(**asdict(halves), runs=runs // 2),
    )


def exposure_arrays(arms: Arms, alpha: float) -> dict[str, npt.NDArray[np.generic]]:
    """For scores/, in the order of `forget_ids` and `control_ids`: which records are exposed, and
    the t behind it; and the share of its memory that each has left at most, at level 1 - alpha for
    all of them together, NaN where memory of it cannot be seen."""
    if arms.unlearned.margins[EXACT].runs == 1 or incomparable_arms(arms, EXACT):
        return {}
    seen, found = _found(arms)
    O, U, R, _, P = _margins(arms)
    _, at_most = record_bounds(O, U, R, alpha, P)
    in_view = np.zeros(len(found.forget), dtype=bool)
    in_view[seen] = True
    return {
        f"{UNLEARNED}/exposure/t/forget": found.forget,
        f"{UNLEARNED}/exposure/t/control": found.control,
        f"{UNLEARNED}/exposure/in sight/forget": in_view,
        f"{UNLEARNED}/exposure/remembered/forget": found.remembered,
        f"{UNLEARNED}/exposure/below/forget": found.below,
        f"{UNLEARNED}/exposure/at most/forget": at_most,
    }


def _found(arms: Arms) -> tuple[Ints, Exposure]:
    O, U, R, H, P = _margins(arms)
    seen = memorised_independently(O, H, R)
    return seen, exposure(U, R, seen, P)


def _margins(arms: Arms) -> tuple[Margins, ...]:
    compared = (arms.original, arms.unlearned, arms.retrained, arms.honest, arms.reference)
    return tuple(arm.margins[EXACT] for arm in compared)


def _share_number(arms: Arms, alpha: float) -> Number:
    O, U, R, _, P = _margins(arms)
    worst = worst_share(O, U, R, alpha, P)
    if worst is None:
        method = "not defined: in no single record can original and retrained runs be told apart"
        return plain_number(None, R.runs, R.forget.shape[1], method, "exposure")
    method = (
        "(unlearned - what it is compared with) / (original - retrained) of the record with the highest"
        " bound; Fieller's upper bound, Bonferroni over all forget records"
    )
    return Number(
        worst.share, None, worst.upper, 1 - alpha, R.runs, worst.visible, method, f"{METHOD}#exposure"
    )


def _auc_number(found: tuple[float, float], runs: int, records: int, alpha: float) -> Number:
    method = (
        "Phi(delta / sqrt 2) of the worst record, normal margins; noncentral t bound, Bonferroni over records"
    )
    return Number(found[0], None, found[1], 1 - alpha, runs, records, method, f"{METHOD}#exposure")
