"""Values of runs as reported numbers."""

from auditkit.evidence.values import Number
from auditkit.statistics.hypotheses import paired, t_quantile
from auditkit.statistics.margins import Floats

METHOD = "docs/method.md"


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
        method=f"mean over runs of {what}, t-interval",
        source=f"{METHOD}#means",
    )


def plain_number(value: float | None, runs: int, records: int, method: str, section: str) -> Number:
    """A number that has no interval, or no value."""
    return Number(value, None, None, None, runs, records, method, f"{METHOD}#{section}")
