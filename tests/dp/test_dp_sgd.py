import itertools
import math
from functools import partial

import numpy as np
import pytest
import torch
from opacus.accountants.analysis import rdp
from scipy import special, stats
from torch import nn

from auditkit.claims.privacy import Privacy
from auditkit.core.errors import UsageError
from auditkit.dp.dp_sgd import Private, module_problems, noise_needed, train_privately
from auditkit.models.architectures import Build, answer, cnn, mlp
from auditkit.models.residual import resnet
from auditkit.training import initialise, run_seed

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 5)).astype(np.float32)
Y = RNG.integers(0, 3, 12)
BUILD = partial(mlp, (5,), 3, hidden=(7,))


def trained(privacy: Privacy, batches: int, seed: int = 3, x: np.ndarray = X, y: np.ndarray = Y) -> Private:
    """A small perceptron trained on the records above."""
    return train_privately(BUILD, x, y, privacy, batches=batches, seed=seed)


def weights(model: nn.Module) -> torch.Tensor:
    """All weights of a model as one vector."""
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


def by_hand(build: Build, x: np.ndarray, privacy: Privacy, noise_multiplier: float, seed: int) -> nn.Module:
    """DP-Adam on batches of all records, one record's gradient at a time."""
    model = initialise(build, run_seed(seed, "private weights", 0))
    noise = torch.Generator().manual_seed(run_seed(seed, "private noise", 0))
    adam = torch.optim.Adam(model.parameters(), lr=privacy.learning_rate)
    for _ in range(privacy.epochs):
        total = [torch.zeros_like(weight) for weight in model.parameters()]
        for record, label in zip(torch.from_numpy(x), torch.from_numpy(Y), strict=True):
            loss = nn.functional.cross_entropy(model(record[None]), label[None])
            gradient = torch.autograd.grad(loss, list(model.parameters()))
            norm = math.sqrt(sum(float(part.square().sum()) for part in gradient))
            for own, part in zip(total, gradient, strict=True):
                own += part * min(1.0, privacy.clipping_norm / norm)
        for weight, own in zip(model.parameters(), total, strict=True):
            sd = noise_multiplier * privacy.clipping_norm
            weight.grad = own + sd * torch.randn(own.shape, generator=noise)
        adam.step()
    return model


@pytest.mark.parametrize("clipping_norm", [0.05, 0.5, 1000.0])
@pytest.mark.parametrize("noise", [0.0, 0.7])
def test_training_is_dp_adam_record_by_record(clipping_norm: float, noise: float) -> None:
    """Each record's gradient is cut to the clipping norm, and noise in proportion to it added to
    the sum."""
    privacy = Privacy(clipping_norm=clipping_norm, noise_multiplier=noise, epochs=6)
    found = trained(privacy, batches=1)
    np.testing.assert_allclose(
        weights(found.model), weights(by_hand(BUILD, X, privacy, noise, 3)).detach(), atol=2e-5
    )


IMAGES = (6, 6)
IMAGE_MODELS = {
    "cnn": partial(cnn, IMAGES, 3, dropout=(0.0, 0.0)),
    "resnet": partial(resnet, IMAGES, 3, width=4, blocks=(1, 1), groups=2),
}


@pytest.mark.parametrize("name", IMAGE_MODELS)
def test_convolutions_and_group_norm_are_clipped_record_by_record(name: str) -> None:
    """The norm of a record's gradient is right for the other architectures, too."""
    x = np.random.default_rng(1).normal(size=(12, *IMAGES)).astype(np.float32)
    privacy = Privacy(clipping_norm=0.3, noise_multiplier=0.5, epochs=2)
    found = train_privately(IMAGE_MODELS[name], x, Y, privacy, batches=1, seed=3)
    expected = by_hand(IMAGE_MODELS[name], x, privacy, 0.5, 3)
    np.testing.assert_allclose(weights(found.model), weights(expected).detach(), atol=5e-5)


def test_clipping_matters() -> None:
    """Without noise, a smaller clipping norm gives other weights."""
    free, cut = (trained(Privacy(clipping_norm=c, noise_multiplier=0, epochs=6), 1) for c in (1000.0, 0.05))
    assert (weights(free.model) - weights(cut.model)).abs().max() > 1e-3


def naive_epsilon(q: float, sigma: float, steps: int, delta: float) -> float:
    """epsilon by Renyi DP of whole orders: Mironov et al. 2019, section 3.3; converted by Balle et
    al. 2020."""
    best = math.inf
    for a in range(2, 64):
        k = np.arange(a + 1)
        chance = stats.binom.pmf(k, a, q)
        renyi = steps * special.logsumexp(k * (k - 1) / (2 * sigma**2), b=chance) / (a - 1)
        best = min(best, renyi + math.log((a - 1) / a) - (math.log(delta) + math.log(a)) / (a - 1))
    return best


@pytest.mark.parametrize(("batches", "epochs", "sigma"), [(4, 3, 1.5), (93, 1, 0.9), (1, 5, 20.0)])
def test_epsilon_is_that_of_the_steps_taken(batches: int, epochs: int, sigma: float) -> None:
    """The accountant is told the true sampling rate, noise and number of steps (93: int(1 / (1 /
    93)) = 92)."""
    found = trained(Privacy(noise_multiplier=sigma, epochs=epochs, delta=1e-4), batches)
    orders = [1 + x / 10 for x in range(1, 100)] + list(range(12, 64))
    total = rdp.compute_rdp(q=1 / batches, noise_multiplier=sigma, steps=batches * epochs, orders=orders)
    expected, _ = rdp.get_privacy_spent(orders=orders, rdp=total, delta=1e-4)
    assert found.epsilon == pytest.approx(expected, rel=1e-12)
    naive = naive_epsilon(1 / batches, sigma, batches * epochs, 1e-4)
    assert 0.97 * naive < found.epsilon <= naive * (1 + 1e-9)
    assert found.noise_multiplier == sigma


@pytest.mark.parametrize(("epsilon", "batches", "epochs"), [(2.0, 18, 100), (0.5, 5, 10), (8.0, 40, 3)])
def test_the_noise_suffices_for_the_claim_and_is_no_more_than_that(
    epsilon: float, batches: int, epochs: int
) -> None:
    """Left to the accountant, the noise spends the claimed epsilon up to .01."""
    sigma = noise_needed(Privacy(epsilon=epsilon, epochs=epochs), batches)
    naive = naive_epsilon(1 / batches, sigma, batches * epochs, 1e-5)
    assert epsilon - 0.011 < naive <= 1.08 * epsilon  # whole orders alone are a little worse
    assert naive_epsilon(1 / batches, 0.9 * sigma, batches * epochs, 1e-5) > epsilon


def test_no_noise_has_no_epsilon() -> None:
    """With the noise switched off the accountant says infinity, whatever is claimed."""
    found = trained(Privacy(noise_multiplier=0, epochs=1), 2)
    assert found.epsilon == math.inf
    assert found.noise_multiplier == 0


def test_a_claim_out_of_reach_is_refused() -> None:
    """Where no noise suffices, the claim is named with a remedy."""
    with pytest.raises(UsageError, match=r"privacy\.epsilon must be within reach"):
        noise_needed(Privacy(epsilon=1e-9, delta=1e-12), 18)


def test_training_repeats_and_leaves_the_generator_alone() -> None:
    """The same seed gives the same bits, another other weights; torch's generator is as it was."""
    privacy = Privacy(noise_multiplier=1.0, epochs=5)
    before = torch.get_rng_state()
    first = weights(trained(privacy, 3).model)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(7)
    assert torch.equal(weights(trained(privacy, 3).model), first)
    assert not torch.equal(weights(trained(privacy, 3, seed=4).model), first)


def test_seeds_of_batches_and_of_noise_differ() -> None:
    """Which records are taken does not come from the numbers that make the noise."""
    seeds = [run_seed(3, f"private {what}", 0) for what in ("weights", "batches", "noise", "dropout")]
    assert all(a != b for a, b in itertools.combinations(seeds, 2))


def test_empty_batches_are_steps_of_noise_alone() -> None:
    """Three records in 40 batches leave most of these empty; they are counted, and the weights stay
    finite."""
    found = trained(Privacy(noise_multiplier=1.0, epochs=2, delta=1e-4), 40, x=X[:3], y=Y[:3])
    assert torch.isfinite(weights(found.model)).all()
    assert found.epsilon <= naive_epsilon(1 / 40, 1.0, 80, 1e-4)


def test_the_model_returned_is_a_plain_one() -> None:
    """It is of the class that was built, in eval mode, without hooks, and can be asked and
    differentiated."""
    model = trained(Privacy(noise_multiplier=1.0, epochs=1), 2).model
    assert type(model) is type(BUILD())
    assert not model.training
    assert all(not part._forward_hooks and not part._backward_hooks for part in model.modules())
    assert not any(hasattr(weight, "grad_sample") for weight in model.parameters())
    assert answer(model, torch.from_numpy(X)).shape == (12, 3)


def test_dropout_is_seeded() -> None:
    """A model that draws random numbers in training repeats, too."""

    def build() -> nn.Module:
        return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))

    privacy = Privacy(noise_multiplier=0.5, epochs=3)
    first, again = (train_privately(build, X, Y, privacy, batches=2, seed=1).model for _ in range(2))
    assert torch.equal(weights(first), weights(again))


def test_batch_norm_is_refused() -> None:
    """A layer that ties the records of a batch together cannot be trained privately, and is
    named."""

    def build() -> nn.Module:
        return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))

    assert module_problems(BUILD()) == []
    with pytest.raises(UsageError, match="BatchNorm"):
        train_privately(build, X, Y, Privacy(), batches=2, seed=1)


def test_shared_weights_are_refused() -> None:
    """The norm of a record's gradient is the sum of squares over layers only if these share
    nothing."""
    tied = nn.Sequential(nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 5))
    tied[2].weight = tied[0].weight
    [problem] = module_problems(tied)
    assert problem.endswith("found: weights that several layers share")
