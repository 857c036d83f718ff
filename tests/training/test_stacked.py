import numpy as np
import pytest
import torch
from torch import nn

from auditkit.models import answer, mlp
from auditkit.training import Recipe, fit, run_seed, train, unstack
from auditkit.training.stacked import initialise

# printf 7/original/0 | sha256sum, its first 16 digits, halved
SEED_7_ORIGINAL_0 = int("100b4305fae038d9", 16) >> 1


def build() -> nn.Module:
    return mlp((6,), 3, hidden=(8,))


def records(n: int = 50) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 6)).astype(np.float32)
    return torch.from_numpy(x), torch.from_numpy(rng.integers(0, 3, n))


def train_alone(members: np.ndarray, recipe: Recipe, seed: int) -> nn.Module:
    """The textbook loop, written a second time."""
    x, y = records()
    model = initialise(build, seed).train()
    if recipe.optimiser == "adam":
        optimiser: torch.optim.Optimizer = torch.optim.Adam(
            model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
    else:
        optimiser = torch.optim.SGD(
            model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, momentum=0.9
        )
    rng = np.random.default_rng(seed)
    for _ in range(recipe.epochs):
        order = rng.permutation(members)
        for start in range(0, len(order), recipe.batch_size):
            batch = order[start : start + recipe.batch_size]
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimiser.step()
    return model.eval()


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(epochs=4, batch_size=16, learning_rate=0.01),
        Recipe(epochs=4, batch_size=16, learning_rate=0.05, weight_decay=0.01, optimiser="sgd"),
    ],
)
def test_a_stack_learns_what_each_run_would_learn_alone(recipe: Recipe) -> None:
    """Stacked training equals a plain loop over runs, up to rounding."""
    x, y = records()
    members = np.stack([np.arange(0, 40), np.arange(5, 45), np.arange(10, 50)])
    seeds = [11, 12, 13]

    stack = train(build, x, y, members, recipe, seeds)

    for k, seed in enumerate(seeds):
        alone = answer(train_alone(members[k], recipe, seed), x)
        np.testing.assert_allclose(answer(unstack(build, stack, k), x), alone, rtol=2e-4, atol=2e-5)


def test_training_learns() -> None:
    """Enough epochs fit the records by heart: it is training, not noise."""
    x, y = records()
    stack = train(build, x, y, np.arange(50)[None], Recipe(400, 16, 0.02), [1])
    assert (answer(unstack(build, stack, 0), x).argmax(1) == y.numpy()).mean() > 0.95


def test_a_run_depends_on_its_own_seed_alone() -> None:
    """A run comes out the same to the last bit whoever is trained beside it, in a stack of equal width."""
    x, y = records()
    recipe, members = Recipe(2, 16, 0.01), np.tile(np.arange(40), (2, 1))
    one = train(build, x, y, members, recipe, [5, 6])
    other = train(build, x, y, members, recipe, [5, 7])
    for name in one:
        assert torch.equal(one[name][0], other[name][0])
        assert not torch.equal(one[name][1], other[name][1])


def test_initialising_leaves_the_global_generator_alone() -> None:
    """Building a model does not move torch's global random state."""
    before = torch.get_rng_state()
    initialise(build, 3)
    assert torch.equal(before, torch.get_rng_state())


def test_fit_goes_on_from_where_the_model_is() -> None:
    """No epochs leave the model as it was; more lower its loss."""
    x, y = records()
    model = initialise(build, 0)
    before = answer(model, x)
    np.testing.assert_array_equal(answer(fit(model, x, y, Recipe(0, 16, 0.01), seed=1), x), before)
    loss = nn.functional.cross_entropy(torch.from_numpy(before), y)
    after = answer(fit(model, x, y, Recipe(20, 16, 0.01), seed=1), x)
    assert nn.functional.cross_entropy(torch.from_numpy(after), y) < loss


def test_seeds_differ_between_arms_and_runs() -> None:
    """Each (audit seed, arm, index) has a seed of its own, below 2^63, the same every time."""
    seeds = {run_seed(a, arm, i) for a in range(3) for arm in ("original", "retrained") for i in range(50)}
    assert len(seeds) == 300
    assert max(seeds) < 2**63
    assert run_seed(7, "original", 0) == SEED_7_ORIGINAL_0


def test_asking_a_model_that_changes_its_buffers_is_refused() -> None:
    """A model that updates a buffer when asked cannot be scored."""

    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("asked", torch.zeros(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.get_buffer("asked").add_(1)
            return x

    with pytest.raises(RuntimeError, match="asked"):
        answer(Counting(), torch.zeros(2, 3))


def test_models_are_asked_in_eval_mode() -> None:
    """Dropout does not act when a model is asked, whatever mode it came in."""
    model = nn.Sequential(nn.Linear(6, 6), nn.Dropout(0.5)).train()
    x, _ = records()
    np.testing.assert_array_equal(answer(model, x), answer(model, x))
    assert not model.training
