import numpy as np
import pytest
from scipy import stats

from auditkit.statistics.agreement import Agreement, agreement, found, mean_score
from auditkit.statistics.margins import Floats
from auditkit.statistics.scores import Scores

NAN = np.nan


def found_by_loop(scores: Scores, fpr: float) -> list[bool]:
    """Record by record, from the definition: at most a share fpr of control records scores as high
    or higher, apart from the one that sets the threshold."""

    def mean(column: Floats) -> float | None:
        known = [float(x) for x in column if not np.isnan(x)]
        return sum(known) / len(known) if known else None

    control = [m for m in map(mean, scores.control.T) if m is not None]
    thresholds = [t for t in control if sum(c > t for c in control) <= fpr * len(control) + 1e-9]
    return [m is not None and (fpr >= 1 or m > min(thresholds)) for m in map(mean, scores.forget.T)]


def random_scores(seed: int, *, unasked: float = 0.0) -> Scores:
    """Scores of few distinct values over 3 runs, some of them missing."""
    rng = np.random.default_rng(seed)

    def draw(records: int, shift: float) -> Floats:
        scores = rng.integers(0, 6, (3, records)) + shift
        return np.where(rng.random((3, records)) < unasked, NAN, scores)

    return Scores(draw(30, 1.0), draw(60, 0.0))


@pytest.mark.parametrize("fpr", [0.1, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("unasked", [0.0, 0.5])
@pytest.mark.parametrize("seed", range(4))
def test_found_is_what_the_definition_says(seed: int, unasked: float, fpr: float) -> None:
    """The records found are those of a loop over the definition, with ties and missing scores."""
    scores = random_scores(seed, unasked=unasked)
    assert found(scores, fpr).tolist() == found_by_loop(scores, fpr)


def test_agreement_counts_attacks_by_record() -> None:
    """Each record has the number of attacks that find it, and of those that were asked about it."""
    control = np.arange(30.0)[None]  # at most 3 of 30 above: the threshold is 26
    scores = {
        "a": Scores(np.array([[30.0, 27.0, 26.0, 0.0, NAN]]), control),
        "b": Scores(np.array([[30.0, 0.0, 26.5, 0.0, NAN]]), control),
        "c": Scores(np.array([[27.0, NAN, NAN, 0.0, NAN]]), control),
    }
    result = agreement(scores, 0.1)
    assert result.found.tolist() == [3, 1, 1, 0, 0]
    assert result.asked.tolist() == [3, 2, 2, 3, 0]
    assert result.by_at_least().tolist() == [3, 1, 1]


@pytest.mark.parametrize("seed", range(3))
def test_by_at_least_counts_records(seed: int) -> None:
    """The k-th number is how many records k or more attacks find."""
    counts = np.random.default_rng(seed).integers(0, 6, 40)
    result = Agreement(counts, np.full(40, 5), 5)
    assert result.by_at_least().tolist() == [sum(c >= k for c in counts) for k in range(1, 6)]


def test_forgotten_records_are_found_at_the_rate_allowed() -> None:
    """Where forget records are like control records, an attack finds (a + 1) / (N + 1) of them, a
    of N control records being allowed: scarcely more than the share asked for."""
    rng = np.random.default_rng(0)
    allowed, controls, forget, audits = 3, 60, 50, 2000
    total = sum(
        int(found(Scores(rng.normal(size=(2, forget)), rng.normal(size=(2, controls))), 0.05).sum())
        for _ in range(audits)
    )
    expected = (allowed + 1) / (controls + 1)
    # The rate of one audit is Beta distributed, so that records of the same audit go together.
    spread = stats.beta(allowed + 1, controls - allowed).std() + np.sqrt(expected / forget)
    assert total / (audits * forget) == pytest.approx(expected, abs=4 * spread / np.sqrt(audits))


def test_remembered_records_are_found_by_all_attacks() -> None:
    """Records that stand out in every attack are found by every one, and the others by few."""
    rng = np.random.default_rng(1)
    lift = np.where(np.arange(50) < 10, 6.0, 0.0)
    scores = {
        name: Scores(rng.normal(size=(4, 50)) + lift, rng.normal(size=(4, 100))) for name in ("a", "b", "c")
    }
    result = agreement(scores, 0.03)
    assert (result.found[:10] == 3).all()
    assert result.by_at_least()[2] == 10
    assert result.found[10:].mean() < 0.3


def test_the_order_of_records_and_runs_does_not_matter() -> None:
    """Records in another order have the same counts; runs in another order change nothing."""
    scores, order = random_scores(5, unasked=0.2), np.random.default_rng(0).permutation(30)
    moved = Scores(scores.forget[::-1][:, order], scores.control[::-1])
    assert np.array_equal(found(scores, 0.1)[order], found(moved, 0.1))


def test_mean_score_is_numpys_nanmean_without_its_warning() -> None:
    """A record's mean is over the runs that have it; NaN, and no warning, where none has."""
    scores = np.array([[1.0, NAN, NAN], [3.0, 5.0, NAN]])
    assert np.array_equal(mean_score(scores), [2.0, 5.0, NAN], equal_nan=True)


def test_too_few_control_records_are_refused_by_name() -> None:
    """An attack with fewer than 3/fpr scored control records is refused, not silently lenient."""
    control = np.where(np.arange(100) < 29, 1.0, NAN)[None]
    with pytest.raises(ValueError, match=r"boundary: fpr must be at least 3 / 29 control records, got 0\.1"):
        agreement({"boundary": Scores(np.ones((1, 5)), control)}, 0.1)


def test_attacks_on_different_records_are_refused() -> None:
    """Counts can only be added up over the same forget records."""
    control = np.ones((1, 100))
    scores = {"a": Scores(np.ones((1, 5)), control), "b": Scores(np.ones((1, 6)), control)}
    with pytest.raises(ValueError, match=r"the same forget records, got \{'a': 5, 'b': 6\}"):
        agreement(scores, 0.1)
    with pytest.raises(ValueError, match="the same forget records"):
        agreement({}, 0.1)
