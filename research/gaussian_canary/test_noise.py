import numpy as np
import pytest
from scipy import stats

from auditkit.core.errors import UsageError
from auditkit.data import Dataset, make_dataset
from research.gaussian_canary.noise import plant

RECORDS = np.array([7, 3, 50, 12])


def some_data(shape: tuple[int, ...] = (5, 6)) -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, *shape)) * rng.uniform(0, 3, shape)
    return make_dataset("some", x, np.arange(60) % 3, licence="none", origin="drawn at random")


def test_only_the_inputs_of_the_records_change() -> None:
    """The noise is what was added, to the rounding of float32, in the order of the records; all
    else is as it was, and the commitment tells."""
    data = some_data()
    before = data.commitment()
    canary = plant(data, RECORDS, seed=1)
    assert canary.data.x.dtype == np.float32
    assert np.array_equal(canary.data.x[RECORDS], (data.x[RECORDS] + canary.noise).astype(np.float32))
    others = np.delete(np.arange(60), RECORDS)
    assert np.array_equal(canary.data.x[others], data.x[others])
    for name in ("y", "ids", "groups"):
        assert np.array_equal(getattr(canary.data, name), getattr(data, name))
    assert data.commitment() == before != canary.data.commitment()
    assert canary.data.origin.startswith("drawn at random; Gaussian noise of SD ")


def test_the_noise_is_as_large_as_asked_for() -> None:
    """Noise is N(0, scale²) in every input, and the scale is a share of the root mean square SD of
    the inputs."""
    data = some_data((20, 30))
    canary = plant(data, RECORDS, seed=2, share=0.3)
    spread = np.sqrt(np.mean([data.x.reshape(60, -1)[:, j].astype(float).std() ** 2 for j in range(600)]))
    assert canary.scale == pytest.approx(0.3 * spread)
    assert canary.noise.shape == (4, 20, 30)
    assert stats.kstest(canary.noise.ravel() / canary.scale, "norm").pvalue > 0.01


def test_the_seed_decides() -> None:
    """The same seed gives the same noise, and another other noise."""
    first, again, other = (plant(some_data(), RECORDS, seed=seed).noise for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("records", "share", "told"),
    [
        ([], 0.5, "one or more"),
        ([1, 1], 0.5, "each named once"),
        ([0, 60], 0.5, "positions 0..59, found 0..60"),
        ([-1], 0.5, "positions"),
        ([1], 0.0, "above 0"),
        ([1], np.inf, "finite"),
    ],
)
def test_what_cannot_be_planted_is_refused(records: list[int], share: float, told: str) -> None:
    """Records that are not there, named twice or none, and a share that is no size, are refused
    with the rule."""
    with pytest.raises(UsageError, match=told):
        plant(some_data(), np.array(records, dtype=np.int64), seed=0, share=share)


def test_all_problems_are_told_at_once() -> None:
    """Two wrong arguments and data without spread are three problems."""
    data = make_dataset("same", np.ones((4, 2)), np.arange(4) % 2, licence="none", origin="made up")
    with pytest.raises(UsageError) as error:
        plant(data, np.array([9]), seed=0, share=-1)
    assert len(error.value.problems) == 3
