import math
from typing import Any, get_args

import numpy as np
import pytest
import torch

from auditkit.unlearning.fnn_gates import retention
from auditkit.unlearning.fnn_rates import BY_RANK, Rates, Spacing, ranks, time_constants

SPAN = (5.0, 80.0)
RATES: tuple[Rates, ...] = get_args(Rates)
SPACINGS: tuple[Spacing, ...] = get_args(Spacing)


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def activations(units: int = 9) -> torch.Tensor:
    """Some of them, of units two of which are dead."""
    drawn = torch.randn(units, generator=generator(4)).double()
    drawn[[2, 6]] = 0.0
    return drawn


def naive_rank(activation: list[float], unit: int) -> int:
    """1 and how many units come before this one: the more active, and of equals the earlier."""
    before = 0
    for other, its in enumerate(activation):
        if its > activation[unit] or (its == activation[unit] and other < unit):
            before += 1
    return before + 1


def naive_constant(rank: int, units: int, spacing: str) -> float:
    least, most = SPAN
    share = (rank - 1) / (units - 1)
    if spacing == "linear":
        return least + share * (most - least)
    if spacing == "geometric":
        return math.exp((1 - share) * math.log(least) + share * math.log(most))
    return rank


def naive(activation: list[float], rates: str, spacing: str, tau: float, top: int, seed: int) -> list[float]:
    """The rules, unit by unit."""
    units, chance = len(activation), generator(seed)
    order = torch.randperm(units, generator=chance).tolist() if rates == "random" else []
    size = int(torch.randint(1, units + 1, (), generator=chance)) if rates == "random subset" else 0
    drawn = torch.randperm(units, generator=chance).tolist()[:size] if size else []
    constants = []
    for unit in range(units):
        rank = naive_rank(activation, unit)
        if rates == "ordered":
            rank = unit + 1
        if rates == "random":
            rank = order[unit] + 1
        if rates == "reversed":
            rank = naive_rank([-each for each in activation], unit)
        if (rates == "top" and rank <= top) or unit in drawn:
            rank = 1
        constants.append(tau if rates == "fixed" else naive_constant(rank, units, spacing))
    return constants


@pytest.mark.parametrize("rates", RATES)
@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_rule_is_what_a_loop_over_the_units_gives(rates: Rates, spacing: Spacing, seed: int) -> None:
    """Time constants are those of the rules written out unit by unit, in the activations' kind of
    number."""
    activation, options = activations(), {"tau": 7.0, "top": 3}
    found = time_constants(
        activation, rates=rates, spacing=spacing, span=SPAN, generator=generator(seed), tau=7.0, top=3
    )
    expected = naive(activation.tolist(), rates, spacing, seed=seed, **options)  # type: ignore[arg-type]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)
    assert found.dtype == activation.dtype
    assert found.min() > 0


@pytest.mark.parametrize("spacing", SPACINGS)
def test_spacings_begin_and_end_where_they_say(spacing: Spacing) -> None:
    """The fastest unit has the least constant, the slowest the most, and rates grow with rank; also
    of one unit."""
    found = time_constants(activations(), spacing=spacing, span=SPAN)
    by_rank = found[torch.argsort(ranks(activations()))]
    assert (by_rank.diff() > 0).all()
    ends = [1.0, 9.0] if spacing == "equidistant" else list(SPAN)
    assert [by_rank[0].item(), by_rank[-1].item()] == pytest.approx(ends)
    (alone,) = time_constants(torch.ones(1), spacing=spacing, span=SPAN)
    assert alone.item() == ends[0]


def test_geometric_constants_grow_by_one_factor() -> None:
    """Each constant is the one before times (most / least)^(1 / (units - 1)), where linear ones
    grow by one step."""
    found = time_constants(torch.arange(5.0).flip(0), spacing="geometric", span=(1.0, 16.0))
    assert found.tolist() == pytest.approx([1, 2, 4, 8, 16])
    found = time_constants(torch.arange(5.0).flip(0), spacing="linear", span=(1.0, 17.0))
    assert found.tolist() == pytest.approx([1, 5, 9, 13, 17])


def test_the_published_example() -> None:
    """Activations [.1, .9, .5, -2] have the ranks [3, 1, 2, 4], and [3, 1, 1, 4] with the top two
    alike."""
    example = torch.tensor([0.1, 0.9, 0.5, -2.0])
    assert time_constants(example).tolist() == [3, 1, 2, 4]
    assert time_constants(example, rates="top", top=2).tolist() == [3, 1, 1, 4]
    assert time_constants(example, rates="reversed").tolist() == [2, 4, 3, 1]
    assert time_constants(example, rates="ordered").tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(("t", "by_rank", "fixed"), [(1, 0.955, 0.967), (2, 0.924, 0.936), (5, 0.852, 0.846)])
def test_fixed_and_rank_rates_are_of_like_strength(t: float, by_rank: float, fixed: float) -> None:
    """On the paper's 128 hidden units, with ranks counted from 0 as published, the mean of phi is
    within 1.2 points of that of fixed rates at t = 1, 2, 5; counted from 1 it is more by phi of the
    last rank."""
    tau = time_constants(torch.randn(128, generator=generator()))
    from_0, from_1 = retention(t, tau - 1).mean().item(), retention(t, tau).mean().item()
    assert from_0 == pytest.approx(by_rank, abs=6e-4)
    assert from_1 - from_0 == pytest.approx(math.exp(-t / 128) / 128, abs=1e-6)
    fixed_tau = time_constants(torch.zeros(128), rates="fixed")
    assert retention(t, fixed_tau).mean().item() == pytest.approx(fixed, abs=6e-4)


def test_no_unit_is_switched_off_at_once() -> None:
    """On ten logits phi at t = 1 runs from .37, rank 1, to .90: ranks are counted from 1, not 0."""
    phi = retention(1.0, time_constants(torch.arange(10.0).flip(0)))
    assert phi.tolist() == pytest.approx(
        [0.37, 0.61, 0.72, 0.78, 0.82, 0.85, 0.87, 0.88, 0.90, 0.90], abs=6e-3
    )


@pytest.mark.parametrize("spacing", SPACINGS)
def test_a_layer_with_no_more_units_than_the_top_forgets_as_one(spacing: Spacing) -> None:
    """With K >= units all have the constant of rank 1: the gate is uniform, on logits a mere
    temperature."""
    options: dict[str, Any] = {"rates": "top", "spacing": spacing, "span": SPAN}
    found = time_constants(activations(), top=9, **options)
    assert found.tolist() == [time_constants(activations(), spacing=spacing, span=SPAN).min()] * 9
    assert found.tolist() == time_constants(activations(), top=30, **options).tolist()
    none = time_constants(activations(), top=0, **options)
    assert none.tolist() == time_constants(activations(), spacing=spacing, span=SPAN).tolist()


def test_random_subsets_have_every_size_alike() -> None:
    """Over many draws each unit but rank 1 is drawn with probability (n + 1) / 2n, and each size
    equally often."""
    n, draws, chance = 6, 3000, generator()
    alike = torch.stack(
        [
            time_constants(torch.arange(n, 0, -1.0), rates="random subset", generator=chance) == 1
            for _ in range(draws)
        ]
    ).double()
    assert alike[:, 0].all()  # rank 1 anyway
    expected = (n + 1) / (2 * n)
    error = math.sqrt(expected * (1 - expected) / draws)
    assert alike[:, 1:].mean(0).tolist() == pytest.approx([expected] * 5, abs=4 * error)
    every = (alike.sum(1) == n).double().mean().item()  # all six, or the five others
    assert every == pytest.approx(1 / 6 + 1 / 36, abs=4 * math.sqrt(0.2 * 0.8 / draws))


def test_random_rates_are_permutations_of_the_ranks() -> None:
    """A random order gives each unit each rank equally often, and each rank to one unit."""
    chance = generator()
    drawn = torch.stack(
        [time_constants(torch.zeros(4), rates="random", generator=chance) for _ in range(2000)]
    )
    assert (drawn.sort(1).values == torch.arange(1.0, 5)).all()
    assert drawn.mean(0).tolist() == pytest.approx([2.5] * 4, abs=4 * math.sqrt(1.25 / 2000))


@pytest.mark.parametrize("rates", ["random", "random subset"])
def test_chance_needs_a_generator(rates: Rates) -> None:
    """No rates are drawn from torch's global generator."""
    with pytest.raises(ValueError, match="need a generator"):
        time_constants(torch.zeros(4), rates=rates)


@pytest.mark.parametrize("rates", RATES)
def test_activations_matter_to_the_rates_that_rank_by_them(rates: Rates) -> None:
    """Other activations give other constants to the rates of BY_RANK, and the same to all
    others."""
    one, other = (
        time_constants(each, rates=rates, top=3, generator=generator(2))
        for each in (activations(), -activations())
    )
    assert (one.tolist() != other.tolist()) == (rates in BY_RANK)
