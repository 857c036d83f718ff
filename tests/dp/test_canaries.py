import numpy as np
import pytest
from scipy import stats

from auditkit.dp.canaries import Canaries, canary_scores, draw_canaries

Y = np.repeat(np.arange(4), [10, 20, 30, 40])


def many(n: int, m: int = 50) -> list[Canaries]:
    """Draws of m canaries with n seeds."""
    return [draw_canaries(Y, 4, m, seed) for seed in range(n)]


def test_every_label_is_wrong_and_every_wrong_one_as_likely() -> None:
    """No canary has its true label, and the three wrong ones are equally frequent for each true
    one."""
    drawn = many(200)
    rows, labels = (np.concatenate([getattr(c, name) for c in drawn]) for name in ("rows", "labels"))
    counts = np.zeros((4, 4))
    np.add.at(counts, (Y[rows], labels), 1)
    assert np.trace(counts) == 0
    for k, row in enumerate(counts):
        assert stats.chisquare(np.delete(row, k)).pvalue > 1e-3


def test_canaries_are_distinct_records_drawn_uniformly() -> None:
    """No record is a canary twice, and each is one as often as any other."""
    drawn = many(200)
    assert all(len(np.unique(c.rows)) == 50 for c in drawn)
    often = np.bincount(np.concatenate([c.rows for c in drawn]), minlength=len(Y))
    # Without replacement the counts vary less than a multinomial's, by the factor 1 - 50 / 100.
    assert stats.chi2.sf(np.sum((often - 100) ** 2 / 100) / 0.5, len(Y) - 1) > 1e-3


def test_coins_are_fair_and_independent_of_each_other_and_of_labels() -> None:
    """The number included varies as a binomial does, not as a half of a fixed size, whatever the
    labels."""
    drawn = many(1000)
    sizes = np.array([c.included.sum() for c in drawn])
    assert abs(sizes.mean() - 25) < 4 * np.sqrt(12.5 / 1000)
    assert stats.chi2.sf(999 * sizes.var(ddof=1) / 12.5, 999) > 1e-3
    assert stats.chi2.cdf(999 * sizes.var(ddof=1) / 12.5, 999) > 1e-3
    rows, labels, included = (
        np.concatenate([getattr(c, name) for c in drawn]) for name in ("rows", "labels", "included")
    )
    for what in (labels, Y[rows], rows):
        table = np.array([np.bincount(what[included == side], minlength=what.max() + 1) for side in (0, 1)])
        assert stats.chi2_contingency(table).pvalue > 1e-3


def test_the_seed_decides() -> None:
    """The same seed draws the same canaries, another one others."""
    first, again, other = (draw_canaries(Y, 4, 50, seed) for seed in (7, 7, 8))
    for name in ("rows", "labels", "included"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
        assert not np.array_equal(getattr(first, name), getattr(other, name))


def test_scores_are_log_odds_of_the_wrong_label() -> None:
    """The score is log p / (1 - p), p the softmax probability of the label that was planted."""
    canaries = draw_canaries(Y, 4, 50, 0)
    logits = np.random.default_rng(0).normal(size=(50, 4))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    p = p[np.arange(50), canaries.labels]
    np.testing.assert_allclose(canary_scores(logits, canaries), np.log(p / (1 - p)), rtol=1e-12)


@pytest.mark.parametrize(("m", "classes"), [(101, 4), (50, 1)])
def test_too_few_records_or_classes_are_refused(m: int, classes: int) -> None:
    """There must be a record for each canary, and a wrong label for each."""
    with pytest.raises(ValueError, match="canaries need"):
        draw_canaries(Y, classes, m, 0)
