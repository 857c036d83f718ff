import numpy as np
import pytest
import torch
from torch import nn

from auditkit.probes import NotObservable
from auditkit.probes import gradient_norm as module
from auditkit.probes.copies import plain_copy
from auditkit.probes.gradient_norm import gradient_norms
from tests.probes.asked_models import answered_records, built


def by_loop(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> list[float]:
    """Ordinary gradients, one record at a time."""
    norms = []
    for i in range(len(y)):
        loss = nn.functional.cross_entropy(model(x[i : i + 1]), y[i : i + 1])
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        norms.append(sum(float(g.double().square().sum()) for g in gradients) ** 0.5)
    return norms


@pytest.mark.parametrize("kind", ["mlp", "cnn", "resnet", "gated"])
def test_the_norm_is_that_of_each_records_own_gradient(kind: str) -> None:
    """Opacus gives what a loop over records gives, with dropout off and gates folded."""
    model = built(kind)
    asked = answered_records(model, 7)
    assert gradient_norms(model, *asked, 0) == pytest.approx(by_loop(plain_copy(model), *asked), rel=1e-4)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for the gradients of two records only, or of less than one, the norms are the
    same."""
    model = built("mlp")
    asked = answered_records(model, 7)
    whole = gradient_norms(model, *asked, 0)
    size = sum(p.numel() for p in model.parameters())
    for room in (2 * size, 1):
        monkeypatch.setattr(module, "NUMBERS", room)
        assert gradient_norms(model, *asked, 0) == pytest.approx(whole, rel=1e-5)


def test_softmax_regression_has_a_closed_form() -> None:
    """The norm for one linear layer is |p - e_y| times the length of the record with a 1 for the
    bias."""
    model = nn.Sequential(nn.Linear(4, 3)).eval()
    x, y = torch.randn(5, 4), torch.tensor([0, 1, 2, 0, 1])
    with torch.no_grad():
        off = model(x).softmax(dim=1) - nn.functional.one_hot(y, 3)
    expected = off.norm(dim=1) * (1 + x.square().sum(dim=1)).sqrt()
    assert gradient_norms(model, x, y, 0) == pytest.approx(expected.numpy(), rel=1e-5)


def test_shared_weights_count_once() -> None:
    """A layer that is used twice has one gradient, the sum over its uses."""
    shared = nn.Linear(4, 4)
    model = nn.Sequential(shared, nn.Tanh(), shared).eval()
    x, y = torch.randn(5, 4), torch.tensor([0, 1, 2, 3, 1])
    assert gradient_norms(model, x, y, 0) == pytest.approx(by_loop(model, x, y), rel=1e-4)


def test_a_model_that_is_another_in_training_mode_is_refused() -> None:
    """Dropout inside a layer with weights of its own cannot be kept off, and is noticed."""

    class Dropping(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.dropout(super().forward(x), 0.5, self.training)

    with pytest.raises(NotObservable, match="training mode"):
        gradient_norms(Dropping(64, 3).eval(), *answered_records(built("mlp"), 8), 0)


def test_weights_that_are_not_used_have_no_gradient() -> None:
    """A layer on no path to the logits adds nothing."""

    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.idle = nn.Linear(64, 3), nn.Linear(64, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.used(x)  # type: ignore[no-any-return]

    model = Idle().eval()
    asked = answered_records(model, 6)
    assert np.array_equal(gradient_norms(model, *asked, 0), gradient_norms(model.used, *asked, 0))
