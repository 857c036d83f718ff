"""From arrays to the values of evidence.json: each number computed here, once."""

from collections.abc import Collection, Mapping

import numpy as np

from auditkit.core.ids import (
    EXACT,
    HONEST,
    ORIGINAL,
    RELEARNED,
    UNLEARNED,
    Query,
    Recovered,
    TestId,
)
from auditkit.core.ids import residual_memory as test_of_memory
from auditkit.evidence.numbers import (
    COMPARABILITY_FLOOR,
    accuracy_number,
    plain_number,
    ratio_number,
    rho_number,
)
from auditkit.evidence.schema import (
    ClassMemory,
    Drift,
    DriftLine,
    Number,
    RecoveredMemory,
    ResidualMemory,
    State,
)
from auditkit.signals.arms import Arm, Arms
from auditkit.statistics.drift import paired_slopes
from auditkit.statistics.hypotheses import t_quantile
from auditkit.statistics.likelihood import excess_spread
from auditkit.statistics.margins import (
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
    largest_shares,
    rho_by_run,
    rho_error,
)

GAP_UNSEEN = "the original runs cannot be told from retrained ones"
NO_SHARE = "no share between none and all of the memory can be named"


def residual_memory(arms: Arms, labels: Ints, required: Collection[TestId], alpha: float) -> ResidualMemory:
    """What stands behind residual memory.

    Args:
        arms: the compared arms.
        labels: int64 (forget records,).
        required: the tests whose findings carry their own numbers.
        alpha: intervals are of level 1 - 2 alpha.
    """
    exact = arms.memory(EXACT)
    honest, noop = (arms.passed_off(kind).memory(EXACT) for kind in (HONEST.kind, ORIGINAL.kind))
    n, records = exact.left.shape
    per_class = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        numbers = rho_number(exact.of(rows), alpha), rho_number(honest.of(rows), alpha)
        per_class.append(ClassMemory(int(label), *numbers))
    recovered = [query for query in arms.original.margins if isinstance(query, Recovered)]
    detectable = _smallest_detectable(exact, alpha)
    largest, three = (
        plain_number(share, n, records, f"share of the gap that {which}", "residual-memory")
        for share, which in zip(
            largest_shares(exact), ("the one record with most carries", "the three carry"), strict=True
        )
    )
    return ResidualMemory(
        recovered=tuple(_recovered(arms, query, required, alpha) for query in recovered),
        per_class=tuple(per_class),
        per_run={
            ORIGINAL: tuple(rho_by_run(noop).tolist()),
            UNLEARNED: tuple(rho_by_run(exact).tolist()),
            HONEST: tuple(rho_by_run(honest).tolist()),
        },
        effective_records=plain_number(
            effective_records(exact),
            n,
            records,
            "(sum of each record's share of the gap)^2 / sum of squares",
            "residual-memory",
        ),
        largest_share=largest,
        largest_three=three,
        smallest_detectable=detectable,
        could_see=_could_see(detectable),
    )


def _recovered(arms: Arms, query: Recovered, required: Collection[TestId], alpha: float) -> RecoveredMemory:
    carried = test_of_memory(query) in required
    rho = None if carried else rho_number(arms.memory(query), alpha)
    honest = arms.passed_off(HONEST.kind).memory(query)
    return RecoveredMemory(query.by, rho, rho_number(honest, alpha))


def _smallest_detectable(seen: Memory, alpha: float) -> Number:
    n, records = seen.left.shape
    method = (
        f"the residual memory told from none with probability {POWER:g}: (t_{1 - alpha:g} + t_{POWER:g}) x SE"
    )
    error = rho_error(seen)
    value = (t_quantile(1 - alpha, n - 1) + t_quantile(POWER, n - 1)) * error
    if rho_number(seen, alpha).value is None:
        return plain_number(None, n, records, f"not defined: {GAP_UNSEEN}", "residual-memory")
    if not 0 < value <= 1:
        # Runs compared with themselves have no noise; and no more than all can be left.
        return plain_number(None, n, records, f"not defined: {NO_SHARE}", "residual-memory")
    return plain_number(value, n, records, method, "residual-memory")


def _could_see(detectable: Number) -> str:
    if detectable.value is None and detectable.method.endswith(NO_SHARE):
        return "No share of memory is named that this audit would have told from none."
    if detectable.value is None:
        return (
            "The original runs cannot be told from retrained ones, so this audit could have seen no residual"
            " memory."
        )
    return (
        f"The smallest residual memory that this audit would have told from none, with probability {POWER:g},"
        f" is {detectable.value:.3g}."
    )


def drift(arms: Arms, alpha: float) -> Drift:
    """How far the unlearned runs differ from retrained ones on control records."""
    original, unlearned, retrained = (
        arm.margins[EXACT] for arm in (arms.original, arms.unlearned, arms.retrained)
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
        against_retrained=_against_retrained(arms, alpha),
    )


def _against_retrained(arms: Arms, alpha: float) -> tuple[DriftLine, ...]:
    """Memory and drift together, and drift alone, under every query; nothing without a placebo."""
    placebo = arms.placebo
    if placebo is None:
        return ()

    def number(arm: Arm, query: Query) -> Number:
        return rho_number(arms.claiming(arm).memory(query), alpha)

    queries = [q for q in arms.original.margins if q == RELEARNED or not isinstance(q, Recovered)]
    return tuple(DriftLine(q, number(arms.unlearned, q), number(placebo, q)) for q in queries)


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


def procedure_states(
    arms: Arms, other: Mapping[str, Arm], claimed: str, test_records: int, alpha: float
) -> tuple[State, ...]:
    """The procedure's models in each of their states. The placebo is in the claimed state, so that
    models in another one are compared with retrained runs.

    Args:
        arms: the compared arms.
        other: state -> arm.
        claimed: the state that the claim is about.
        test_records: how many test records the accuracies are over.
        alpha: intervals are of level 1 - 2 alpha.
    """
    return tuple(
        State(
            name,
            rho_number((arms if name == claimed else arms.claiming(arm)).memory(EXACT), alpha),
            accuracy_number(arm.accuracy, test_records, alpha, "accuracy on test"),
            name == claimed,
        )
        for name, arm in other.items()
    )
