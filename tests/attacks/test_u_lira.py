import math
import statistics
from collections.abc import Sequence

import numpy as np
import pytest

from auditkit.attacks import NotApplicable
from auditkit.attacks.lira import prior
from auditkit.attacks.u_lira import score
from auditkit.core.ids import COMPARED, ORIGINAL, RETRAINED, UNLEARNED, ArmKey
from auditkit.signals.signals import Signals, phi
from auditkit.statistics.margins import Floats
from auditkit.statistics.roc import auc

N, FORGET, CONTROL = 8, 60, 120
FORGOTTEN, CONTROLS = slice(0, FORGET), slice(FORGET, FORGET + CONTROL)


def arms_of_margins(
    seed: int, *, memory: float = 0.0, drift: float = 0.0, n: int = N, arms: Sequence[ArmKey] = COMPARED
) -> Signals:
    """Two classes, so that phi is the difference of the logits. Originals have phi higher by 3 on
    forget records, unlearned runs by 3 `memory`; `drift` moves each record of unlearned runs by as
    many SDs."""
    rng = np.random.default_rng(seed)
    records = FORGET + CONTROL
    at, forget, moved = rng.normal(2, 3, records), np.arange(records) < FORGET, rng.normal(size=records)
    expected = {ORIGINAL: at + 3 * forget, UNLEARNED: at + 3 * memory * forget + drift * moved}
    margins = np.concatenate([expected.get(arm, at) + rng.normal(size=(n, records)) for arm in arms])
    labels = rng.integers(0, 2, records)
    logits = np.zeros((*margins.shape, 2), dtype=np.float32)
    logits[:, np.arange(records), labels] = margins
    ids = np.array([f"r{i}" for i in range(records)])
    return Signals(
        logits, np.zeros(margins.shape, dtype=bool), labels, ids, np.repeat([str(arm) for arm in arms], n), 0
    )


def aucs(signals: Signals, arm: ArmKey) -> Floats:
    found = (score(signals, int(run)) for run in signals.runs_of(arm))
    return np.array([auc(s[FORGOTTEN], s[CONTROLS]) for s in found])


def naive(signals: Signals, target: int) -> list[float]:
    """The two log densities, record by record, from lists of the runs that are left."""
    x = phi(signals.logits, signals.labels)

    def log_densities(arm: ArmKey) -> list[float]:
        runs = [run for run in signals.runs_of(arm) if run != target]
        columns = [[float(x[run, i]) for run in runs] for i in range(x.shape[1])]
        d, own = len(runs) - 1, [statistics.variance(column) for column in columns]
        d0, common = prior(np.array(own), np.full(len(own), float(d)))
        share = d0 / (d0 + d) if math.isfinite(d0) else 1.0
        found = []
        for i, (column, v) in enumerate(zip(columns, own, strict=True)):
            variance = share * common + (1 - share) * v
            distance = float(x[target, i]) - statistics.fmean(column)
            found.append(-math.log(2 * math.pi * variance) / 2 - distance**2 / variance / 2)
        return found

    pairs = zip(log_densities(UNLEARNED), log_densities(RETRAINED), strict=True)
    return [u - r for u, r in pairs]


@pytest.mark.parametrize("arm", COMPARED, ids=str)
def test_the_ratio_of_two_gaussians(arm: ArmKey) -> None:
    """The score is the log ratio of the two densities fitted to all other runs, whatever the
    target's arm."""
    signals = arms_of_margins(0, memory=0.3)
    target = int(signals.runs_of(arm)[3])
    assert score(signals, target) == pytest.approx(naive(signals, target), rel=1e-6, abs=1e-6)


def test_nothing_is_seen_where_nothing_is_left() -> None:
    """Where unlearned runs are as retrained ones, the mean AUC of every arm but the originals is
    1/2."""
    found: dict[ArmKey, list[float]] = {arm: [] for arm in COMPARED[1:]}
    for seed in range(12):
        signals = arms_of_margins(seed)
        for arm in COMPARED[1:]:
            found[arm].append(float(aucs(signals, arm).mean()))
    for arm, values in found.items():
        assert np.mean(values) == pytest.approx(0.5, abs=0.03), arm


def test_what_is_left_is_seen() -> None:
    """Unlearned runs that kept memory are told from retrained ones, the more the more they kept."""
    by_share = [aucs(arms_of_margins(1, memory=m), UNLEARNED).mean() for m in (0.0, 0.3, 1.0)]
    assert by_share[0] < 0.6
    assert by_share[1] > by_share[0] + 0.05
    assert by_share[2] > 0.9
    assert aucs(arms_of_margins(1, memory=1.0), RETRAINED).mean() < 0.1


def test_drift_alone_is_not_memory() -> None:
    """Where unlearning moved every record, control records score as high as forget records do: far
    above 0, at an AUC of 1/2."""
    signals = arms_of_margins(2, drift=2.0)
    found = np.stack([score(signals, int(run)) for run in signals.runs_of(UNLEARNED)])
    assert found[:, CONTROLS].mean() > 1
    assert np.mean([aucs(arms_of_margins(s, drift=2.0), UNLEARNED).mean() for s in range(8)]) == (
        pytest.approx(0.5, abs=0.04)
    )


def test_the_target_does_not_vouch_for_itself() -> None:
    """Moving one run's answer far away does not make its own arm expect it."""
    signals = arms_of_margins(3)
    target = int(signals.runs_of(UNLEARNED)[0])
    far = signals.logits.copy()
    far[target, np.arange(len(signals.labels)), signals.labels] += 50
    moved = Signals(far, signals.member, signals.labels, signals.ids, signals.arms, 0)
    assert score(moved, target) == pytest.approx(naive(moved, target), rel=1e-6)
    assert np.abs(score(moved, target)).mean() > 10


def test_order_and_membership_change_nothing() -> None:
    """Records in another order have the same scores to the last bit, and who was a member is not
    looked at."""
    s = arms_of_margins(4, memory=0.5)
    order = np.random.default_rng(0).permutation(len(s.labels))
    other = Signals(s.logits[:, order], ~s.member, s.labels[order], s.ids[order], s.arms, 0)
    for target in (0, N, 2 * N, 3 * N):
        assert np.array_equal(score(other, target), score(s, target)[order])


def test_runs_that_agree_to_the_last_bit_give_finite_scores() -> None:
    """Where all runs of an arm answer the same, scores are finite, and 0 where both arms do."""
    s = arms_of_margins(5)
    same = np.repeat(s.logits[:1], len(s.arms), axis=0)
    assert not score(Signals(same, s.member, s.labels, s.ids, s.arms, 0), N).any()
    same[N : 2 * N] += s.logits[1] - s.logits[0]
    found = score(Signals(same, s.member, s.labels, s.ids, s.arms, 0), N)
    assert np.isfinite(found).all()
    assert found[np.abs(phi(same[N], s.labels) - phi(same[0], s.labels)) > 1e-3].min() > 0


@pytest.mark.parametrize(("n", "arms", "counts"), [(2, COMPARED, "2 and 2"), (4, COMPARED[2:], "0 and 4")])
def test_too_few_runs(n: int, arms: Sequence[ArmKey], counts: str) -> None:
    """Fewer than three runs of either arm are no attack, and the reason says how many there are."""
    with pytest.raises(NotApplicable, match=f"there are {counts}"):
        score(arms_of_margins(0, n=n, arms=arms), 0)
