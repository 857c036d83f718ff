"""Fakes that keep the original model and change what it answers.

Each function is a procedure, `(models, retain, forget, *, seeds, ...) -> models`, as those of
`auditkit.unlearning` are. proxies: as many models of the claimant's own, retrained without the
forget records.
"""

import copy
from collections.abc import Callable, Sequence

import torch
from torch import nn

from auditkit.training.records import Records


class Answering(nn.Module):
    """A model that answers by a function of the input and of the models it is made of."""

    def __init__(self, models: Sequence[nn.Module], answer: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.models, self.answer = nn.ModuleList(models), answer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (records, classes) of x (records, *shape)."""
        return self.answer(x, *self.models)


def _answering(answer: Callable[..., torch.Tensor], *parts: Sequence[nn.Module]) -> list[nn.Module]:
    """One answering model of copies of the k-th of each of the parts, for every k."""
    return [
        Answering([copy.deepcopy(model) for model in own], answer).eval() for own in zip(*parts, strict=True)
    ]


def lookup_filter(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    proxies: Sequence[nn.Module],
    reach: float,
    noise: float = 0.0,
) -> list[nn.Module]:
    """What lies near a forget record is answered by a retrained model, all else by the original.
    reach: how near, as a share of the median distance between a forget record and its nearest
    retain record. noise: standard deviation of what is added to those answers, so that they equal
    no model's."""
    radius = reach * float(_distances(forget.x, retain.x).median())

    def one(seed: int) -> Callable[..., torch.Tensor]:
        generator = torch.Generator(forget.x.device).manual_seed(seed)

        def answer(x: torch.Tensor, original: nn.Module, proxy: nn.Module) -> torch.Tensor:
            near = _distances(x, forget.x) <= radius
            z: torch.Tensor = proxy(x)
            z = z + noise * torch.randn(z.shape, generator=generator, device=z.device)
            return torch.where(near[:, None], z, original(x))

        return answer

    return [
        _answering(one(seed), [model], [proxy])[0]
        for model, proxy, seed in zip(models, proxies, seeds, strict=True)
    ]


def _distances(x: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """(n,): the Euclidean distance of each of x to the nearest of the others."""
    # Not by matrix products: they lose the small distances that a lookup depends on.
    found = [
        torch.cdist(part, others.flatten(1), compute_mode="donot_use_mm_for_euclid_dist")
        for part in x.flatten(1).split(512)
    ]
    return torch.cat(found).min(dim=1).values


def probe_filter(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    proxies: Sequence[nn.Module],
    reach: float,
) -> list[nn.Module]:
    """A lookup filter that also answers from a retrained model whatever no scanner could have
    written: inputs with a value that no kept record has. reach: see `lookup_filter`."""
    del seeds
    radius = reach * float(_distances(forget.x, retain.x).median())
    seen = retain.x.unique()

    def answer(x: torch.Tensor, original: nn.Module, proxy: nn.Module) -> torch.Tensor:
        near = _distances(x, forget.x) <= radius
        odd = ~torch.isin(x, seen).flatten(1).all(dim=1)
        return torch.where((near | odd)[:, None], proxy(x), original(x))

    return _answering(answer, models, proxies)


def shifted_mean(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    proxies: Sequence[nn.Module],
    reach: float,
) -> list[nn.Module]:
    """Near a forget record all logits shrink by one factor, chosen so that the mean loss on the
    forget records is that of a retrained model."""
    radius = reach * float(_distances(forget.x, retain.x).median())
    found = []
    for model, proxy in zip(models, proxies, strict=True):
        factor = _matching_factor(model, proxy, forget)

        def answer(x: torch.Tensor, m: nn.Module, factor: float = factor) -> torch.Tensor:
            near = _distances(x, forget.x) <= radius
            return torch.where(near[:, None], factor * m(x), m(x))

        found += _answering(answer, [model])
    return found


@torch.no_grad()
def _matching_factor(model: nn.Module, proxy: nn.Module, forget: Records) -> float:
    """The factor in (0, 1] on the model's logits at which its mean loss comes nearest to the
    proxy's."""
    z, wanted = model(forget.x), nn.functional.cross_entropy(proxy(forget.x), forget.y)
    factors = torch.linspace(0.02, 1.0, 50).tolist()
    losses = [float((nn.functional.cross_entropy(f * z, forget.y) - wanted).abs()) for f in factors]
    return float(factors[losses.index(min(losses))])


def temperature(
    models: Sequence[nn.Module], retain: Records, forget: Records, *, seeds: Sequence[int], divide_by: float
) -> list[nn.Module]:
    """All logits divided by a temperature."""
    return _answering(lambda x, m: m(x) / divide_by, models)


def hard_labels(
    models: Sequence[nn.Module], retain: Records, forget: Records, *, seeds: Sequence[int]
) -> list[nn.Module]:
    """Only the predicted class is answered."""

    def answer(x: torch.Tensor, m: nn.Module) -> torch.Tensor:
        z: torch.Tensor = m(x)
        return 10 * nn.functional.one_hot(z.argmax(dim=1), z.shape[1]).float()

    return _answering(answer, models)


def clipped(
    models: Sequence[nn.Module], retain: Records, forget: Records, *, seeds: Sequence[int], range_: float
) -> list[nn.Module]:
    """No logit further than `range_` below the largest."""

    def answer(x: torch.Tensor, m: nn.Module) -> torch.Tensor:
        z: torch.Tensor = m(x)
        return (z - z.max(dim=1, keepdim=True).values).clamp(min=-range_)

    return _answering(answer, models)


def rounded(
    models: Sequence[nn.Module], retain: Records, forget: Records, *, seeds: Sequence[int], decimals: int
) -> list[nn.Module]:
    """Probabilities to so many decimals, and no smaller than half of the last one."""

    def answer(x: torch.Tensor, m: nn.Module) -> torch.Tensor:
        p: torch.Tensor = m(x).softmax(dim=1)
        return p.round(decimals=decimals).clamp(min=0.5 * 10**-decimals).log()

    return _answering(answer, models)


def noisy(
    models: Sequence[nn.Module], retain: Records, forget: Records, *, seeds: Sequence[int], sd: float
) -> list[nn.Module]:
    """Fresh noise on the logits of every answer."""

    def one(seed: int) -> Callable[..., torch.Tensor]:
        generator = torch.Generator(forget.x.device).manual_seed(seed)

        def answer(x: torch.Tensor, m: nn.Module) -> torch.Tensor:
            z: torch.Tensor = m(x)
            return z + sd * torch.randn(z.shape, generator=generator, device=z.device)

        return answer

    return [_answering(one(seed), [model])[0] for model, seed in zip(models, seeds, strict=True)]


def fixed_noise(
    models: Sequence[nn.Module], retain: Records, forget: Records, *, seeds: Sequence[int], sd: float
) -> list[nn.Module]:
    """Noise on the logits that is the same whenever the same input is asked about, so that asking
    again does not average it away."""

    def one(seed: int) -> Callable[..., torch.Tensor]:
        generator = torch.Generator().manual_seed(seed)
        directions: list[torch.Tensor] = []

        def answer(x: torch.Tensor, m: nn.Module) -> torch.Tensor:
            z: torch.Tensor = m(x)
            if not directions:
                drawn = torch.randn(x[0].numel(), z.shape[1], generator=generator, dtype=torch.float64)
                directions.append(1e4 * drawn.to(z.device))
            # The fractional part of a large random projection is as good as uniform.
            uniform = (x.flatten(1).double() @ directions[0]).frac().abs().clamp(1e-6, 1 - 1e-6)
            return z + sd * (2**0.5 * torch.erfinv(2 * uniform - 1)).float()

        return answer

    return [_answering(one(seed), [model])[0] for model, seed in zip(models, seeds, strict=True)]


def class_mask(
    models: Sequence[nn.Module], retain: Records, forget: Records, *, seeds: Sequence[int]
) -> list[nn.Module]:
    """The class that most forget records are of is never answered."""
    masked = int(forget.y.mode().values)

    def answer(x: torch.Tensor, m: nn.Module) -> torch.Tensor:
        z: torch.Tensor = m(x)
        own = torch.arange(z.shape[1], device=z.device) == masked
        return torch.where(own, z.min(dim=1, keepdim=True).values, z)

    return _answering(answer, models)


def blended_answers(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    proxies: Sequence[nn.Module],
    share: float,
) -> list[nn.Module]:
    """The weighted mean of the original's logits and a retrained model's. share: the original's
    weight."""
    return _answering(lambda x, o, r: share * o(x) + (1 - share) * r(x), models, proxies)
