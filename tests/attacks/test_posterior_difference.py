import numpy as np
import pytest

from auditkit.attacks import NotApplicable
from auditkit.attacks.posterior_difference import (
    before_after,
    original_of,
    paired,
    posterior_distance,
    score,
)
from auditkit.core.ids import COMPARED, ORIGINAL, UNLEARNED
from auditkit.signals.signals import Signals, phi

RECORDS, FORGET, CLASSES, N = 90, 30, 4, 5
euclidean = paired(posterior_distance)
FORGOTTEN, CONTROL = np.arange(FORGET), np.arange(FORGET, RECORDS)


def versions(seed: int, *, left: float, counts: tuple[int, ...] = (N, N, N, N)) -> Signals:
    """Originals whose forget records have an own logit higher by 3, unlearned runs that kept `left`
    of that and are otherwise near their original, and runs retrained from scratch."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, RECORDS)
    own = np.eye(CLASSES)[labels]
    remembered = 3 * own * (np.arange(RECORDS) < FORGET)[:, None]
    base = {
        arm: rng.normal(size=(k, RECORDS, CLASSES)) + own for arm, k in zip(COMPARED, counts, strict=True)
    }
    shared = min(counts[:2])
    base[UNLEARNED][:shared] = base[ORIGINAL][:shared] + 0.1 * base[UNLEARNED][:shared]
    base[ORIGINAL] += remembered
    base[UNLEARNED] += left * remembered
    logits = np.concatenate(list(base.values())).astype(np.float32)
    ids = np.array([f"r{i}" for i in range(RECORDS)])
    member = np.zeros(logits.shape[:2], dtype=bool)
    return Signals(logits, member, labels, ids, np.repeat([str(arm) for arm in COMPARED], counts), 0)


def test_each_run_is_paired_with_the_original_of_its_number() -> None:
    """Run k of every arm is compared with original k, also where arms stand in the signals in
    turns."""
    s = versions(0, left=0.5)
    for arm in COMPARED:
        assert [original_of(s, int(run)) for run in s.runs_of(arm)] == list(range(N))
    turns = np.arange(4 * N).reshape(4, N).T.ravel()
    mixed = Signals(s.logits[turns], s.member, s.labels, s.ids, s.arms[turns], 0)
    for target, run in enumerate(turns):
        assert np.array_equal(score(mixed, target), score(s, int(run)))


def test_the_score_is_the_drop_of_the_margin() -> None:
    """The score is phi of the original less phi of the later version, and 0 for an original
    itself."""
    s = versions(1, left=0.0)
    expected = phi(s.logits[2], s.labels) - phi(s.logits[N + 2], s.labels)
    assert np.array_equal(score(s, N + 2), expected)
    assert not score(s, 2).any()
    assert not euclidean(s, 2).any()


def test_the_distance_of_posteriors_record_by_record() -> None:
    """The second score is the Euclidean distance of two softmax vectors, whatever the labels."""
    s = versions(2, left=0.0)
    before, after = s.logits[1].astype(np.float64), s.logits[2 * N + 1].astype(np.float64)
    found = euclidean(s, 2 * N + 1)
    for i in range(RECORDS):
        p, q = (np.exp(z[i]) / np.exp(z[i]).sum() for z in (before, after))
        assert found[i] == pytest.approx(float(np.sqrt(((p - q) ** 2).sum())))
    certain = np.array([[1e4, 0.0]]), np.array([[0.0, 1e4]])
    assert posterior_distance(*certain, np.array([0])) == pytest.approx([np.sqrt(2)])


def test_both_versions_show_what_was_forgotten_even_after_retraining() -> None:
    """Pairs with retrained runs tell forget from control records, pairs with a run that did nothing
    tell nothing, and unlearning that stays close to its original tells most."""
    done, nothing = (before_after(versions(3, left=left), FORGOTTEN, CONTROL) for left in (0.0, 1.0))
    assert done.unlearned.shape == done.retrained.shape == (N,)
    assert done.retrained.mean() > 0.8
    assert done.unlearned.mean() > done.retrained.mean()
    assert np.array_equal(nothing.retrained, done.retrained)
    assert nothing.unlearned.mean() == pytest.approx(0.5, abs=0.1)


def test_a_run_that_is_its_original_shows_nothing() -> None:
    """Where the later version is the original to the last bit, all scores are 0 and the AUC is 1/2,
    by either comparison."""
    s = versions(4, left=0.0)
    logits = s.logits.copy()
    logits[N : 2 * N] = logits[:N]
    same = Signals(logits, s.member, s.labels, s.ids, s.arms, 0)
    assert before_after(same, FORGOTTEN, CONTROL).unlearned.tolist() == [0.5] * N
    assert before_after(same, FORGOTTEN, CONTROL, posterior_distance).unlearned.tolist() == [0.5] * N


def test_order_and_membership_change_nothing() -> None:
    """Records in another order have the same scores in that order, and who was a member is not
    looked at."""
    s = versions(5, left=0.3)
    order = np.random.default_rng(0).permutation(RECORDS)
    other = Signals(s.logits[:, order], ~s.member, s.labels[order], s.ids[order], s.arms, 0)
    for attack in (score, euclidean):
        assert np.array_equal(attack(other, N), attack(s, N)[order])


def test_a_run_without_an_original_is_refused() -> None:
    """A run whose number no original has cannot be paired, and the reason says so."""
    s = versions(6, left=0.0, counts=(2, 2, 3, 2))
    assert score(s, 5).shape == (RECORDS,)
    with pytest.raises(NotApplicable, match="none for run 2 of the arm retrained, with 2 originals"):
        score(s, 6)
