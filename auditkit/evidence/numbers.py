"""Values of runs as reported numbers. Intervals are over runs: the records are those that were
asked."""

from dataclasses import replace

import numpy as np

from auditkit.core.ids import Query, World
from auditkit.evidence.schema import Number
from auditkit.reports.method_page import METHOD
from auditkit.signals.arms import Arms
from auditkit.statistics.hypotheses import paired, ratio_interval, t_quantile
from auditkit.statistics.margins import Floats, Margins, comparability
from auditkit.statistics.proportions import lower_limit, upper_limit
from auditkit.statistics.residual import Memory, rho, rho_interval

FEWEST = 10
"""With fewer right or fewer wrong answers than this, accuracies are too skewed for a t-interval
alone."""


def mean_number(values: Floats, records: int, alpha: float, what: str) -> Number:
    """The mean over runs with its t-interval of level 1 - 2 alpha; of a single run its value alone.
    values: (runs,); records: how many records each value comes from; what: the quantity, in
    words."""
    if len(values) == 1:
        return plain_number(float(values[0]), 1, records, f"{what}, of the one run", "means")
    mean, error, df = paired(values)
    half = t_quantile(1 - alpha, df) * error
    return Number(
        value=mean,
        low=mean - half,
        high=mean + half,
        confidence=1 - 2 * alpha,
        n_runs=len(values),
        n_records=records,
        method=f"mean over runs of {what} on these records, t-interval over runs",
        source=f"{METHOD}#means",
    )


def accuracy_number(values: Floats, records: int, alpha: float, what: str) -> Number:
    """The mean of accuracies on `records` records, with its t-interval within [0, 1]. Where hardly
    any answer is wrong, or hardly any right, that interval is too short, and nothing at all where
    the runs agree: it is then widened to the exact limits of the share of right answers, all runs
    taken together.
    """
    number = mean_number(values, records, alpha, what)
    if number.low is None or number.high is None:  # of a single run
        return number
    low, high = max(number.low, 0.0), min(number.high, 1.0)
    asked = len(values) * records
    right = round(float(values.sum()) * records)
    if min(right, asked - right) < FEWEST:
        low = min(low, float(lower_limit(right, asked, alpha)))
        high = max(high, float(upper_limit(right, asked, alpha)))
    return replace(number, low=low, high=high)


def ratio_number(D: Floats, G: Floats, records: int, alpha: float, what: str, section: str) -> Number:
    """The ratio of two means over runs with its interval of level 1 - 2 alpha; no value where the
    lower one cannot be told from zero. D, G: (runs,)."""
    low, high = ratio_interval(D, G, alpha)
    if not np.isfinite([low, high]).all():
        return plain_number(
            None, len(D), records, f"{what}: not defined, the yardstick cannot be told from zero", section
        )
    method = f"{what}, interval by inverting the t-test over runs"
    value = float(D.mean() / G.mean())
    return Number(value, low, high, 1 - 2 * alpha, len(D), records, method, f"{METHOD}#{section}")


def plain_number(value: float | None, runs: int, records: int, method: str, section: str) -> Number:
    """A number that has no interval, or no value."""
    return Number(value, None, None, None, runs, records, method, f"{METHOD}#{section}")


ONE_RUN = "one-run-against-many"
"""The section on what is said of a single unlearned run."""


def difference_number(
    difference: tuple[float, float, float],
    alpha: float,
    runs: int,
    records: int,
    what: str,
    *,
    one_run: bool = False,
) -> Number:
    """A difference of two arms' means with its interval of level 1 - 2 alpha, by Welch's t.
    one_run: one of the arms is a single run, and `welch` has predicted it from the other."""
    mean, error, df = difference
    half = t_quantile(1 - alpha, df) * error
    method, section = (
        f"difference of means over runs ({what}) on these records, Welch's t over runs",
        "differences",
    )
    if one_run:
        section = ONE_RUN
        method = (
            f"difference of one run to the mean of the others ({what}), prediction interval by Student's t"
        )
    return Number(mean, mean - half, mean + half, 1 - 2 * alpha, runs, records, method, f"{METHOD}#{section}")


COMPARABILITY_FLOOR = 0.7
"""Below this share of the retrained runs' own agreement on control records, the unlearned runs are
too different a model for their margins to be compared."""
STRESS_FLOOR = 0.5
"""The same of a placebo in the stress world: one that learnt some of the wrong labels it was asked
to forget answers otherwise on every record, and what it and the unlearned runs differ in is still
memory."""


def incomparable_arms(arms: Arms, query: Query, world: World = "plain") -> str | None:
    """Why unlearned runs, or their placebo, cannot be put on the scale of the retrained ones; None
    if they can. In the stress world it is asked of the placebo alone: models that learnt wrong
    labels answer otherwise on all records, and unlearned ones that do are what is looked for."""
    R = arms.retrained.margins[query]
    judged = {"unlearned": arms.unlearned} if world == "plain" else {}
    if arms.placebo is not None:
        judged["placebo"] = arms.placebo
    floor = COMPARABILITY_FLOOR if world == "plain" else STRESS_FLOOR
    reasons = (incomparable(arm.margins[query], R, name, floor) for name, arm in judged.items())
    return next((reason for reason in reasons if reason), None)


def incomparable(
    arm: Margins, R: Margins, name: str = "unlearned", floor: float = COMPARABILITY_FLOOR
) -> str | None:
    """Why the margins of an arm, by its name, cannot be compared with those of retrained runs, None
    if they can. floor: the least agreement that can."""
    ratio = comparability(arm, R)
    if ratio >= floor:
        return None
    return (
        f"the {name} runs rank control records too differently from retrained runs to be compared with"
        f" them (agreement {ratio:.2f} of the retrained runs' own, floor {floor})"
    )


def rho_number(seen: Memory, alpha: float) -> Number:
    """Residual memory with its interval; no value where there was nothing to remember."""
    low, high = rho_interval(seen, alpha)
    defined = np.isfinite([low, high]).all()
    return Number(
        value=rho(seen) if defined else None,
        low=low if defined else None,
        high=high if defined else None,
        confidence=1 - 2 * alpha,
        n_runs=len(seen.D),
        n_records=seen.left.shape[1],
        method=(
            "cross-fitted residual memory of one run, prediction interval against the retrained runs"
            if defined and seen.one_run
            else (
                "cross-fitted residual memory, interval by inverting the t-test over runs"
                if defined
                else "not defined: the gap between original and retrained runs cannot be told from zero"
            )
        ),
        source=f"{METHOD}#{ONE_RUN}" if seen.one_run else f"{METHOD}#residual-memory",
    )
