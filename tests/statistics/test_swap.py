import numpy as np
import pytest

from auditkit.statistics.scores import Scores
from auditkit.statistics.swap import advantage, swap_advantage

N, F, T = 6, 40, 50


def exchanged(scores: Scores) -> Scores:
    """These models, asked in the swapped world."""
    return Scores(scores.control, scores.forget)


def worlds(seed: int, *, ease: float, memory: float) -> tuple[Scores, Scores]:
    """Runs of both worlds, each with its own noise. F scores higher than T by `ease` in any model;
    what was forgotten scores higher by `memory`."""
    rng = np.random.default_rng(seed)
    f, t = rng.normal(ease, 1, F), rng.normal(0, 1, T)

    def runs(
        at: np.ndarray[tuple[int], np.dtype[np.float64]],
    ) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        return at + 0.3 * rng.normal(size=(N, len(at)))

    return Scores(runs(f + memory), runs(t)), Scores(runs(t + memory), runs(f))


@pytest.mark.parametrize("decimals", [0, 12])
@pytest.mark.parametrize("ease", [-5.0, 0.0, 2.0])
def test_models_that_saw_neither_set_have_no_advantage_at_all(ease: float, decimals: int) -> None:
    """Whatever the score, ties too, and however easy one of the sets, models that serve both worlds
    read exactly 0, where one split reads anything."""
    rng = np.random.default_rng(0)
    drawn = Scores(rng.normal(ease, 1, (N, F)), rng.standard_cauchy((N, T)))
    scores = Scores(np.round(drawn.forget, decimals), np.round(drawn.control, decimals))
    swap = swap_advantage(scores, exchanged(scores))
    assert not swap.advantages.any()
    assert (swap.mean, swap.low, swap.high) == (0.0, 0.0, 0.0)
    if ease:
        assert np.sign(ease) * advantage(scores).mean() > 0.5
        assert np.sign(ease) * (scores.auc().mean() - 0.5) > 0.25


def test_retrained_models_of_their_own_have_none_on_average() -> None:
    """Where each world has its own retrained models the interval misses 0 about one time in twenty,
    however easy F is."""
    missed = 0
    for seed in range(400):
        swap = swap_advantage(*worlds(seed, ease=1.5, memory=0.0))
        missed += not swap.low <= 0 <= swap.high
    assert 5 <= missed <= 40


def test_what_is_left_is_an_advantage() -> None:
    """Models that kept what they were to forget have a clearly positive advantage, and
    over-forgetting a negative one."""
    kept = swap_advantage(*worlds(1, ease=1.5, memory=2.0))
    assert kept.low > 0.2
    over = swap_advantage(*worlds(1, ease=1.5, memory=-2.0))
    assert over.high < -0.2


def test_an_attack_that_knows_every_record_has_all_of_it() -> None:
    """Where every forgotten record scores above every unseen one, the advantage is 1."""
    members, others = np.full((N, F), 1.0), np.zeros((N, F))
    world = Scores(members, others)
    swap = swap_advantage(world, world)
    assert (swap.mean, swap.low, swap.high) == (1.0, 1.0, 1.0)


def test_one_pair_after_the_other() -> None:
    """The advantage is the share of pairs told rightly less that told wrongly, ties neither,
    averaged over the worlds, with a t-interval over runs."""
    drawn = worlds(2, ease=0.7, memory=0.8)
    world, swapped = (Scores(np.round(w.forget, 1), np.round(w.control, 1)) for w in drawn)

    def one(scores: Scores, k: int) -> float:
        return float(np.mean([np.sign(f - c) for f in scores.forget[k] for c in scores.control[k]]))

    found = [(one(world, k) + one(swapped, k)) / 2 for k in range(N)]
    assert advantage(world) == pytest.approx(2 * world.auc() - 1)
    swap = swap_advantage(world, swapped, alpha=0.1)
    assert swap.advantages == pytest.approx(found)
    t = 2.015048  # the 95 % quantile of t with 5 degrees of freedom, from any table
    reach = t * np.std(found, ddof=1) / np.sqrt(N)
    assert (swap.low, swap.mean, swap.high) == pytest.approx(
        (np.mean(found) - reach, np.mean(found), np.mean(found) + reach), rel=1e-5
    )


def test_what_cannot_be_swapped_is_refused() -> None:
    """Sets that are not each other's, a single run, and NaN are errors, and never a silent 0."""
    world, swapped = worlds(3, ease=0.0, memory=0.0)
    with pytest.raises(ValueError, match="sets exchanged"):
        swap_advantage(world, world)
    with pytest.raises(ValueError, match="two or more, got 1"):
        swap_advantage(
            Scores(world.forget[:1], world.control[:1]), Scores(swapped.forget[:1], swapped.control[:1])
        )
    world.forget[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        swap_advantage(world, swapped)
