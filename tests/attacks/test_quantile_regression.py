from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from auditkit.attacks import hinge, quantile_regression
from auditkit.attacks.errors import NotApplicable
from auditkit.attacks.quantile_regression import kernel, realised_fpr
from auditkit.attacks.shadows import halves
from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Floats, Ints
from auditkit.statistics.roc import auc

MEMBERS, FRESH = slice(0, 100), slice(100, 200)


def known_margins(seed: int = 0, *, outside: int = 400, bump: float = 1.0) -> Signals:
    """Two runs on the first 100 records of three classes, the next 100 on no attacked run but on a
    third, the rest on none. Without training the margin of a record is expected to be `easy` of its
    input, and is normal with the standard deviation `noise`; training raises it by `bump` standard
    deviations."""
    rng = np.random.default_rng(seed)
    records = 200 + outside
    member = np.zeros((3, records), dtype=bool)
    member[:2, MEMBERS] = member[2, FRESH] = True
    labels = rng.integers(0, 3, records)
    inputs = rng.normal(size=(records, 4)).astype(np.float32)
    raised = rng.normal(size=member.shape) + bump * member
    margins = easy(inputs, labels) + noise(inputs, labels) * raised
    logits = np.zeros((3, records, 3), dtype=np.float32)
    logits[:, np.arange(records), labels] = margins
    ids = np.array([f"r{i:05d}" for i in rng.permutation(records)])
    return Signals(logits, member, labels, ids, np.array(["original"] * 3), seed, inputs=inputs)


def easy(inputs: npt.NDArray[np.float32], labels: Ints) -> Floats:
    return np.asarray(3 * np.sin(inputs[:, 0]) * (labels - 1) + 2.0 * labels)


def noise(inputs: npt.NDArray[np.float32], labels: Ints) -> Floats:
    return np.asarray(0.5 * np.exp(0.5 * labels))


def in_order(signals: Signals, order: Ints) -> Signals:
    s = signals
    assert s.inputs is not None
    return replace(
        s,
        logits=s.logits[:, order],
        member=s.member[:, order],
        labels=s.labels[order],
        ids=s.ids[order],
        inputs=s.inputs[order],
    )


def test_the_score_is_the_standardised_margin() -> None:
    """Given enough non-members it finds the mean and the standard deviation that the margins really
    have."""
    s = known_margins(outside=2_000)
    assert s.inputs is not None
    truth = (hinge.score(s, 0) - easy(s.inputs, s.labels)) / noise(s.inputs, s.labels)
    found = quantile_regression.score(s, 0)
    assert np.corrcoef(found, truth)[0, 1] > 0.93
    fresh = found[FRESH]
    assert fresh.mean() == pytest.approx(0.0, abs=0.3)
    assert fresh.std() == pytest.approx(1.0, abs=0.25)
    # The AUC of the best attack there is, for a shift by one standard deviation: Phi(1 / sqrt(2)).
    best = stats.norm.cdf(1 / np.sqrt(2))
    assert auc(found[MEMBERS], fresh) == pytest.approx(best, abs=0.07)


def test_it_knows_hard_records_from_members() -> None:
    """Where margins depend on the record it finds members that the margin alone does not; where
    training changes nothing the AUC is 1/2."""
    found: list[float] = []
    plain: list[float] = []
    nothing: list[float] = []
    for seed in range(6):
        for aucs, bump, score in (
            (found, 1.0, quantile_regression.score),
            (plain, 1.0, hinge.score),
            (nothing, 0.0, quantile_regression.score),
        ):
            s = known_margins(seed, bump=bump)
            of_runs = [score(s, run) for run in (0, 1)]
            aucs += [auc(values[MEMBERS], values[FRESH]) for values in of_runs]
    assert np.mean(found) > np.mean(plain) + 0.08
    assert np.mean(nothing) == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("alpha", [0.02, 0.1, 0.3])
def test_of_other_nonmembers_as_many_as_it_says_are_accused(alpha: float) -> None:
    """On non-members that it did not learn from the realised false-positive rate is near alpha."""
    rates = [
        realised_fpr(s, run, alpha)
        for s in (known_margins(seed, outside=800) for seed in (1, 2))
        for run in range(3)
    ]
    assert np.mean(rates) == pytest.approx(alpha, abs=4 * np.sqrt(alpha / 2_400))


def test_a_quantile_that_does_not_hold_is_seen() -> None:
    """Where the other non-members have larger margins than those that were learnt from, far more
    than alpha are accused."""
    s = known_margins()
    logits = s.logits.copy()
    shifted = quantile_regression.held_out(s)
    logits[:, shifted, s.labels[shifted]] += 3.0
    assert realised_fpr(replace(s, logits=logits), 0, 0.05) > 0.4


def test_the_quantile_is_checked_on_records_not_learnt_from() -> None:
    """The other half is every second non-member by its id; its answers have no part in any score
    but its own."""
    s = known_margins()
    other = quantile_regression.held_out(s)
    assert not s.member[:, other].any()
    assert (halves(s)[other] == 1).all()
    assert len(other) == (halves(s)[200:] == 1).sum()
    logits = s.logits.copy()
    logits[:, other] = np.random.default_rng(0).normal(size=logits[:, other].shape)
    rest = np.setdiff1d(np.arange(len(s.labels)), other)
    changed = quantile_regression.score(replace(s, logits=logits), 0)
    assert np.array_equal(changed[rest], quantile_regression.score(s, 0)[rest])
    assert not np.array_equal(changed[other], quantile_regression.score(s, 0)[other])


def test_the_regression_is_the_textbook_s() -> None:
    """Mean and leave-one-out residuals are those of kernel ridge regressions solved one by one, at
    the best penalty."""
    s = known_margins(3, outside=120)
    features = quantile_regression._features(s)
    h = hinge.score(s, 0)[features.places][features.fit]
    x, labels = features.x[features.fit], features.labels[features.fit]
    gram = kernel(x, labels, x, labels, features.width)
    n = len(h)

    def predicted(kept: Ints, penalty: float) -> Floats:
        level = h.mean()  # of all: what one record adds to it is corrected for by its 1/n
        weights = np.linalg.solve(gram[np.ix_(kept, kept)] + penalty * np.eye(len(kept)), h[kept] - level)
        return np.asarray(level + gram[:, kept] @ weights)

    def left_out(penalty: float) -> Floats:
        every = np.arange(n)
        return np.array([h[i] - predicted(np.delete(every, i), penalty)[i] for i in every])

    errors = [np.mean(left_out(penalty) ** 2) for penalty in quantile_regression.PENALTIES]
    best = float(quantile_regression.PENALTIES[np.argmin(errors)])
    found = quantile_regression._ridge(features, h)
    fitted = found.offset + gram[:, np.searchsorted(features.fit, features.landmarks)] @ found.weights
    assert fitted == pytest.approx(predicted(np.arange(n), best), abs=1e-5)
    assert found.residuals == pytest.approx(left_out(best), rel=0.05)


def test_landmarks_stand_in_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a kernel at a third of the non-members the scores are nearly those with all."""
    every = quantile_regression.score(known_margins(outside=600), 0)
    monkeypatch.setattr(quantile_regression, "LANDMARKS", 100)
    assert np.corrcoef(every, quantile_regression.score(known_margins(outside=600), 0))[0, 1] > 0.98


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records looked at few at a time have the same scores."""
    every = quantile_regression.score(known_margins(), 0)
    monkeypatch.setattr(quantile_regression, "BLOCK", 64)
    assert quantile_regression.score(known_margins(), 0) == pytest.approx(every, abs=1e-8)


def test_neither_order_nor_membership_of_the_target_counts() -> None:
    """Records in another order have the same scores in that order, and who else was a member of the
    target is not looked at."""
    s = known_margins(outside=100)
    first = quantile_regression.score(s, 0)
    order = np.random.default_rng(1).permutation(len(s.labels))
    other = in_order(s, order)
    other.member[0] = other.member[2]  # records that other runs saw, instead of its own
    other.member[1] = s.member[1][order]
    assert np.array_equal(quantile_regression.score(other, 0), first[order])


def test_equal_margins_and_equal_inputs_do_no_harm() -> None:
    """Where nothing varies the scores are finite."""
    s = known_margins(outside=100)
    assert s.inputs is not None
    flat = np.zeros_like(s.logits)
    assert np.isfinite(quantile_regression.score(replace(s, logits=flat), 0)).all()
    assert np.isfinite(quantile_regression.score(replace(s, inputs=np.zeros_like(s.inputs)), 0)).all()


def test_what_is_missing_is_said() -> None:
    """Without the inputs, or with few non-members or none, the attack says why it does not
    apply."""
    with pytest.raises(NotApplicable, match="the signals do not hold them"):
        quantile_regression.score(replace(known_margins(), inputs=None), 0)
    with pytest.raises(NotApplicable, match="20 in each are needed"):
        quantile_regression.score(known_margins(outside=30), 0)
    with pytest.raises(NotApplicable, match="no run was trained on"):
        quantile_regression.score(known_margins(outside=0), 0)
