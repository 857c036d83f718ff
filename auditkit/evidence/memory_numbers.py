"""From arrays to the values of evidence.json: each number computed here, once."""

from collections.abc import Mapping

import numpy as np

from auditkit.evidence.numbers import (
    COMPARABILITY_FLOOR,
    accuracy_number,
    difference_number,
    plain_number,
    ratio_number,
    rho_number,
)
from auditkit.evidence.schema import (
    ArmSummary,
    ClassMemory,
    Drift,
    Number,
    Recovered,
    ResidualMemory,
    State,
)
from auditkit.statistics.arms import Arm, Arms
from auditkit.statistics.drift import paired_slopes
from auditkit.statistics.hypotheses import t_quantile, welch
from auditkit.statistics.likelihood import excess_spread
from auditkit.statistics.margins import (
    Floats,
    Ints,
    Margins,
    calibrated,
    comparability,
    drift_line,
)
from auditkit.statistics.power import POWER
from auditkit.statistics.residual import (
    Memory,
    drift_error,
    effective_records,
    memory,
    rho_by_run,
    rho_error,
)

MEANINGS = {
    "original": "trained on retain and forget records",
    "unlearned": "made from the original runs by the procedure",
    "retrained": "trained from scratch on the retain records only",
    "honest": "retrained once more, independently: the honest control",
}


def residual_memory(arms: Arms, labels: Ints, alpha: float) -> ResidualMemory:
    """Residual memory and what stands behind it. labels: of the forget records."""
    seen = {query: _memory(arms, arms.unlearned, query) for query in arms.original.margins}
    exact, honest = seen["exact"], _memory(arms, arms.honest, "exact")
    n, records = exact.left.shape
    per_class = [
        ClassMemory(int(label), rho_number(exact.of(own), alpha), rho_number(honest.of(own), alpha))
        for label in np.unique(labels)
        for own in [np.flatnonzero(labels == label)]
    ]
    noop = _memory(arms, arms.original, "exact")
    detectable = _smallest_detectable(exact, alpha)
    return ResidualMemory(
        exact=rho_number(exact, alpha),
        jittered=tuple(
            (float(query.split()[1]), rho_number(m, alpha))
            for query, m in seen.items()
            if query.startswith("jitter ")
        ),
        recovered=tuple(
            Recovered(query, rho_number(m, alpha), rho_number(_memory(arms, arms.honest, query), alpha))
            for query, m in seen.items()
            if query != "exact" and not query.startswith("jitter ")
        ),
        honest=rho_number(honest, alpha),
        per_class=tuple(per_class),
        per_run={
            "original": tuple(rho_by_run(noop).tolist()),
            "unlearned": tuple(rho_by_run(exact).tolist()),
            "honest": tuple(rho_by_run(honest).tolist()),
        },
        effective_records=plain_number(
            effective_records(exact),
            n,
            records,
            "(sum of each record's share of the gap)^2 / sum of squares",
            "residual-memory",
        ),
        smallest_detectable=detectable,
        could_see=_could_see(detectable),
    )


def _memory(arms: Arms, arm: Arm, query: str) -> Memory:
    return memory(arms.original.margins[query], arm.margins[query], arms.retrained.margins[query])


def _smallest_detectable(seen: Memory, alpha: float) -> Number:
    n, records = seen.left.shape
    method = (
        f"the residual memory told from none with probability {POWER:g}: (t_{1 - alpha:g} + t_{POWER:g}) x SE"
    )
    error = rho_error(seen)
    value = (t_quantile(1 - alpha, n - 1) + t_quantile(POWER, n - 1)) * error
    defined = rho_number(seen, alpha).value is not None
    return plain_number(value if defined else None, n, records, method, "residual-memory")


def _could_see(detectable: Number) -> str:
    if detectable.value is None:
        return (
            "The original runs cannot be told from retrained ones, so this audit could have seen no residual"
            " memory."
        )
    return (
        f"The smallest residual memory that this audit would have told from none, with probability {POWER:g},"
        f" is {detectable.value:.3g}."
    )


def arm_summary(name: str, accuracy: Mapping[str, tuple[Floats, int]], alpha: float) -> ArmSummary:
    """An arm's accuracies. accuracy: set -> ((runs,) accuracies, records in the set)."""
    numbers = {s: accuracy_number(a, n, alpha, f"accuracy on {s}") for s, (a, n) in accuracy.items()}
    runs = len(accuracy["test"][0])
    return ArmSummary(name, MEANINGS[name], runs, numbers["retain"], numbers["forget"], numbers["test"])


def utility(arms: Arms, records: int, alpha: float) -> Number:
    """How much test accuracy the unlearned runs have lost against retrained ones."""
    loss = welch(arms.retrained.accuracy, arms.unlearned.accuracy)
    return difference_number(
        loss,
        alpha,
        len(arms.retrained.accuracy),
        records,
        "test accuracy, retrained - unlearned",
        one_run=len(arms.unlearned.accuracy) == 1,
    )


def drift(arms: Arms, alpha: float) -> Drift:
    """How far the unlearned runs differ from retrained ones on control records."""
    original, unlearned, retrained = (
        arm.margins["exact"] for arm in (arms.original, arms.unlearned, arms.retrained)
    )
    reference = retrained.control.mean(axis=0)
    U, R = (calibrated(arm, reference).control for arm in (unlearned, retrained))
    error = drift_error(original, unlearned, retrained)
    runs, records = unlearned.control.shape
    ratio = plain_number(
        comparability(unlearned, retrained),
        runs,
        records,
        "mean correlation with the mean retrained run on control records, over the same for retrained runs",
        "drift",
    )
    spread = plain_number(
        excess_spread(U, R),
        runs,
        records,
        "kappa = max(1, mean of d^2/V over control records)",
        "spared-records",
    )
    rho_error = plain_number(
        error if np.isfinite(error) else None,
        runs,
        records,
        "SD of residual memory if forget records drifted as control records do",
        "drift",
    )
    return Drift(
        slope=_slope(unlearned, retrained, alpha),
        comparability=ratio,
        floor=COMPARABILITY_FLOOR,
        excess_spread=spread,
        rho_error=rho_error,
    )


def _slope(unlearned: Margins, retrained: Margins, alpha: float) -> Number:
    """How steeply the unlearned runs answer on control records, in units of retrained ones."""
    records = unlearned.control.shape[1]
    against = (
        "slope of the margins on control records against the other retrained runs, over that of retrained"
        " runs"
    )
    if unlearned.runs == 1:
        _, slope = drift_line(unlearned.control, retrained.control.mean(axis=0))
        return plain_number(
            float(slope[0]), 1, records, "slope of the one run against the retrained runs", "drift"
        )
    slopes = paired_slopes(unlearned.control, retrained.control)
    return ratio_number(*slopes, records, alpha, against, "drift")


def states(
    arms: Arms, other: Mapping[str, Arm], claimed: str, test_records: int, alpha: float
) -> tuple[State, ...]:
    """The procedure's models in each of their states. other: state -> arm."""
    return tuple(
        State(
            name,
            rho_number(_memory(arms, arm, "exact"), alpha),
            accuracy_number(arm.accuracy, test_records, alpha, "accuracy on test"),
            name == claimed,
        )
        for name, arm in other.items()
    )
