"""Memory told from drift: residual memory, spared records and exposure held against a placebo."""

from typing import Any

import numpy as np
import pytest

from auditkit.core.ids import EXACT
from auditkit.signals.arms import Arms
from auditkit.statistics.exposure import exposure, halves_overlap, memorised_independently
from auditkit.statistics.likelihood import visible_records
from auditkit.statistics.margins import Margins, stacked
from auditkit.statistics.residual import rho
from auditkit.statistics.spared import spared
from auditkit.statistics.worst_record import worst_share
from tests.statistics.simulated_arms import arms_with_placebo, put_right

SEEDS = range(8)
DRIFT: dict[str, Any] = {"lift": 0.5, "temperature": 0.7, "offset": 1.0}
"""Half as much as training on the records gives, and another scale."""


def rhos(arms: Arms) -> tuple[float, float]:
    """Residual memory against the placebo, and against retrained runs."""
    return rho(arms.memory(EXACT)), rho(arms.claiming(arms.unlearned).memory(EXACT))


def exact(arms: Arms) -> tuple[Margins, ...]:
    """The margins of original, unlearned, retrained, honest and placebo runs."""
    return tuple(arm.margins[EXACT] for arm in arms.judged)


def test_a_drift_alike_in_both_arms_is_no_memory() -> None:
    """Where the procedure raises what it makes as memory would, whether the records were in or not,
    residual memory is zero against the placebo, and far from it against retrained runs."""
    found = np.array([rhos(arms_with_placebo(seed, **DRIFT)) for seed in SEEDS])
    error = found[:, 0].std(ddof=1) / np.sqrt(len(found))
    assert abs(found[:, 0].mean()) < 0.02 + 3 * error
    assert found[:, 1].min() > 0.4


def test_a_scale_of_its_own_is_put_right_for_either_reference() -> None:
    """Another temperature and offset alone leave no memory against the placebo nor against
    retrained runs."""
    found = np.array([rhos(arms_with_placebo(seed, temperature=0.5, offset=-1)) for seed in SEEDS])
    errors = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    assert (np.abs(found.mean(axis=0)) < 0.02 + 3 * errors).all()


def test_what_is_left_is_seen_whatever_the_drift() -> None:
    """A procedure that leaves a quarter is told from one that leaves nothing, with a drift of its
    own and without."""
    drifts: list[dict[str, Any]] = [{}, {"lift": 0.2, "temperature": 0.8}]
    for drift in drifts:
        none, quarter = (
            np.array([rhos(arms_with_placebo(seed, share=share, **drift))[0] for seed in SEEDS])
            for share in (0, 0.25)
        )
        assert (quarter > none + 0.1).all()
        assert 0.15 < np.mean(quarter) < 0.45


def test_what_the_placebo_brings_along_hides_as_much() -> None:
    """Memory that is in the placebo too is not seen against it, but against retrained runs: this is
    what the control of the placebo is for."""
    for seed in SEEDS:
        arms = arms_with_placebo(seed, share=0.5, brings=0.5)
        against_placebo, against_retrained = rhos(arms)
        assert abs(against_placebo) < 0.15
        assert against_retrained > 0.5
        assert rho(arms.claiming(arms.reference).memory(EXACT)) > 0.4


def test_spared_records_are_found_beneath_a_drift() -> None:
    """Against the placebo a drift alone is no more suspicious than its p-value says, and five of
    sixty records left in are found; against retrained runs the drift itself is taken for them."""
    drifted, kept, retrained = [], [], []
    for seed in range(20):
        arms = arms_with_placebo(seed, n=20, forget=60, lift=0.3)
        O, U, R, H, P = exact(arms)
        given: dict[str, Any] = {"groups": 99, "seed": 0, "alpha": 0.05}
        drifted.append(spared(O, U, R, H, P, **given).p)
        retrained.append(spared(O, U, R, H, **given).p)
        O, U, R, H, P = exact(arms_with_placebo(seed, n=20, forget=60, lift=0.3, spared=5))
        kept.append(spared(O, U, R, H, P, **given).p)
    assert np.mean(np.array(drifted) <= 0.05) <= 0.15
    assert np.mean(np.array(kept) <= 0.01) >= 0.7
    assert np.mean(np.array(retrained) <= 0.05) >= 0.9


def test_exposed_records_are_those_left_in_and_not_those_that_drift() -> None:
    """Against the placebo the records left in are named, and of the others few; against retrained
    runs a drift has nearly all of them named."""
    named, others, drifted = [], [], []
    for seed in SEEDS:
        O, U, R, H, P = exact(arms_with_placebo(seed, n=40, gap=5, spared=4, lift=0.2))
        seen = memorised_independently(O, H, R)
        found = exposure(U, R, seen, P).remembered
        named.append(found[:4].mean())
        others.append(found[4:].mean())
        drifted.append(exposure(U, R, seen).remembered[4:].mean())
        halves = halves_overlap(U, R, seen, P)
        assert halves is not None
        assert halves.both <= min(halves.first, halves.second)
    assert np.mean(named) > 0.7
    assert np.mean(others) < 0.05
    assert np.mean(drifted) > 0.5


@pytest.mark.parametrize("seed", range(3))
def test_the_worst_share_is_that_of_the_worst_record_by_hand(seed: int) -> None:
    """The record named worst has the share (mean unlearned - mean placebo) / (mean original - mean
    retrained), on calibrated margins, of one of the records."""
    O, U, R, _, P = exact(arms_with_placebo(seed, gap=6, spared=1, lift=0.3))
    worst = worst_share(O, U, R, 0.05, P)
    assert worst is not None
    reference = R.control.mean(axis=0)
    o, u, r, p = (put_right(m.forget, m.control, reference).mean(axis=0) for m in (O, U, R, P))
    shares = (u - p) / (o - r)
    k = int(np.abs(shares - worst.share).argmin())
    assert shares[k] == pytest.approx(worst.share, rel=1e-6)
    assert worst.upper > worst.share


@pytest.mark.parametrize("shown", [0.0, 0.3, 1.0])
def test_visible_records_are_those_of_which_something_is_remembered(shown: float) -> None:
    """Records that training raises are visible, nearly every one, and of the others hardly any; the
    gap is that to all retrained runs, record by record."""
    for seed in range(3):
        arms = arms_with_placebo(seed, n=12, forget=60, gap=3, visible=shown)
        O, _, R, H, _ = exact(arms)
        pool = stacked(R, H)
        found = visible_records(O, pool)
        reference = pool.control.mean(axis=0)
        o, r = (put_right(m.forget, m.control, reference) for m in (O, pool))
        spread = np.sqrt((o.var(axis=0, ddof=1) + r.var(axis=0, ddof=1)) / 2)
        by_hand = np.flatnonzero(o.mean(axis=0) - r.mean(axis=0) > 0.7 * spread)
        assert found.tolist() == by_hand.tolist()
        remembered = int(shown * 60)
        assert (found < remembered).sum() >= 0.9 * remembered
        assert (found >= remembered).sum() <= 0.15 * 60
