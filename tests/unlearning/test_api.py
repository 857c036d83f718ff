"""One call on a model that was built elsewhere."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import auditkit
from auditkit.models.architectures import answer, mlp
from auditkit.training import initialise
from auditkit.training.records import Records
from auditkit.unlearning import UNLEARNERS, fnn

RECIPE = auditkit.Recipe(epochs=2, batch_size=8, learning_rate=0.01)


def x(n: int = 30) -> torch.Tensor:
    return torch.randn(n, 6, generator=torch.Generator().manual_seed(2))


RETAIN, FORGET = (x()[:20], torch.arange(20) % 4), (x()[20:], torch.arange(10) % 4)


def model() -> nn.Module:
    return initialise(lambda: mlp((6,), 4, hidden=(10,)), 1).train()


class Wrapped(nn.Module):
    """Answers as some libraries do, with an object."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = model()

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"logits": self.inner(x)}


def forgotten(**changed: Any) -> nn.Module:
    given = {
        "model": model(),
        "retain": RETAIN,
        "forget": FORGET,
        "seed": 3,
        "recipe": RECIPE,
        "t": 2.0,
        **changed,
    }
    return auditkit.forget(given.pop("model"), given.pop("retain"), given.pop("forget"), **given)


def test_one_call_is_the_procedure_on_a_list_of_one() -> None:
    """auditkit.forget gives what the procedure gives, and leaves the model as it was, its mode
    too."""
    net = model()
    found = forgotten(model=net)
    (expected,) = fnn.unlearn([model()], Records(*RETAIN), Records(*FORGET), seeds=[3], recipe=RECIPE, t=2.0)
    np.testing.assert_array_equal(answer(found, x()), answer(expected, x()))
    assert not found.training
    assert net.training
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), model().parameters(), strict=True))


@pytest.mark.parametrize("form", ["arrays", "data set", "loader", "lists"])
def test_records_may_come_as_arrays_data_sets_or_loaders(form: str) -> None:
    """However the same records come, the same model is returned."""

    def given(x: torch.Tensor, y: torch.Tensor) -> Any:
        pairs = TensorDataset(x, y)
        loader: DataLoader[Any] = DataLoader(pairs, batch_size=7)
        return {
            "arrays": (x.numpy(), y.numpy()),
            "data set": pairs,
            "loader": loader,
            "lists": [x, y.tolist()],
        }[form]

    found = forgotten(retain=given(*RETAIN), forget=given(*FORGET))
    np.testing.assert_array_equal(answer(found, x()), answer(forgotten(), x()))


@pytest.mark.parametrize("name", sorted(set(UNLEARNERS) - {"sisa"}))
def test_every_procedure_goes_by_its_name(name: str) -> None:
    """Any procedure of the table can be called with its defaults."""
    found = auditkit.forget(model(), RETAIN, FORGET, procedure=name, seed=1, recipe=RECIPE)
    assert np.isfinite(answer(found, x())).all()


def test_a_procedure_that_does_not_train_needs_no_recipe() -> None:
    """The no-op is called without one."""
    found = auditkit.forget(model(), RETAIN, FORGET, procedure="noop", seed=1)
    np.testing.assert_array_equal(answer(found, x()), answer(model(), x()))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"model": Wrapped()}, "must answer with a tensor of logits, found dict: wrap it"),
        ({"model": nn.Sequential(nn.Linear(6, 4), nn.Unflatten(1, (2, 2)))}, r"logits \(2, classes\), found"),
        ({"model": nn.Sequential(nn.Linear(6, 3))}, "labels must be 0 to 2, .* found 0 to 3"),
        ({"model": nn.utils.parametrizations.weight_norm(nn.Linear(6, 4))}, "layers? .*that can fade"),
        ({"retain": (x()[:20], torch.arange(19) % 4)}, "retain must have one whole-numbered label"),
        ({"forget": (x()[:0], torch.arange(0))}, "one record at least"),
        ({"forget": (x()[:3], torch.rand(3))}, "whole-numbered label"),
        ({"forget": "records"}, "forget must be a pair"),
        ({"recipe": None}, "the procedure 'fnn' trains: say how"),
        ({"procedure": "magic"}, "one of .*fnn"),
        ({"t": -1.0}, "procedure.options.t: .* greater than or equal to 0"),
        ({"speed": 2}, "procedure.options.speed: not an option"),
        ({"layers": ["2"]}, "fade.*1, 3"),
    ],
)
def test_what_cannot_be_used_is_refused(changed: dict[str, Any], why: str) -> None:
    """Each problem is told with what was found and what to do."""
    with pytest.raises(auditkit.UsageError, match=why):
        forgotten(**changed)
