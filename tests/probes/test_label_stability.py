import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from auditkit.probes import NotObservable
from auditkit.probes import label_stability as module
from auditkit.probes.label_stability import COPIES, LEVELS, REACH, under_noise, under_shifts
from tests.probes.asked_models import SIDE, answered_records, built


def sign_of_first_feature() -> nn.Module:
    """Label 1 where the first of four features is positive."""
    model = nn.Linear(4, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[-1.0, 0, 0, 0], [1.0, 0, 0, 0]]))
        model.bias.zero_()
    return model.eval()


def test_the_share_under_noise_is_a_normal_probability(monkeypatch: pytest.MonkeyPatch) -> None:
    """At distance d from the boundary the share is the mean over levels s of Phi(d / (s spread));
    where the label is wrong, its complement."""
    monkeypatch.setattr(module, "COPIES", 1500)
    x = torch.zeros(6, 4)
    x[:, 0] = torch.tensor([-0.5, -0.2, -0.05, 0.05, 0.2, 0.5])
    x[:, 1] = torch.tensor([-1.0, 1, -1, 1, -1, 1])
    spread = float(np.sqrt(x.numpy().var(axis=0).mean()))
    y = torch.ones(6, dtype=torch.int64)
    expected = np.mean([stats.norm.cdf(x[:, 0].numpy() / (level * spread)) for level in LEVELS], axis=0)
    assert under_noise(sign_of_first_feature(), x, y, 0) == pytest.approx(expected, abs=0.03)


def test_noise_follows_the_datas_own_unit() -> None:
    """Inputs in another unit, and a model that knows it, give the same shares."""
    model = built("mlp")
    asked = answered_records(model, 30)
    other = nn.Sequential(nn.Linear(64, 64, bias=False), model).eval()
    with torch.no_grad():
        other[0].weight.copy_(torch.eye(64) / 8)  # type: ignore[operator]
    assert np.array_equal(under_noise(other, asked.x * 8, asked.y, 1), under_noise(model, *asked, 1))


def test_shares_under_noise_are_multiples_of_one_copy() -> None:
    """A share counts LEVELS times COPIES labels, some but not all of them right."""
    model = built("mlp")
    counts = under_noise(model, *answered_records(model, 40), 0) * len(LEVELS) * COPIES
    assert counts == pytest.approx(counts.round(), abs=1e-9)
    assert 0 <= counts.min() < counts.max() <= len(LEVELS) * COPIES


def test_shifts_are_counted_one_by_one() -> None:
    """The share is that of all places up to REACH pixels away, zeros coming in at the edge."""
    model = built("mlp")
    x, y = answered_records(model, 20)
    right = np.zeros(20)
    padded = np.pad(x.numpy().reshape(20, SIDE, SIDE), ((0, 0), (REACH, REACH), (REACH, REACH)))
    for i in range(2 * REACH + 1):
        for j in range(2 * REACH + 1):
            window = padded[:, i : i + SIDE, j : j + SIDE].reshape(20, -1)
            with torch.no_grad():
                right += (model(torch.from_numpy(window.copy())).argmax(dim=1) == y).numpy()
    assert under_shifts(model, x, y, 0) == pytest.approx(right / (2 * REACH + 1) ** 2)
    assert 0 < right.sum() < right.size * (2 * REACH + 1) ** 2


def test_only_images_can_be_shifted() -> None:
    """Records of ten features are no image, and the reason says so."""
    model = nn.Linear(10, 2).eval()
    with pytest.raises(NotObservable, match="only images can be shifted"):
        under_shifts(model, torch.randn(4, 10), torch.zeros(4, dtype=torch.int64), 0)
