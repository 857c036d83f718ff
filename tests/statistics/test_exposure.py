"""Single records: named rightly, at the promised rate of false names, and bounded together."""

import numpy as np
import pytest
from scipy import stats

from auditkit.statistics.exposure import (
    FALSE_DISCOVERIES,
    WINSOR,
    WINSORISED,
    discoveries,
    drift,
    exposure,
    halves_overlap,
    memorised_independently,
    overlap,
)
from auditkit.statistics.margins import Floats, Margins
from auditkit.statistics.worst_record import worst_auc, worst_share

FORGET, CONTROL, RUNS = 60, 120, 12


class World:
    """Records with margins of their own. memory: (forget records,), what having been trained on
    adds. Margins stay small against those of the last, which never moves: nothing is clipped
    there."""

    def __init__(self, seed: int, memory: Floats | float = 0.0) -> None:
        self.rng = np.random.default_rng(seed)
        self.memory = np.broadcast_to(memory, FORGET)
        self.forget, self.control = (self.rng.normal(0, 1, n) for n in (FORGET, CONTROL))
        self.control[:60] = self.rng.choice([-9.0, 9.0], 60)  # sets the clip; far from what is asked about

    def arm(self, share: Floats | float = 0.0, drifts: float = 0.0) -> Margins:
        """Runs that hold this share of the memory, of a recipe that moves records by so much."""
        means = np.concatenate([self.forget + share * self.memory, self.control]) + drifts * self.rng.normal(
            size=FORGET + CONTROL
        )
        found = means + self.rng.normal(0, 0.5, (RUNS, FORGET + CONTROL))
        return Margins(found[:, :FORGET], found[:, FORGET:])


@pytest.mark.parametrize("seed", range(20))
def test_discoveries_are_those_of_benjamini_and_hochberg(seed: int) -> None:
    """Rejected are the k smallest p-values, for the largest k of which the k-th is at most k q /
    m."""
    rng = np.random.default_rng(seed)
    p = np.where(rng.random(30) < 0.3, rng.random(30) * 0.01, rng.random(30))
    k = max(j for j in range(31) if j == 0 or sorted(p)[j - 1] <= j * 0.1 / 30)
    assert set(np.flatnonzero(discoveries(p, 0.1))) == set(np.argsort(p)[:k])
    assert not discoveries(np.ones(3), 0.1).any()
    assert discoveries(np.empty(0), 0.1).shape == (0,)


def test_winsorised_squares_have_this_mean() -> None:
    """Of squared standard normal numbers, none counting more than the quantile, the mean is
    WINSORISED."""
    squares = np.random.default_rng(0).normal(size=1_000_000) ** 2
    assert np.minimum(squares, np.quantile(squares, WINSOR)).mean() == pytest.approx(WINSORISED, abs=0.003)


def test_drift_is_read_from_the_nearest_control_records() -> None:
    """A naive loop over the 50 control records nearest in margin gives the same, itself left
    out."""
    rng = np.random.default_rng(1)
    control, squares, chance = rng.normal(size=(3, 80)) ** 2
    level = rng.normal(size=5) ** 2
    for asked, alone in ((level, False), (control, True)):
        for k, found in enumerate(drift(asked, control, squares, chance, alone=alone)):
            order = sorted(
                (j for j in range(80) if not (alone and j == k)), key=lambda j: abs(asked[k] - control[j])
            )
            near = squares[order[:50]]
            mean = np.minimum(near, np.quantile(near, 0.9)).mean() / WINSORISED
            assert found == pytest.approx(max(0, mean - chance[order[:50]].mean()))


@pytest.mark.parametrize("drifts", [0.0, 0.5, 2.0])
def test_names_are_wrong_at_the_promised_rate(drifts: float) -> None:
    """Where nothing is remembered, records are named in a share q of audits at most, whatever the
    recipe moves; also when only records are asked about that the original runs remember."""
    wrong, p = [], []
    for seed in range(150):
        world = World(seed, 1.5)
        R, seen = world.arm(), memorised_independently(world.arm(1.0), world.arm(), world.arm())
        found = exposure(world.arm(0.0, drifts), R, seen)
        wrong.append([found.remembered.any(), found.below.any(), found.false.any()])
        p.append(stats.t.sf(found.forget[seen], 2 * (RUNS - 1)))
    assert (np.mean(wrong, axis=0) <= FALSE_DISCOVERIES + 0.06).all()
    assert np.mean(np.concatenate(p) < 0.05) == pytest.approx(0.05, abs=0.02)


@pytest.mark.parametrize("drifts", [0.0, 0.5])
def test_those_who_are_remembered_are_named(drifts: float) -> None:
    """Of the records named a share q at most are forgotten ones; most that are remembered are
    named; none that the original runs do not remember is."""
    false, hits = [], []
    for seed in range(60):
        left = np.arange(FORGET) % 5 == 0
        world = World(seed, np.where(np.arange(FORGET) < 50, 2.5, 0.0))
        seen = memorised_independently(world.arm(1.0), world.arm(), world.arm())
        found = exposure(world.arm(np.where(left, 1.0, 0.0), drifts), world.arm(), seen)
        right = left & (world.memory > 0)
        false.append((found.remembered & ~right).sum() / max(1, found.remembered.sum()))
        hits.append((found.remembered & right).sum() / right.sum())
        assert not found.remembered[np.setdiff1d(np.arange(FORGET), seen)].any()
    assert np.mean(false) <= FALSE_DISCOVERIES + 0.03
    assert np.mean(hits) > 0.9


def test_rounding_is_no_memory() -> None:
    """Records on which all runs answer at the clip are not in sight, whatever the means of so many
    equal numbers are."""
    for runs in (7, 20, 33, 40):
        full = Margins(np.full((runs, 4), 30.0), np.tile(np.linspace(-3.3, 3.1, 21), (runs, 1)))
        half = full.take(np.arange(runs // 2))
        assert not len(memorised_independently(half, full, full))
        assert not len(memorised_independently(full, half, full))


def test_pushing_below_is_seen_as_such() -> None:
    """Records that are pushed below retrained runs are named below, and not as remembered."""
    world = World(0, 2.5)
    found = exposure(
        world.arm(-1.0), world.arm(), memorised_independently(world.arm(1.0), world.arm(), world.arm())
    )
    assert found.below.mean() > 0.9
    assert not found.remembered.any()


def test_no_record_has_more_left_than_the_bound() -> None:
    """The bounds hold for all records at once in 95 % of audits or more, and that of a no-op is
    1."""
    held = []
    for seed in range(200):
        world = World(seed, 3.0)
        share = world.rng.uniform(0, 0.6, FORGET)
        worst = worst_share(world.arm(1.0), world.arm(share), world.arm(), 0.05)
        assert worst is not None
        held.append(worst.upper >= share.max())
        assert worst.visible > FORGET / 2
        assert worst.upper < 2
    assert np.mean(held) >= 0.95
    original = world.arm(1.0)
    whole = worst_share(original, original, world.arm(), 0.05)
    assert whole is not None
    assert whole.share == pytest.approx(1)
    assert whole.upper == pytest.approx(1)
    assert worst_share(world.arm(0.0), world.arm(0.0), world.arm(), 1e-6) is None


def test_the_worst_auc_is_bounded() -> None:
    """The bound covers the AUC of the worst record, which for margins delta apart is Phi(delta /
    sqrt 2), and for little variance it is what scipy's noncentral t gives."""
    for seed in range(40):
        world = World(seed, 1.0)
        found, upper = worst_auc(world.arm(1.0), world.arm(), 0.05)
        assert upper >= stats.norm.cdf(1.0 / 0.5 / np.sqrt(2))
        assert found < upper < 1
    t = float(stats.norm.ppf(found) * np.sqrt(RUNS))
    nc = float(stats.norm.ppf(upper) * np.sqrt(RUNS))
    assert stats.nct.cdf(t, 2 * (RUNS - 1), nc) == pytest.approx(0.05 / FORGET, rel=0.5)


def test_halves_name_the_same_records() -> None:
    """What is remembered by all runs is named by both halves; the numbers are those of the sets."""
    one, other = np.array([1, 1, 0, 0, 1], dtype=bool), np.array([0, 1, 0, 0, 1], dtype=bool)
    found = overlap(one, other)
    assert (found.first, found.second, found.both, found.by_chance) == (3, 2, 2, 6 / 5)
    assert found.jaccard == pytest.approx(2 / 3)
    assert overlap(~one & one, ~one & one).jaccard is None
    world = World(0, np.where(np.arange(FORGET) < 20, 4.0, 0.0))
    O, R = world.arm(1.0), world.arm()
    halves = halves_overlap(O, R, memorised_independently(O, world.arm(), R))
    assert halves is not None
    assert halves.both >= 15
    assert halves.jaccard is not None
    assert halves.jaccard > 0.7
    few = np.arange(5)
    assert halves_overlap(O.take(few), R.take(few), few) is None


def test_margins_of_labels_are_compared() -> None:
    """Margins of 1 and -1, equal in all runs of an arm, are told apart where they differ and
    nowhere else."""
    rng = np.random.default_rng(0)
    control = np.where(rng.random((RUNS, CONTROL)) < 0.8, 1.0, -1.0)
    R = Margins(np.full((RUNS, FORGET), -1.0), control)
    U = Margins(R.forget.copy(), np.where(rng.random((RUNS, CONTROL)) < 0.8, 1.0, -1.0))
    U.forget[:, :4] = 1.0
    found = exposure(U, R, np.arange(FORGET))
    assert set(np.flatnonzero(found.remembered)) == set(range(4))
