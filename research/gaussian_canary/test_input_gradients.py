import numpy as np
import torch
from torch import nn

from auditkit.data import make_dataset
from research.gaussian_canary.noise import plant
from research.gaussian_canary.statistic import PoisonTest, canary_scores, poison_test, unit
from auditkit.training import Recipe, fit, initialise
from research.gaussian_canary.input_gradients import input_gradients

CLASSES, WIDTH = 4, 12


def model(seed: int = 0) -> nn.Module:
    return initialise(
        lambda: nn.Sequential(nn.Linear(WIDTH, 32), nn.Tanh(), nn.Linear(32, CLASSES)), seed
    ).eval()


def records(seed: int, n: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, WIDTH, generator=generator), torch.randint(0, CLASSES, (n,), generator=generator)


def test_it_is_the_slope_of_minus_the_margin() -> None:
    """Each entry is the difference quotient of log-sum-exp of the others less the own logit, in
    float64."""
    m, (x, y) = model().double(), records(1, 6)
    x = x.double()
    found = input_gradients(m, x, y)
    with torch.no_grad():
        for i in range(len(x)):
            for j in range(WIDTH):
                step = torch.zeros(WIDTH, dtype=torch.float64)
                step[j] = 1e-5
                ends = [m((x[i] + s)[None])[0] for s in (step, -step)]
                others = [torch.cat([z[: y[i]], z[y[i] + 1 :]]).logsumexp(0) - z[y[i]] for z in ends]
                assert abs(float(others[0] - others[1]) / 2e-5 - found[i, j]) < 1e-7


def test_it_points_where_the_loss_grows() -> None:
    """It has the direction of the cross-entropy's own gradient, and still one where that is lost to
    rounding."""
    m, (x, y) = model(), records(2)
    asked = x.clone().requires_grad_()
    loss = nn.functional.cross_entropy(m(asked), y, reduction="sum")
    [expected] = torch.autograd.grad(loss, asked)
    found = unit(input_gradients(m, x, y))
    assert np.allclose(found, unit(expected.numpy()), atol=1e-4)
    scale = nn.Linear(CLASSES, CLASSES)
    sure = nn.Sequential(m, scale)
    with torch.no_grad():
        scale.weight.copy_(1e4 * torch.eye(CLASSES))
        own = sure(x).argmax(dim=1)
    asked = x.clone().requires_grad_()
    [lost] = torch.autograd.grad(nn.functional.cross_entropy(sure(asked), own, reduction="sum"), asked)
    assert not lost.abs().max(dim=1).values.all()
    assert np.abs(input_gradients(sure, x, own)).max(axis=1).all()


def test_asking_leaves_the_model_alone() -> None:
    """Dropout and batch norm are in eval mode, no buffer moves, no weight has a gradient after, and
    no record depends on who else was asked."""
    m = nn.Sequential(
        nn.Linear(WIDTH, 16), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.ReLU(), nn.Linear(16, CLASSES)
    )
    m.train()
    before = {name: value.clone() for name, value in m.state_dict().items()}
    x, y = records(3)
    with torch.no_grad():  # the caller's own mode does not matter
        found = input_gradients(m, x, y, chunk=7)
    assert found.dtype == np.float64
    assert all(torch.equal(value, before[name]) for name, value in m.state_dict().items())
    assert all(parameter.grad is None for parameter in m.parameters())
    assert not x.requires_grad
    alone = np.concatenate([input_gradients(m, a[None], b[None]) for a, b in zip(x, y, strict=True)])
    assert np.allclose(found, alone, atol=1e-5)
    assert found.shape == tuple(x.shape)


class Labels(nn.Module):
    """Answers with the predicted class only."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One-hot (records, CLASSES)."""
        return nn.functional.one_hot(x.argmax(dim=1) % CLASSES, CLASSES).float()


def test_an_answer_without_a_gradient_has_zeros() -> None:
    """A model that gives labels only has no gradient anywhere, nor one that does not look at its
    input."""
    x, y = records(4)
    assert not input_gradients(Labels(), x, y).any()
    deaf = nn.Linear(WIDTH, CLASSES)
    with torch.no_grad():
        deaf.weight.zero_()
    assert not input_gradients(deaf, x, y).any()


def test_training_on_a_canary_is_seen_and_training_without_is_not() -> None:
    """Runs trained on the canary have positive scores and a tiny p; retrained ones, and records
    nobody trained on, keep to N(0, 1)."""
    (x, y), forget, unseen, retain = records(5, 400), np.arange(60), np.arange(60, 120), np.arange(120, 400)
    clean = make_dataset("canary", x.numpy(), y.numpy(), licence="none", origin="drawn")
    canary = plant(clean, np.concatenate([forget, unseen]), seed=6)
    recipe = Recipe(epochs=30, batch_size=32, learning_rate=0.01)

    def trained(members: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[nn.Module]:
        runs = [model(seed) for seed in (0, 1)]
        given = torch.from_numpy(canary.data.x[members]), torch.from_numpy(canary.data.y[members])
        return fit(runs, *given, recipe, seeds=[0, 1])

    def asked(runs: list[nn.Module], part: slice) -> PoisonTest:
        where = canary.records[part]
        own = torch.from_numpy(clean.x[where]), torch.from_numpy(clean.y[where])
        direction = sum(unit(input_gradients(run, *own)) for run in runs)
        return poison_test(canary_scores(np.asarray(direction), canary.noise[part], canary.scale))

    original, retrained = trained(np.concatenate([forget, retain])), trained(retain)
    assert asked(original, slice(0, 60)).p < 1e-4
    for runs, part in ((original, slice(60, 120)), (retrained, slice(0, 60)), (retrained, slice(60, 120))):
        assert asked(runs, part).p_two_sided > 0.01
