from itertools import pairwise

import mpmath  # type: ignore[import-untyped]  # comes with torch
import numpy as np
import pytest
from scipy import stats
from scipy.special import log_softmax as scipy_log_softmax

from auditkit.attacks import ATTACKS, hinge
from auditkit.signals.signals import Signals, log_softmax
from auditkit.statistics.margins import Floats
from auditkit.statistics.roc import auc, best_threshold
from tests.attacks.synthetic_signals import one_run


def random_run(seed: int = 0, spread: float = 3.0) -> Signals:
    rng = np.random.default_rng(seed)
    return one_run(spread * rng.normal(size=(30, 5)), rng.integers(0, 5, 30))


def scores(name: str, signals: Signals) -> Floats:
    return ATTACKS[name].score(signals, 0)


def exact_probabilities(logits: np.ndarray[tuple[int], np.dtype[np.float32]]) -> list[mpmath.mpf]:
    """Softmax of the logits as they stand, to as many digits as are asked for."""
    powers = [mpmath.exp(mpmath.mpf(float(z))) for z in logits]
    return [e / mpmath.fsum(powers) for e in powers]


def modified_entropy_by_loop(p: list[mpmath.mpf], y: int) -> mpmath.mpf:
    """Song & Mittal 2021, equation 8, term by term."""
    rest = mpmath.fsum(p_i * mpmath.log(1 - p_i) for i, p_i in enumerate(p) if i != y)
    return -(1 - p[y]) * mpmath.log(p[y]) - rest


def test_golden_modified_entropy() -> None:
    """The golden examples have the modified entropies .162167245 and 2.72910351, negated as
    scores."""
    # From reference/golden.json, "mentr".
    p, y = [[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]], [0, 0]
    expected = [-0.162167245, -2.72910351]
    assert scores("modified-entropy", one_run(np.log(p), y)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("spread", [1.0, 10.0, 100.0])
def test_modified_entropy_term_by_term(spread: float) -> None:
    """The score is minus the paper's sum at 400 digits, also where probabilities round to 0 or
    1."""
    signals = random_run(1, spread)
    with mpmath.workdps(400):
        expected = [
            -float(modified_entropy_by_loop(exact_probabilities(z), int(y)))
            for z, y in zip(signals.logits[0], signals.labels, strict=True)
        ]
    assert scores("modified-entropy", signals) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("spread", [1.0, 10.0, 100.0])
def test_entropy_loss_and_confidence_term_by_term(spread: float) -> None:
    """Entropy is Σ p log p, the loss score log p_y and confidence p_y, all of the exact softmax."""
    signals = random_run(2, spread)
    with mpmath.workdps(400):
        probabilities = [exact_probabilities(z) for z in signals.logits[0]]
        entropy = [float(mpmath.fsum(p * mpmath.log(p) for p in row)) for row in probabilities]
        own = [row[y] for row, y in zip(probabilities, signals.labels, strict=True)]
        loss, confidence = [float(mpmath.log(p)) for p in own], [float(p) for p in own]
    assert scores("entropy", signals) == pytest.approx(entropy, rel=1e-9, abs=1e-14)
    assert scores("loss", signals) == pytest.approx(loss, rel=1e-9, abs=1e-15)
    assert scores("confidence", signals) == pytest.approx(confidence, rel=1e-9, abs=1e-300)


def test_log_softmax_agrees_with_scipy() -> None:
    """log p is scipy's, in float64, and stays finite for logits of any size."""
    rng = np.random.default_rng(3)
    for scale in (1.0, 1e3, 1e30):
        logits = (scale * rng.normal(size=(4, 7, 5))).astype(np.float32)
        ours = log_softmax(logits)
        assert ours.dtype == np.float64
        assert np.isfinite(ours).all()
        assert ours == pytest.approx(scipy_log_softmax(logits.astype(np.float64), axis=-1))


def test_gap_balanced_accuracy_is_an_identity() -> None:
    """Accusing the rightly predicted has a balanced accuracy of exactly 1/2 + (accuracy in -
    accuracy out) / 2."""
    for seed in range(5):
        signals = random_run(seed, 1.0)
        gap = scores("gap", signals)
        accused = gap > 0.5
        right = signals.logits[0].argmax(axis=1) == signals.labels
        inside = np.random.default_rng(seed).random(30) < 0.4
        balanced = (accused[inside].mean() + (~accused[~inside]).mean()) / 2
        assert balanced == pytest.approx(0.5 + (right[inside].mean() - right[~inside].mean()) / 2, abs=1e-15)
        # With a score of two values the AUC is that balanced accuracy, ties counting half.
        assert auc(gap[inside], gap[~inside]) == pytest.approx(balanced)


def test_confidence_ranks_exactly_as_the_loss() -> None:
    """With one threshold for all, confidence and loss have the same ranking, hence the same AUC."""
    signals = random_run(4)
    loss, confidence = scores("loss", signals), scores("confidence", signals)
    assert np.array_equal(stats.rankdata(loss), stats.rankdata(confidence))
    assert auc(loss[:12], loss[12:]) == auc(confidence[:12], confidence[12:])


def test_the_loss_tells_very_sure_records_apart() -> None:
    """A record whose margin is 50 nats has a smaller loss than one whose margin is 40."""
    surer, sure = scores("loss", one_run([[50.0, 0.0], [40.0, 0.0]], [0, 0]))
    assert surer > sure


def test_entropy_does_not_look_at_the_label() -> None:
    """Other labels change every score but the entropy."""
    signals = random_run(5)
    other = one_run(signals.logits[0], (signals.labels + 1) % 5)
    assert np.array_equal(scores("entropy", signals), scores("entropy", other))
    for name in ("loss", "confidence", "modified-entropy", "gap"):
        assert not np.array_equal(scores(name, signals), scores(name, other))


def test_modified_entropy_knows_right_from_wrong_certainty() -> None:
    """A certain right answer has the best score, 0, and a certain wrong one the worst; plain
    entropy sees no difference."""
    signals = one_run([[30.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 30.0, 0.0]], [0, 0, 0])
    right, unsure, wrong = scores("modified-entropy", signals)
    assert 0 >= right > -1e-10
    assert right > unsure > wrong
    assert wrong < -29
    plain = scores("entropy", signals)
    assert plain[0] == pytest.approx(plain[2])


@pytest.mark.parametrize("spread", [1.0, 100.0])
def test_hinge_term_by_term(spread: float) -> None:
    """The hinge score is the label's logit less the largest other one; it is positive exactly where
    the label is predicted."""
    signals = random_run(6, spread)
    expected = []
    for z, y in zip(signals.logits[0].tolist(), signals.labels, strict=True):
        expected.append(z.pop(y) - max(z))
    found = hinge.score(signals, 0)
    assert found.tolist() == expected
    assert np.array_equal(found > 0, scores("gap", signals) == 1)


def test_hinge_does_not_flatten_out() -> None:
    """Where the loss has run into 0 the hinge score still tells records apart, and with two classes
    both rank alike."""
    signals = one_run([[900.0, 0.0], [800.0, 0.0], [3.0, 0.0], [0.0, 2.0]], [0, 0, 0, 0])
    assert hinge.score(signals, 0).tolist() == [900.0, 800.0, 3.0, -2.0]
    loss = scores("loss", signals)
    assert loss[0] == loss[1]
    assert loss[1] > loss[2] > loss[3]


def balanced_accuracy(threshold: float, members: Floats, nonmembers: Floats) -> float:
    return float((np.mean(members > threshold) + np.mean(nonmembers <= threshold)) / 2)


@pytest.mark.parametrize("seed", range(8))
def test_best_threshold_is_the_best_of_all(seed: int) -> None:
    """No threshold beats the one found; it is the lowest of its kind, half-way between two
    scores."""
    rng = np.random.default_rng(seed)
    members, nonmembers = rng.integers(2, 12, 9).astype(float), rng.integers(0, 10, 14).astype(float)
    values = sorted({*members, *nonmembers})
    cuts = [(a + b) / 2 for a, b in pairwise(values)]
    best = max(balanced_accuracy(c, members, nonmembers) for c in cuts)
    lowest = next(c for c in cuts if balanced_accuracy(c, members, nonmembers) > best - 1e-12)
    assert best_threshold(members, nonmembers) == lowest
    assert best >= max(balanced_accuracy(t, members, nonmembers) for t in np.linspace(-1, 13, 500)) - 1e-12


def test_best_threshold_of_equal_scores_is_that_score() -> None:
    """Where all scores are equal the border is that score."""
    assert best_threshold(np.full(3, 0.25), np.full(2, 0.25)) == 0.25
