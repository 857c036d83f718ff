from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from auditkit.statistics.hypotheses import p_above, paired, ratio_equivalence
from auditkit.statistics.margins import Margins
from auditkit.statistics.residual import (
    Memory,
    drift_error,
    effective_records,
    memory,
    rho,
    rho_by_run,
    rho_error,
    rho_interval,
    weights,
)
from auditkit.statistics.shared_noise import own_margins, shared_noise
from tests.statistics.simulated_arms import linear_arms, memory_of, put_right, simulated_arms

AUDITS = 300


def small(seed: int = 0, share: float = 0.3) -> tuple[Margins, Margins, Margins]:
    """(original, unlearned, retrained) of 5 runs."""
    arms = simulated_arms(seed, n=5, forget=9, control=20, share=share)
    return arms.original.margins["exact"], arms.unlearned.margins["exact"], arms.retrained.margins["exact"]


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


def random_memory(seed: int, *, n: int = 9, share: float = 0.1, noise: float = 1.0) -> Memory:
    """D and G made up directly, one record."""
    rng = np.random.default_rng(seed)
    G = rng.normal(10, 1.5, (n, 1))
    return Memory(share * G + noise * rng.normal(size=(n, 1)), G)


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
    O, _, R = small(seed)
    seen = memory(O, O, R)
    assert rho(seen) == 1
    assert rho_interval(seen, 0.05) == pytest.approx((1, 1), abs=1e-6)


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


@pytest.mark.parametrize("seed", range(6))
def test_interval_holds_what_the_t_test_does_not_reject(seed: int) -> None:
    """The interval is where scipy's two-sided t-test of D - ΔG, level 2α, does not reject, found by
    a grid."""
    seen = random_memory(seed)
    low, high = rho_interval(seen, 0.05)
    grid = np.linspace(low - (high - low), high + (high - low), 601)
    p = np.array([stats.ttest_1samp(seen.D - delta * seen.G, 0).pvalue for delta in grid])
    kept = grid[p >= 0.1]
    step = grid[1] - grid[0]
    assert (kept[0], kept[-1]) == pytest.approx((low, high), abs=1.01 * step)
    assert len(kept) == pytest.approx((kept[-1] - kept[0]) / step + 1)


def test_interval_and_tests_agree() -> None:
    """ "Within the margin" is shown exactly where the interval lies inside it, and the outside by
    an interval outside."""
    within, outside = [], []
    for seed in range(150):
        seen = random_memory(seed, share=(0.1, 0.3)[seed % 2], noise=1.2)
        low, high = rho_interval(seen, 0.05)
        test = ratio_equivalence(seen.D, seen.G, 0.2)
        within.append(test.p_within <= 0.05)
        outside.append(test.p_outside <= 0.1)
        assert within[-1] == (low > -0.2 and high < 0.2)
        assert outside[-1] == (low > 0.2 or high < -0.2)
    assert 10 < sum(within) < 140
    assert 10 < sum(outside) < 140


def test_interval_is_boundless_without_a_gap() -> None:
    """Where the gap cannot be told from zero at level α, and only there, the interval has no
    ends."""
    seen = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        m = Memory(rng.normal(size=(6, 1)), rng.normal(0.5, 1, (6, 1)))
        boundless = not np.isfinite(rho_interval(m, 0.05)).all()
        mean, error, df = paired(m.G)
        seen.append(boundless)
        assert boundless == (p_above(abs(mean), error, df, 0) > 0.05)
    assert 20 < sum(seen) < 100


def test_error_is_that_of_the_mean_where_the_gap_is_constant() -> None:
    """With a constant gap the standard error of ρ is that of the mean of D over G."""
    D = np.random.default_rng(0).normal(size=(8, 1))
    seen = Memory(D, np.full((8, 1), 4.0))
    assert rho_error(seen) == pytest.approx(stats.sem(D[:, 0] / 4))


def test_effective_records() -> None:
    """Records that count the same are all effective, one that counts alone is one, and none is
    none."""
    alone = np.zeros((3, 6))
    alone[:, 2] = 5
    for gap, records in ((np.full((3, 6), 2.0), 6), (alone, 1), (np.zeros((3, 6)), 0)):
        assert effective_records(Memory(gap, gap)) == pytest.approx(records)


@pytest.mark.parametrize("truth", [-0.3, 0.0, 0.2, 0.5])
def test_interval_covers_the_truth(truth: float) -> None:
    """The 90 % interval holds the true share of memory left in 90 % of audits, and ρ has no bias to
    speak of."""
    found = [
        memory(*linear_arms(seed, n=10, forget=20, control=40, gap=2, share=truth)) for seed in range(AUDITS)
    ]
    covered = np.mean([low <= truth <= high for low, high in (rho_interval(m, 0.05) for m in found)])
    assert covered == pytest.approx(0.9, abs=3 * np.sqrt(0.09 / AUDITS))
    assert np.mean([rho(m) for m in found]) == pytest.approx(truth, abs=0.03)


@pytest.mark.parametrize("truth", [-0.2, 0.2])
def test_on_the_margin_support_is_rare(truth: float) -> None:
    """With exactly the margin of memory left, "within" is shown with probability at most α, and so
    is "outside"."""
    within, outside = 0, 0
    for seed in range(AUDITS):
        seen = memory(*linear_arms(seed, n=10, forget=20, control=40, gap=2, share=truth))
        test = ratio_equivalence(seen.D, seen.G, 0.2)
        within += test.p_within <= 0.05
        outside += test.p_outside <= 0.05
    most = AUDITS * 0.05 + 3 * np.sqrt(AUDITS * 0.05 * 0.95)
    assert within <= most
    assert outside <= most
    assert within > 0


def test_shared_noise_is_what_control_records_tell() -> None:
    """Of margins that follow the control margins of their own run, nothing much is left; of
    independent ones, most."""
    rng = np.random.default_rng(0)
    factors, loads = rng.normal(size=(40, 2)), rng.normal(size=(2, 70))
    follow = factors @ loads + 0.05 * rng.normal(size=(40, 70))
    for noise, least, most in ((follow[:, :20], 0.0, 0.2), (rng.normal(size=(40, 20)), 0.7, 1.3)):
        runs = Margins(noise, follow[:, 20:])
        learnt = shared_noise(runs.take(np.arange(15)), runs.take(np.arange(15, 30)))
        rest = own_margins(runs.take(np.arange(30, 40)), learnt)
        assert least <= rest.var() / noise[30:].var() <= most


def test_control_records_that_do_not_vary_tell_nothing() -> None:
    """Where control margins are those of copies of one run, forget margins stay as they are,
    whatever rounding says."""
    rng = np.random.default_rng(0)
    arm = Margins(rng.normal(size=(6, 4)), np.full((6, 9), 0.1))
    assert np.array_equal(own_margins(arm, shared_noise(arm, arm)), arm.forget)


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
            O, U, R = (a.margins["exact"] for a in (arms.original, arms.unlearned, arms.retrained))
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
