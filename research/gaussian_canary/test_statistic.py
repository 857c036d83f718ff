import numpy as np
import pytest
from scipy import stats

from auditkit.statistics.margins import Floats
from research.gaussian_canary.statistic import PoisonTest, canary_scores, poison_test, unit

RECORDS, SHAPE, SCALE = 50, (3, 4), 0.7


def gradients(seed: int) -> Floats:
    """Gradients of very different lengths, from 1e-200 to 1e100, in no particular direction."""
    rng = np.random.default_rng(seed)
    return np.asarray(rng.normal(size=(RECORDS, *SHAPE)) * 10.0 ** rng.uniform(-200, 100, (RECORDS, 1, 1)))


def noise(rng: np.random.Generator) -> Floats:
    return rng.normal(0, SCALE, (RECORDS, *SHAPE))


def test_the_null_is_standard_normal() -> None:
    """For gradients that do not depend on the noise every score is N(0, 1), and p is below 5 % as
    often as it says."""
    g, rng = gradients(0), np.random.default_rng(1)
    drawn = np.stack([canary_scores(g, noise(rng), SCALE) for _ in range(2000)])
    assert stats.kstest(drawn.ravel(), "norm").pvalue > 0.01
    tests = [poison_test(scores) for scores in drawn]
    for p in ([t.p for t in tests], [t.p_two_sided for t in tests]):
        assert stats.kstest(p, "uniform").pvalue > 0.01
        assert stats.binomtest(int((np.array(p) <= 0.05).sum()), len(p), 0.05).pvalue > 0.01


@pytest.mark.parametrize("combine", ["sum", "difference"])
def test_many_runs_on_one_canary_are_one_exact_test(combine: str) -> None:
    """The direction of a sum or a difference of unit gradients of alike runs keeps the null, where
    averaging the runs' statistics as if independent would not."""
    rng = np.random.default_rng(2)
    common = rng.normal(size=(RECORDS, 12))
    runs = [unit(common + 0.3 * rng.normal(size=common.shape)) for _ in range(8)]
    direction = sum(runs) if combine == "sum" else sum(runs[:4]) - sum(runs[4:])
    found, naive = [], []
    for _ in range(400):
        xi = noise(rng)
        found.append(poison_test(canary_scores(np.asarray(direction), xi, SCALE)).statistic)
        naive.append(sum(poison_test(canary_scores(g, xi, SCALE)).statistic for g in runs) / np.sqrt(8))
    assert stats.kstest(found, "norm").pvalue > 0.01
    assert np.std(naive) > 2


def test_the_score_record_by_record() -> None:
    """A score is minus the cosine of gradient and noise, times the length of the noise in units of
    its SD."""
    g, xi = gradients(3), noise(np.random.default_rng(4))
    g[:] = g / np.abs(g).max(axis=(1, 2), keepdims=True)
    for found, a, b in zip(canary_scores(g, xi, SCALE), g, xi, strict=True):
        a, b = a.ravel(), b.ravel()
        cosine = (
            1 - float(np.arccos(a @ b / np.sqrt((a @ a) * (b @ b)))) * 2 / np.pi
        )  # another way to the sign
        assert np.sign(found) == -np.sign(cosine)
        assert found == pytest.approx(
            -sum(x * y for x, y in zip(a, b, strict=True)) / SCALE / np.sqrt(sum(a * a))
        )


def test_noise_down_the_loss_scores_high() -> None:
    """Noise along which the loss falls has a positive score and a small p; against it, only the
    two-sided p is small."""
    g = gradients(5)
    down = -unit(g).reshape(g.shape)
    remembered = poison_test(canary_scores(g, down, 1.0))
    assert remembered.mean == pytest.approx(1)
    assert remembered.p < 1e-10
    reversed_ = poison_test(canary_scores(g, -down, 1.0))
    assert reversed_.p > 1 - 1e-10
    assert reversed_.p_two_sided == pytest.approx(remembered.p_two_sided)


def test_golden() -> None:
    """Scores 1, 2 and 3 have the statistic 6 / sqrt 3 = 3.4641, with p = 0.000266 on one side."""
    found = poison_test(np.array([1.0, np.nan, 2.0, 3.0]))
    assert (found.records, found.excluded, found.mean) == (3, 1, 2.0)
    assert found.statistic == pytest.approx(3.4641016)
    assert found.p == pytest.approx(2.66e-4, rel=1e-2)
    assert found.p_two_sided == pytest.approx(2 * found.p)
    assert isinstance(found, PoisonTest)


def test_records_without_a_gradient_are_counted_out() -> None:
    """A zero gradient has no score; the others are as if it were not there; and if there is none at
    all, that is said."""
    g, xi = gradients(6), noise(np.random.default_rng(7))
    g[[3, 8]] = 0
    scores = canary_scores(g, xi, SCALE)
    assert np.flatnonzero(np.isnan(scores)).tolist() == [3, 8]
    found = poison_test(scores)
    kept = np.delete(np.arange(RECORDS), [3, 8])
    assert found == PoisonTest(
        **{**vars(poison_test(canary_scores(g[kept], xi[kept], SCALE))), "excluded": 2}
    )
    with pytest.raises(ValueError, match="no gradient at any of the 50 records"):
        poison_test(canary_scores(np.zeros_like(g), xi, SCALE))


def test_lengths_and_shapes_do_not_matter() -> None:
    """Gradients of length 1, however long they were, in whatever shape; but there must be one for
    each noise."""
    g, xi = gradients(8), noise(np.random.default_rng(9))
    assert np.linalg.norm(unit(g), axis=1) == pytest.approx(np.ones(RECORDS))
    flat = canary_scores(unit(g), xi.reshape(RECORDS, -1), SCALE)
    assert flat == pytest.approx(canary_scores(g, xi, SCALE))
    with pytest.raises(ValueError, match="a gradient for each noise"):
        canary_scores(g[:-1], xi, SCALE)
