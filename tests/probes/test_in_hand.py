import random

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from auditkit.probes import OBSERVATIONS, RECOVERIES, NotObservable
from auditkit.training.records import Records
from tests.probes.asked_models import BUILDERS, CLASSES, RECIPE, answered_records, built, random_records

REFUSED = {("gradient norm", "batch norm"), ("rescaled", "batch norm")}
EVERY = [(name, model) for name in (*OBSERVATIONS, *RECOVERIES) for model in BUILDERS]

ASKED = 6

every_kind = pytest.mark.parametrize(("name", "kind"), [pair for pair in EVERY if pair not in REFUSED])


def call(name: str, model: nn.Module, seed: int = 5) -> npt.NDArray[np.floating]:
    asked = answered_records(model, ASKED, seed=4)
    if name in OBSERVATIONS:
        return OBSERVATIONS[name](model, *asked, seed)
    retain, control = random_records(12, seed=5), random_records(6, seed=6)
    return RECOVERIES[name](model, retain, asked, control.x, RECIPE, seed)


def generators() -> tuple[object, ...]:
    return random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()


def state(model: nn.Module) -> dict[str, object]:
    """All that could be seen to have changed in a model, in values that can be compared."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return {
        "numbers": {key: value.tolist() for key, value in model.state_dict().items()},
        "modes": [(key, module.training, type(module)) for key, module in model.named_modules()],
        "hooks": [len(getattr(module, hook)) for module in model.modules() for hook in hooks],
        "attributes": [sorted(vars(module)) for module in model.modules()],
        "needs": [parameter.requires_grad for parameter in model.parameters()],
        "gradients": [parameter.grad is None for parameter in model.parameters()],
    }


@every_kind
def test_the_model_is_left_as_it_was(name: str, kind: str) -> None:
    """Weights, buffers, modes, hooks, gradients, answers and frozen weights are what they were, and
    so is what torch, NumPy and Python draw next."""
    model = built(kind)
    next(model.parameters()).requires_grad_(False)
    probe = random_records(5).x
    before, answers, drawn = state(model), model(probe), generators()
    call(name, model)
    assert state(model) == before
    assert generators() == drawn
    assert torch.equal(model(probe), answers)


@every_kind
def test_the_same_seed_gives_the_same_bits(name: str, kind: str) -> None:
    """Asked again, wherever the global generators stand, a copy of the model gives the same, one
    value or row a record."""
    found = call(name, built(kind))
    np.random.seed(1)
    torch.manual_seed(1)
    assert np.array_equal(found, call(name, built(kind)))
    assert np.isfinite(found).all()
    if name in OBSERVATIONS:
        assert found.shape == (ASKED,)
        assert found.dtype == np.float64
    else:
        assert found.shape == (ASKED + 6, CLASSES)
        assert found.dtype == np.float32


@pytest.mark.parametrize(("name", "kind"), sorted(REFUSED))
def test_what_cannot_be_had_is_refused_with_a_reason(name: str, kind: str) -> None:
    """Where batch norm stands in the way, the reason says so."""
    with pytest.raises(NotObservable, match=r"BatchNorm|batch norm") as refused:
        call(name, built(kind))
    assert refused.value.reason == str(refused.value)


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_the_order_of_records_does_not_matter(name: str) -> None:
    """Each record has the value it has wherever it stands."""
    model = built("mlp")
    asked = answered_records(model, 12, seed=8)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    found = OBSERVATIONS[name](model, *asked, 3)
    moved = OBSERVATIONS[name](model, asked.x[order], asked.y[order], 3)
    assert moved == pytest.approx(found[order.numpy()], rel=1e-5)


@pytest.mark.parametrize("name", ["label stability, noise", "label stability, shifts", "boundary distance"])
def test_label_only_observations_see_labels_only(name: str) -> None:
    """A model that answers with nothing but its label is told no different from one that answers
    with logits."""

    class Labels(nn.Module):
        def __init__(self, model: nn.Module) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.one_hot(self.model(x).argmax(dim=1), CLASSES).float()

    model = built("mlp")
    asked = answered_records(model, 8)
    hidden = OBSERVATIONS[name](Labels(model).eval(), *asked, 2)
    assert np.array_equal(hidden, OBSERVATIONS[name](model, *asked, 2))


def test_records_need_not_be_flat() -> None:
    """Images with channels are observed as the same numbers in a row are."""
    model = built("cnn")
    flat = answered_records(model, 6)
    images = Records(flat.x.reshape(6, 1, 8, 8), flat.y)
    for observe in OBSERVATIONS.values():
        assert observe(model, *images, 1) == pytest.approx(observe(model, *flat, 1), rel=1e-4)
