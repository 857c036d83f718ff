"""What two versions of a model, or two worlds, give away together."""

from collections.abc import Sequence

import numpy as np

from auditkit.attacks import ATTACKS, NotApplicable
from auditkit.attacks.battery import score_arm
from auditkit.attacks.posterior_difference import before_after
from auditkit.core.ids import SWAPPED_UNLEARNED, UNLEARNED
from auditkit.evidence.numbers import mean_number
from auditkit.evidence.schema import BeforeAfter, Number, SwapLine
from auditkit.reports.method_page import METHOD
from auditkit.signals.measurements import SetIndices
from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Ints
from auditkit.statistics.scores import Scores
from auditkit.statistics.swap import swap_advantage


def both_versions(signals: Signals, sets: SetIndices, alpha: float) -> BeforeAfter:
    """What the original and a later model give away together."""
    found = before_after(signals, sets.forget, sets.control)
    records = len(sets.forget) + len(sets.control)
    what = "the AUC of the drop of the margin from the original run to the later one, ties half"
    return BeforeAfter(*(mean_number(a, records, alpha, what) for a in (found.unlearned, found.retrained)))


def swap_lines(
    signals: Signals, attacks: Sequence[str], forget: Ints, stand_ins: Ints, alpha: float
) -> tuple[SwapLine, ...]:
    """The SWAP advantage of each attack that goes by answers; none where there are no runs of the
    swapped world. forget, stand_ins: where these records stand in the signals, as many of
    either."""
    if not len(signals.runs_of(SWAPPED_UNLEARNED)):
        return ()
    lines = []
    for name in attacks:
        if ATTACKS[name].observes or ATTACKS[name].judges_by_others:
            continue  # they ask for what the runs of the swapped world have not
        try:
            worlds = [
                score_arm(name, signals, signals.runs_of(arm), *records)
                for arm, records in (
                    (UNLEARNED, (forget, stand_ins)),
                    (SWAPPED_UNLEARNED, (stand_ins, forget)),
                )
            ]
        except NotApplicable:
            continue
        world, swapped = worlds
        # Records that one of the worlds has no score for are left out of both.
        f = ~np.isnan([*world.forget, *swapped.control]).any(axis=0)
        t = ~np.isnan([*world.control, *swapped.forget]).any(axis=0)
        if not f.any() or not t.any():
            continue
        found = swap_advantage(
            Scores(world.forget[:, f], world.control[:, t]),
            Scores(swapped.forget[:, t], swapped.control[:, f]),
            alpha=2 * alpha,
        )
        method = "mean over pairs of runs of the advantage 2 AUC - 1 in both worlds, t-interval"
        number = Number(
            found.mean,
            found.low,
            found.high,
            1 - 2 * alpha,
            len(found.advantages),
            int(f.sum() + t.sum()),
            method,
            f"{METHOD}#swap",
        )
        lines.append(SwapLine(name, ATTACKS[name].title, number))
    return tuple(lines)
