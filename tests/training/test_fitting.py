from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from auditkit.models.architectures import answer
from auditkit.training import Recipe, fit, initialise, run_seed
from auditkit.training.mlp_gradient import linear_layers
from tests.training.textbook import (
    MEMBERS,
    NETS,
    OPTIMISERS,
    PIXELS,
    RECIPE,
    SEEDS,
    assert_close_weights,
    assert_equal_weights,
    by_net,
    convolutional,
    dropping,
    perceptron,
    records,
    started,
    train_alone,
)

# printf 7/original/0 | sha256sum, its first 16 digits, halved
SEED_7_ORIGINAL_0 = int("100b4305fae038d9", 16) >> 1


def with_schedule(recipe: Recipe, schedule: str) -> Recipe:
    return replace(recipe, schedule=schedule, gamma=0.5)


@by_net
@pytest.mark.parametrize("schedule", ["constant", "cosine", "step"])
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_a_stack_learns_what_each_run_would_learn_alone(
    build: Callable[[], nn.Module], schedule: str, optimiser: str
) -> None:
    """Stacked training equals a plain loop over runs with their own records, orders and initial
    weights, up to rounding."""
    x, y = records()
    recipe = with_schedule(OPTIMISERS[optimiser], schedule)
    stack = fit(started(build, SEEDS), x, y, recipe, seeds=SEEDS, members=MEMBERS)
    for model, start, seed, own in zip(stack, started(build, SEEDS), SEEDS, MEMBERS, strict=True):
        assert_close_weights(model, train_alone(start, x, y, recipe, seed, own))


@by_net
@pytest.mark.parametrize("recipe", [OPTIMISERS["adam"], OPTIMISERS["sgd"]], ids=["adam", "sgd"])
def test_in_single_precision_too(build: Callable[[], nn.Module], recipe: Recipe) -> None:
    """In the precision that audits use, a stack still answers what the plain loop's models
    answer."""
    x, y = records()
    x = x.float()
    stack = fit([m.float() for m in started(build, SEEDS)], x, y, recipe, seeds=SEEDS, members=MEMBERS)
    for model, start, seed, own in zip(stack, started(build, SEEDS), SEEDS, MEMBERS, strict=True):
        alone = train_alone(start.float(), x, y, recipe, seed, own)
        np.testing.assert_allclose(answer(model, x), answer(alone, x), rtol=2e-4, atol=2e-5)


@by_net
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_one_model_learns_what_the_textbook_says(build: Callable[[], nn.Module], optimiser: str) -> None:
    """A model that is trained by itself equals the plain loop, up to rounding."""
    x, y = records()
    recipe = with_schedule(OPTIMISERS[optimiser], "cosine")
    (model,) = fit(started(build, [3]), x, y, recipe, seeds=[7], members=MEMBERS[1:2])
    assert_close_weights(model, train_alone(started(build, [3])[0], x, y, recipe, 7, MEMBERS[1]))


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("n", [1, 2])
def test_the_layout_of_weights_in_memory_does_not_matter(optimiser: str, n: int) -> None:
    """Convolutions whose channels come last in memory learn the same as others."""
    x, y = records()
    recipe, seeds = OPTIMISERS[optimiser], SEEDS[:n]
    laid_out = started(convolutional, seeds)
    for model in laid_out:
        kernels = model.get_parameter("4.weight")
        kernels.data = kernels.data.to(memory_format=torch.channels_last)
        assert not kernels.is_contiguous()
    plain = fit(started(convolutional, seeds), x, y, recipe, seeds=seeds)
    for one, other in zip(fit(laid_out, x, y, recipe, seeds=seeds), plain, strict=True):
        assert_close_weights(one, other)


def test_training_learns() -> None:
    """Enough epochs fit the records by heart: it is training, not noise."""
    x, y = records()
    for model in fit(started(perceptron, [1, 2]), x, y, Recipe(200, 16, 0.02), seeds=[1, 2]):
        assert (answer(model, x).argmax(1) == y.numpy()).mean() > 0.95


@pytest.mark.parametrize("n", [1, 2])
def test_fit_goes_on_from_where_the_models_are(n: int) -> None:
    """No epochs leave the models as they were; more lower their loss."""
    x, y = records()
    models, seeds = started(perceptron, SEEDS[:n]), SEEDS[:n]
    before = [answer(model, x) for model in models]
    for model, logits in zip(fit(models, x, y, Recipe(0, 16, 0.01), seeds=seeds), before, strict=True):
        np.testing.assert_array_equal(answer(model, x), logits)
    for model, logits in zip(fit(models, x, y, Recipe(20, 16, 0.01), seeds=seeds), before, strict=True):
        after = torch.from_numpy(answer(model, x))
        loss = nn.functional.cross_entropy(torch.from_numpy(logits), y)
        assert nn.functional.cross_entropy(after, y) < loss


@by_net
@pytest.mark.parametrize("n", [1, 2])
def test_the_models_that_are_given_are_trained(build: Callable[[], nn.Module], n: int) -> None:
    """What comes back are the very models that went in, changed, in eval mode, every weight still
    to be trained."""
    x, y = records()
    models, before = started(build, SEEDS[:n]), started(build, SEEDS[:n])
    fitted = fit(models, x, y, RECIPE, seeds=SEEDS[:n])
    for given, returned, start in zip(models, fitted, before, strict=True):
        assert given is returned
        assert not returned.training
        for weight, old in zip(returned.parameters(), start.parameters(), strict=True):
            assert weight.requires_grad
            assert not torch.equal(weight, old)


@by_net
@pytest.mark.parametrize("n", [1, 3])
def test_a_run_sees_its_own_records_alone(build: Callable[[], nn.Module], n: int) -> None:
    """A record that is no member of a run has no part in it: not even one that is no number."""
    x, y = records()
    x = torch.cat([x, torch.full((2, PIXELS), float("nan"), dtype=x.dtype)])
    y = torch.cat([y, torch.tensor([0, 1])])
    fitted = fit(started(build, SEEDS[:n]), x, y, RECIPE, seeds=SEEDS[:n], members=MEMBERS[:n])
    assert all(weight.isfinite().all() for model in fitted for weight in model.parameters())


class Recording(nn.Module):
    """Keeps what it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(PIXELS, 3)
        self.seen: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(x.clone())
        return torch.as_tensor(self.head(x))


def test_an_epoch_shows_every_record_once_in_a_fresh_order() -> None:
    """Each epoch is a permutation of the run's records in full batches and a rest, and no two are
    alike."""
    x, y = records()
    model = Recording().double()
    fit([model], x, y, Recipe(3, 16, 0.01), seeds=[4], members=MEMBERS[1:2])
    assert [len(batch) for batch in model.seen] == [16, 16, 8] * 3
    shown = torch.cat(model.seen).reshape(3, 40, 1, PIXELS)
    orders = (shown == x).all(-1).int().argmax(-1).tolist()
    assert [sorted(order) for order in orders] == [MEMBERS[1].tolist()] * 3
    assert len({tuple(order) for order in orders}) == 3


def test_by_default_a_run_is_trained_on_all_records() -> None:
    """No members mean all records for every run."""
    x, y = records()
    every = np.tile(np.arange(len(x)), (2, 1))
    given = fit(started(perceptron, [1, 2]), x, y, RECIPE, seeds=[1, 2], members=every)
    for one, other in zip(fit(started(perceptron, [1, 2]), x, y, RECIPE, seeds=[1, 2]), given, strict=True):
        assert_equal_weights(one, other)


@pytest.mark.parametrize("seeds", [[1], [1, 2, 3]])
def test_every_model_needs_a_seed(seeds: list[int]) -> None:
    """Two models with one seed or three are refused."""
    x, y = records()
    with pytest.raises(ValueError, match=rf"a seed of its own, got 2 models, {len(seeds)} seeds"):
        fit(started(perceptron, [1, 2]), x, y, RECIPE, seeds=seeds)


@by_net
def test_a_run_depends_on_its_own_seed_alone(build: Callable[[], nn.Module]) -> None:
    """A run comes out the same to the last bit whoever is trained beside it, in a stack of equal
    width; and a run with the same weights and another seed comes out different."""
    x, y = records()
    one = fit(started(build, [5, 6]), x, y, RECIPE, seeds=[5, 6])
    other = fit(started(build, [5, 6]), x, y, RECIPE, seeds=[5, 7])
    assert_equal_weights(one[0], other[0])
    for weight, same in zip(one[1].parameters(), other[1].parameters(), strict=True):
        assert not torch.equal(weight, same)


@pytest.mark.parametrize("build", [*NETS.values(), dropping], ids=[*NETS, "dropping"])
@pytest.mark.parametrize("n", [1, 3])
def test_training_repeats_itself(build: Callable[[], nn.Module], n: int) -> None:
    """The same models, records and seeds give the same weights to the last bit, wherever torch's
    generator is."""
    x, y = records()
    one = fit(started(build, SEEDS[:n]), x, y, RECIPE, seeds=SEEDS[:n])
    torch.rand(3)
    for model, again in zip(one, fit(started(build, SEEDS[:n]), x, y, RECIPE, seeds=SEEDS[:n]), strict=True):
        assert_equal_weights(model, again)


@by_net
def test_a_run_that_diverges_takes_nobody_with_it(build: Callable[[], nn.Module]) -> None:
    """A run whose weights are no numbers leaves the others of its stack as they are beside an
    ordinary run, to the last bit."""
    x, y = records()
    broken = started(build, SEEDS)
    with torch.no_grad():
        for weight in broken[1].parameters():
            weight.fill_(float("inf"))
    sound = fit(started(build, SEEDS), x, y, RECIPE, seeds=SEEDS)
    fit(broken, x, y, RECIPE, seeds=SEEDS)
    assert not any(weight.isfinite().any() for weight in broken[1].parameters())
    assert_equal_weights(broken[0], sound[0])
    assert_equal_weights(broken[2], sound[2])


def test_initialising_leaves_the_global_generator_alone() -> None:
    """Building a model does not move torch's global random state, and depends on nothing but the
    seed."""
    before = torch.get_rng_state()
    one = initialise(perceptron, 3)
    assert torch.equal(before, torch.get_rng_state())
    torch.rand(3)
    assert_equal_weights(one, initialise(perceptron, 3))
    other = initialise(perceptron, 4)
    assert not torch.equal(one.get_parameter("1.weight"), other.get_parameter("1.weight"))


def test_the_networks_of_these_tests_take_both_ways() -> None:
    """The perceptron is trained by the gradient written out, all others through vmap."""
    found = {name: linear_layers(build(), (PIXELS,)) for name, build in NETS.items()}
    assert found == dict.fromkeys(NETS) | {"by hand": ["1", "3", "5"]}


def test_seeds_differ_between_arms_and_runs() -> None:
    """Each (audit seed, arm, index) has a seed of its own, below 2^63, the same every time."""
    seeds = {run_seed(a, arm, i) for a in range(3) for arm in ("original", "retrained") for i in range(50)}
    assert len(seeds) == 300
    assert max(seeds) < 2**63
    assert run_seed(7, "original", 0) == SEED_7_ORIGINAL_0
