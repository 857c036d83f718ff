import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from auditkit.probes import NotObservable
from auditkit.probes import boundary as module
from auditkit.probes.boundary import boundary_distances

GENERATOR = torch.Generator().manual_seed(3)
X = torch.randn(60, 6, generator=GENERATOR)
LINE, OFFSET = torch.tensor([1.0, -2, 0.5, 0, 1, -0.3]), 0.4
EXACT = ((X @ LINE + OFFSET).abs() / LINE.norm()).double().numpy()


def linear() -> nn.Module:
    model = nn.Linear(6, 2)
    with torch.no_grad():
        model.weight.copy_(torch.stack([-LINE, LINE]) / 2)
        model.bias.copy_(torch.tensor([-OFFSET, OFFSET]) / 2)
    return model.eval()


LABELS = (X @ LINE + OFFSET > 0).long()


def test_distances_to_a_plane() -> None:
    """For a linear model no distance is shorter than |w.x + b| / |w|, few are much longer, and they
    rank alike."""
    found = boundary_distances(linear(), X, LABELS, 0)
    ratio = found / EXACT
    assert ratio.min() >= 1 - 1e-5
    assert np.median(ratio) < 1.1
    assert stats.spearmanr(found, EXACT).statistic > 0.98


def test_wrong_labels_are_at_distance_zero() -> None:
    """A record that the model labels wrongly lies beyond the boundary; what the others have does
    not change by it."""
    wrong = LABELS.clone()
    wrong[::2] = 1 - wrong[::2]
    found = boundary_distances(linear(), X, wrong, 0)
    assert np.array_equal(found[::2], np.zeros(30))
    assert np.array_equal(found[1::2], boundary_distances(linear(), X, LABELS, 0)[1::2])
    assert not boundary_distances(linear(), X, 1 - LABELS, 0).any()


def test_a_search_that_loses_its_way_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no calls left the distance is that to the boundary on the way to the nearest record with
    another label."""
    monkeypatch.setattr(module, "MOST_CALLS", 0)
    found = boundary_distances(linear(), X, LABELS, 0)
    side = ((X @ LINE + OFFSET) / LINE.norm()).double().numpy()
    for i in range(len(X)):
        others = np.flatnonzero(LABELS.numpy() != int(LABELS[i]))
        apart = (X[others] - X[i]).norm(dim=1).double().numpy()
        nearest = int(apart.argmin())
        way = apart[nearest] * side[i] / (side[i] - side[others[nearest]])
        assert found[i] == pytest.approx(way, rel=1e-4)


def test_one_label_has_no_boundary() -> None:
    """Where the model gives every record the same label, the reason says that there is no boundary
    to find."""
    model = nn.Linear(6, 2)
    with torch.no_grad():
        model.bias.copy_(torch.tensor([1000.0, -1000.0]))
    with pytest.raises(NotObservable, match="no boundary"):
        boundary_distances(model.eval(), X, torch.zeros(60, dtype=torch.int64), 0)
