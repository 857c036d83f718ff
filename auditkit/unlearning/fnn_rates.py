"""How fast each unit forgets: from the order of the units to their time constants.

Source: Hatua, Nguyen, Cano & Sung, "Machine Unlearning using Forgetting Neural Networks"
(arXiv:2410.22374). With one constant for all units their network is FFR, with fixed forgetting
rates; with one for each, by its rank, it is VFR, with varying ones. Rank 1 forgets fastest.
"""

from typing import Literal

import torch

Rates = Literal["fixed", "rank", "reversed", "ordered", "random", "random subset", "top"]
"""fixed: every unit alike (FFR). rank: the most active unit first; reversed: the least active
first, the negative control. ordered: by position in the layer; random: by a random permutation.
random subset: so many units as chance says, drawn by chance, forget as fast as rank 1, the others
by rank. top: the K most active forget as fast as rank 1, the others by rank."""

Spacing = Literal["equidistant", "linear", "geometric"]
"""equidistant: tau is the rank, 1 to the number of units; linear, geometric: evenly spaced between
two constants, or their logarithms."""

BY_RANK: tuple[Rates, ...] = ("rank", "reversed", "random subset", "top")
"""Those that look at the activations at all."""


def time_constants(
    activation: torch.Tensor,
    *,
    rates: Rates = "rank",
    spacing: Spacing = "equidistant",
    tau: float = 30.0,
    span: tuple[float, float] = (1.0, 128.0),
    top: int = 30,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """tau of each unit, in epochs of forgetting: float (units,), > 0.

    activation: (units,), how strongly what is to be forgotten excites each unit. tau: the constant
    of all units with fixed rates. span: the smallest and largest constant of a spacing that is
    linear or geometric. top: K, how many units of a layer are at the top: all, if it has no more.
    generator: of the rates that are random; needed by those alone.

    No constant is 0, as some are in the published code, which counts ranks from 0: such a unit
    would be switched off for good at any t > 0.
    """
    units = len(activation)
    if rates == "fixed":
        return torch.full_like(activation, tau)
    if rates == "ordered":
        return spaced(torch.arange(1, units + 1).to(activation), spacing, span)
    if rates == "random":
        return spaced(_shuffled(units, generator).to(activation) + 1, spacing, span)
    if rates == "reversed":
        return spaced(ranks(-activation), spacing, span)
    constants = spaced(ranks(activation), spacing, span)
    if rates == "top":
        constants[ranks(activation) <= top] = constants.min()
    if rates == "random subset":
        size = int(torch.randint(1, units + 1, (), generator=_needed(generator)))
        constants[_shuffled(units, generator)[:size].to(activation.device)] = constants.min()
    return constants


def spaced(rank: torch.Tensor, spacing: Spacing, span: tuple[float, float]) -> torch.Tensor:
    """The time constant of each rank, (units,): rank 1 has the smallest, rank `units` the
    largest."""
    if spacing == "equidistant":
        return rank.clone()
    least, most = span
    share = (rank - 1) / max(1, len(rank) - 1)
    if spacing == "linear":
        return least + share * (most - least)
    return least * (most / least) ** share


def ranks(activation: torch.Tensor) -> torch.Tensor:
    """Rank of each unit by activation, 1 for the most active: float (units,). Equal activations are
    ranked in the order of the units."""
    order = torch.argsort(activation, descending=True, stable=True)
    rank = torch.empty_like(activation)
    rank[order] = torch.arange(1, len(activation) + 1, dtype=activation.dtype, device=activation.device)
    return rank


def _shuffled(units: int, generator: torch.Generator | None) -> torch.Tensor:
    return torch.randperm(units, generator=_needed(generator))


def _needed(generator: torch.Generator | None) -> torch.Generator:
    if generator is None:
        raise ValueError("rates that are random need a generator")
    return generator
