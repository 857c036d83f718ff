"""Values of runs as reported numbers. Intervals are over runs: the records are those that were asked."""

from dataclasses import replace

import numpy as np

from auditkit.evidence.values import Number
from auditkit.statistics.hypotheses import paired, ratio_interval, t_quantile
from auditkit.statistics.margins import Floats
from auditkit.statistics.roc import lower_limit, upper_limit

METHOD = "docs/method.md"

FEWEST = 10
"""With fewer right or fewer wrong answers than this, accuracies are too skewed for a t-interval alone."""


def mean_number(values: Floats, records: int, alpha: float, what: str) -> Number:
    """The mean over runs with its t-interval of level 1 - 2 alpha; of a single run its value alone. values: (runs,); records: how many
    records each value comes from; what: the quantity, in words."""
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
    """The mean of accuracies on `records` records, with its t-interval within [0, 1]. Where hardly any answer is
    wrong, or hardly any right, that interval is too short, and nothing at all where the runs agree: it is then
    widened to the exact limits of the share of right answers, all runs taken together.
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
    """The ratio of two means over runs with its interval of level 1 - 2 alpha; no value where the lower one cannot
    be told from zero. D, G: (runs,)."""
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
