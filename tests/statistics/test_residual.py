from collections.abc import Callable

import numpy as np
import pytest

from auditkit.core.ids import EXACT
from auditkit.statistics.folds import weights
from auditkit.statistics.margins import Margins
from auditkit.statistics.prediction import rho_equivalence
from auditkit.statistics.residual import (
    Memory,
    drift_error,
    effective_records,
    memory,
    record_error,
    rho,
    rho_by_run,
    rho_error,
    rho_interval,
)
from tests.statistics.simulated_arms import linear_arms, memory_of, put_right, simulated_arms


def small(seed: int = 0, share: float = 0.3) -> tuple[Margins, Margins, Margins]:
    """(original, unlearned, retrained) of 5 runs."""
    arms = simulated_arms(seed, n=5, forget=9, control=20, share=share)
    return arms.original.margins[EXACT], arms.unlearned.margins[EXACT], arms.retrained.margins[EXACT]


def memory_by_hand(O: Margins, U: Margins, R: Margins) -> tuple[list[list[float]], list[list[float]]]:
    """Fold by fold, record by record, after docs/method.md."""
    n = len(O.forget)
    left, gap = [], []
    for k in range(n):
        others = [r for r in range(n) if r != k]
        mean_R = np.array([np.mean([R.control[r, i] for r in others]) for i in range(R.control.shape[1])])
        forget = {
            a: put_right(arm.forget, arm.control, mean_R) for a, arm in zip("OUR", (O, U, R), strict=True)
        }
        control = {
            a: put_right(arm.control, arm.control, mean_R) for a, arm in zip("OUR", (O, U, R), strict=True)
        }
        F, C = (
            np.vstack([x[a][others] - x[a][others].mean(axis=0) for a in "OR"]) for x in (forget, control)
        )
        penalty = sum(float(c @ c) for c in C) / len(C)
        B = np.linalg.inv(C.T @ C + penalty * np.eye(C.shape[1])) @ C.T @ F  # ridge regression, primal form
        own = {a: forget[a] - control[a] @ B for a in "OUR"}
        w = [np.mean(own["O"][others, i]) - np.mean(own["R"][others, i]) for i in range(F.shape[1])]
        s2 = [np.mean([np.var(own[a][others, i], ddof=1) for a in "OR"]) for i in range(F.shape[1])]
        v = [w[i] / (0.5 * s2[i] + 0.5 * float(np.mean(s2))) for i in range(F.shape[1])]
        left.append([float(v[i] * (own["U"][k, i] - own["R"][k, i])) for i in range(F.shape[1])])
        gap.append([float(v[i] * (own["O"][k, i] - own["R"][k, i])) for i in range(F.shape[1])])
    return left, gap


def test_memory_is_the_method_fold_by_fold() -> None:
    """Cross-fitted memory equals an explicit loop over folds, records and runs, written from the
    method."""
    O, U, R = small()
    ours = memory(O, U, R)
    left, gap = memory_by_hand(O, U, R)
    assert ours.left == pytest.approx(np.array(left))
    assert ours.gap == pytest.approx(np.array(gap))
    assert rho(ours) == pytest.approx(np.sum(left) / np.sum(gap))


def test_weights_are_gap_over_shrunk_variance() -> None:
    """A record's weight is its gap over the variance within arms, shrunk half-way to the mean
    variance."""
    rng = np.random.default_rng(0)
    O, R = rng.normal(2, 1, (4, 3)), rng.normal(0, 2, (5, 3))
    s2 = [(np.var(O[:, i], ddof=1) + np.var(R[:, i], ddof=1)) / 2 for i in range(3)]
    by_hand = [(O[:, i].mean() - R[:, i].mean()) / ((s2[i] + np.mean(s2)) / 2) for i in range(3)]
    assert weights(O, R) == pytest.approx(by_hand)


def test_runs_that_do_not_vary_weigh_nothing() -> None:
    """Without any variance within arms there are no weights, rather than infinite ones."""
    assert not weights(np.full((3, 4), 2.0), np.full((3, 4), 1.0)).any()


def test_runs_that_do_not_vary_weigh_nothing_after_rounding() -> None:
    """Arms of copies of one run have no weights either where their mean is not exact, as that of .1
    is not."""
    assert np.abs(weights(np.full((6, 4), 0.1), np.full((6, 4), 0.7))).max() < 1e6


@pytest.mark.parametrize("seed", range(3))
def test_a_noop_leaves_exactly_everything(seed: int) -> None:
    """Original runs passed off as unlearned have ρ = 1, and an interval of no width."""
    arms = simulated_arms(seed, n=8)
    O, R = arms.original.margins[EXACT], arms.retrained.margins[EXACT]
    seen = memory(O, O, R)
    assert rho(seen) == 1
    assert seen.D.tolist() == seen.G.tolist()
    assert rho_interval(seen, 0.05) == pytest.approx((1, 1), abs=1e-6)
    assert record_error(seen) == 0
    assert rho_equivalence(seen, 0.2).p_outside < 0.01


def test_retrained_runs_as_their_own_reference_leave_nothing() -> None:
    """The retrained runs themselves, passed off as unlearned, have ρ = 0 by construction: a control
    must be another arm."""
    O, _, R = small()
    assert rho(memory(O, R, R)) == pytest.approx(0, abs=1e-12)


def test_memory_needs_three_paired_runs() -> None:
    """Arms of unequal size, or of fewer than three runs, are refused."""
    O, U, R = small()
    two = np.array([0, 1])
    with pytest.raises(ValueError, match=r"at least 3: got 5, 5, 2"):
        memory(O, U, R.take(two))
    with pytest.raises(ValueError, match=r"at least 3: got 2, 2, 2"):
        memory(O.take(two), U.take(two), R.take(two))


@pytest.mark.parametrize("arm", range(3))
@pytest.mark.parametrize("c", [0.1, 7.0, 1e6])
def test_temperature_leaves_rho_as_it_was(arm: int, c: float) -> None:
    """All logits of an arm times c > 0 change neither ρ nor its interval, whichever arm it is."""
    O, U, R = small()
    before = memory(O, U, R)
    arms = [O, U, R]
    arms[arm] = Margins(c * arms[arm].forget, c * arms[arm].control)
    after = memory(*arms)
    assert rho(after) == pytest.approx(rho(before))
    assert rho_interval(after, 0.05) == pytest.approx(rho_interval(before, 0.05))


def test_rho_does_not_depend_on_any_order() -> None:
    """Records in another order, or runs of all arms together in another order, leave ρ and its
    interval."""
    O, U, R = small()
    rng = np.random.default_rng(1)
    runs, forget, control = rng.permutation(5), rng.permutation(9), rng.permutation(20)
    before = memory(O, U, R)
    after = memory(*(Margins(a.forget[runs][:, forget], a.control[runs][:, control]) for a in (O, U, R)))
    assert rho(after) == pytest.approx(rho(before))
    assert rho_interval(after, 0.05) == pytest.approx(rho_interval(before, 0.05))


def test_the_parts_of_memory_add_up() -> None:
    """What some records and all the others hold adds up to the whole."""
    seen = memory(*small())
    some, rest = seen.of(np.array([0, 4, 5])), seen.of(np.array([1, 2, 3, 6, 7, 8]))
    assert pytest.approx(seen.D) == some.D + rest.D
    assert pytest.approx(seen.G) == some.G + rest.G


def test_runs_average_to_rho() -> None:
    """The dots of a figure, one a run, have ρ as their mean."""
    seen = memory(*small())
    assert rho_by_run(seen).mean() == pytest.approx(rho(seen))


def test_effective_records() -> None:
    """Records that count the same are all effective, one that counts alone is one, and none is
    none."""
    alone = np.zeros((3, 6))
    alone[:, 2] = 5
    for gap, records in ((np.full((3, 6), 2.0), 6), (alone, 1), (np.zeros((3, 6)), 0)):
        assert effective_records(Memory(gap, gap)) == pytest.approx(records)


def test_noise_shared_with_control_records_costs_no_runs() -> None:
    """If runs differ in ways that control records show, ρ scatters far less over audits than by
    forget records alone."""
    with_control, without = [], []
    for seed in range(40):
        O, U, R = linear_arms(seed, n=8, forget=20, control=40, gap=2, share=0.0)
        rng = np.random.default_rng(1000 + seed)
        loads = rng.normal(size=(1, 60))
        factors = [3 * rng.normal(size=(8, 1)) for _ in range(3)]
        seen = [
            Margins(arm.forget + f @ loads[:, :20], arm.control + f @ loads[:, 20:])
            for arm, f in zip((O, U, R), factors, strict=True)
        ]
        blind = [Margins(one.forget, arm.control) for one, arm in zip(seen, (O, U, R), strict=True)]
        with_control.append(rho(memory(*seen)))
        without.append(rho(memory(*blind)))
    assert np.std(with_control) < 0.5 * np.std(without)


def test_rho_falls_with_what_is_left() -> None:
    """As margins are squashed ρ is not the share left, but it grows with it: 0 at 0, 1 at 1, < 0
    below."""
    shares = (-0.5, 0.0, 0.25, 0.5, 1.0)
    found = [rho(memory_of(simulated_arms(3, n=12, forget=80, share=s))) for s in shares]
    assert found == sorted(found)
    assert found[0] < -0.2
    assert found[1] == pytest.approx(0, abs=0.06)
    assert found[4] == pytest.approx(1, abs=0.06)


def test_drift_error_is_the_spread_that_drift_gives_rho() -> None:
    """If forget records drift as control records do, ρ scatters over audits as `drift_error` says,
    and without drift hardly."""
    for drift, least, most in ((0.0, 0.0, 0.03), (1.5, 0.05, 1.0)):
        found, predicted = [], []
        for seed in range(80):
            arms = simulated_arms(seed, n=8, forget=30, control=60)
            rng = np.random.default_rng(1000 + seed)
            O, U, R = (a.margins[EXACT] for a in (arms.original, arms.unlearned, arms.retrained))
            U = Margins(U.forget + drift * rng.normal(size=30), U.control + drift * rng.normal(size=60))
            found.append(rho(memory(O, U, R)))
            predicted.append(drift_error(O, U, R))
        assert least <= np.mean(predicted) <= most
        # What chance between runs adds is not in it.
        chance = 0.0 if drift else np.std(found)
        assert np.mean(predicted) == pytest.approx(np.std(found) - chance, rel=0.4, abs=0.03)


def nothing_to_remember() -> Memory:
    """Every arm the same runs: no memory can be seen."""
    rng = np.random.default_rng(0)
    arm = Margins(100 + rng.normal(size=(4, 5)), rng.normal(size=(4, 6)) + 5 * np.arange(6))
    return memory(arm, arm, arm)


def test_without_a_gap_there_is_no_memory() -> None:
    """Where original and retrained runs answer alike there is no gap, ρ is NaN and its interval has
    no ends."""
    seen = nothing_to_remember()
    assert not seen.G.any()
    assert np.isnan(rho(seen))
    assert rho_interval(seen, 0.05) == (-np.inf, np.inf)
    assert effective_records(seen) == 0


@pytest.mark.parametrize(
    "value",
    [
        rho_by_run,
        rho_error,
    ],
)
def test_nothing_warns_where_there_was_nothing_to_remember(value: Callable[[Memory], object]) -> None:
    """Without any gap the values of runs and the error are computed without a warning."""
    value(nothing_to_remember())
