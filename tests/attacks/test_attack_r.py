import math
import statistics
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from auditkit.attacks import attack_r, difficulty_calibration, lira
from auditkit.attacks.errors import NotApplicable
from auditkit.attacks.per_class import Score
from auditkit.core.ids import ORIGINAL, SHADOW
from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Floats
from auditkit.statistics.roc import auc

TARGETS, RECORDS = 2, 400


def losses_of(signals: Signals) -> list[list[float]]:
    """-log softmax of the label, run by run, computed with Python floats."""
    return [
        [
            math.log1p(math.exp(float(z[1 - y]) - float(z[y])))
            for z, y in zip(run, signals.labels, strict=True)
        ]
        for run in signals.logits
    ]


def signals_of(losses: Floats, member: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> Signals:
    """Signals of two classes in which the label has these losses, (runs, records); all runs but the
    first two are shadow runs."""
    runs, records = losses.shape
    logits = np.zeros((runs, records, 2), dtype=np.float32)
    logits[..., 0] = -np.log(np.expm1(losses))
    arms = np.array([str(ORIGINAL)] * TARGETS + [str(SHADOW)] * (runs - TARGETS))
    ids = np.array([f"r{i:05d}" for i in np.random.default_rng(0).permutation(records)])
    return Signals(logits, member, np.zeros(records, dtype=np.int64), ids, arms, 0)


def skewed_signals(seed: int = 0, *, shadows: int = 16, memory: float = 0.5) -> Signals:
    """Log-normal losses, some records harder than others; those of members are smaller by the
    factor `memory`."""
    rng = np.random.default_rng(seed)
    member = paired_halves(rng, shadows)
    logs = 1.5 * rng.normal(size=RECORDS) - 1 + 0.5 * rng.normal(size=member.shape)
    return signals_of(np.exp(logs) * np.where(member, memory, 1.0), member)


def paired_halves(rng: np.random.Generator, shadows: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Runs on random halves, of each two shadow runs one on either half: (runs, records)."""
    half = np.stack([rng.permutation(RECORDS) < RECORDS // 2 for _ in range(TARGETS + (shadows + 1) // 2)])
    pairs = np.stack([half[TARGETS:], ~half[TARGETS:]], axis=1).reshape(-1, RECORDS)
    return np.concatenate([half[:TARGETS], pairs[:shadows]])


def aucs(score: Score, seeds: int, **how: float) -> list[float]:
    found = []
    for seed in range(seeds):
        s = skewed_signals(seed, **how)  # type: ignore[arg-type]
        for target in range(TARGETS):
            values = score(s, target)
            found.append(auc(values[s.member[target]], values[~s.member[target]]))
    return found


@pytest.mark.parametrize("target", [0, 5])
def test_record_by_record(target: int) -> None:
    """The score is (mean_out - l) / sigma, sigma^2 by the formula from the record's own and the
    pooled variance, written as loops."""
    s = skewed_signals()
    losses = losses_of(s)
    out = [
        [losses[run][i] for run in range(TARGETS, len(s.arms)) if run != target and not s.member[run, i]]
        for i in range(RECORDS)
    ]
    spare = [x for x in out if len(x) >= 2]
    pooled = sum(statistics.variance(x) * (len(x) - 1) for x in spare) / sum(len(x) - 1 for x in spare)
    expected = [
        (statistics.mean(x) - losses[target][i])
        / math.sqrt(
            (1 + 1 / len(x)) * (2 * pooled + (len(x) - 1) * statistics.variance(x)) / (2 + len(x) - 1)
        )
        for i, x in enumerate(out)
    ]
    assert attack_r.score(s, target) == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_with_the_variance_of_the_record_it_is_the_paper_s() -> None:
    """With each record's own variance, Phi of the score is the paper's smoothed share of OUT losses
    above the target's."""
    s = skewed_signals()
    losses = np.array(losses_of(s))
    found = attack_r.with_variance(lira.per_example)(s, 0)
    for i in range(RECORDS):
        out = losses[TARGETS:, i][~s.member[TARGETS:, i]]
        expected = stats.norm.sf(losses[0, i], out.mean(), out.std())
        assert stats.norm.cdf(found[i]) == pytest.approx(expected, abs=1e-3)


def test_of_nonmembers_as_many_as_it_says_are_accused() -> None:
    """With normal losses of one spread, non-members have scores above Phi^-1(1 - alpha) with
    probability alpha, few as the runs are."""
    rng = np.random.default_rng(3)
    records = 20_000
    member = np.zeros((6, records), dtype=bool)
    losses = 8 + rng.normal(size=records) + 0.3 * rng.normal(size=member.shape)
    found = attack_r.score(signals_of(losses, member), 0)
    degrees = 3 + attack_r.PRIOR  # of the variance that four runs and the prior give
    for alpha in (0.01, 0.1, 0.5):
        error = 5 * math.sqrt(alpha / records)
        # Between the normal distribution, were all variance pooled, and Student's, were none.
        assert (
            alpha - error
            <= np.mean(found > stats.norm.isf(alpha))
            <= stats.t.sf(stats.norm.isf(alpha), degrees) + error
        )


def test_few_reference_runs_do_not_accuse_by_accident() -> None:
    """Where all records' losses are spread alike, with four reference runs the steadied variance
    finds more members at few false alarms than the record's own, or the share of larger losses."""

    def alike(seed: int) -> Signals:
        rng = np.random.default_rng(seed)
        member = paired_halves(rng, 4)
        losses = 5 + rng.normal(size=RECORDS) - 1.5 * member + rng.gumbel(size=member.shape) / 2
        return signals_of(np.maximum(losses, 0.01), member)

    def share_of_larger(s: Signals, target: int) -> Floats:
        losses = -difficulty_calibration.negative_loss(s.logits[target], s.labels)
        every = -np.array([difficulty_calibration.negative_loss(run, s.labels) for run in s.logits[TARGETS:]])
        out = ~s.member[TARGETS:]
        return np.asarray(((every > losses) & out).sum(axis=0) / np.maximum(out.sum(axis=0), 1))

    def power(score: Score) -> float:
        """The true-positive rate at 2 % false positives, ties counted as not accused."""
        found = []
        for seed in range(10):
            s = alike(seed)
            for target in range(TARGETS):
                values = score(s, target)
                inside = s.member[target]
                found.append(np.mean(values[inside] > np.quantile(values[~inside], 0.98)))
        return float(np.mean(found))

    steadied = power(attack_r.score)
    assert steadied > 1.5 * power(attack_r.with_variance(lira.per_example))
    assert steadied > 1.5 * power(share_of_larger)


def test_members_are_found_and_nobody_else() -> None:
    """Members with smaller losses rank higher; where training changes nothing the AUC is 1/2."""
    assert np.mean(aucs(attack_r.score, 4)) > 0.6
    assert np.mean(aucs(attack_r.score, 12, memory=1.0)) == pytest.approx(0.5, abs=0.02)


def test_a_target_that_is_a_shadow_run_is_left_out() -> None:
    """A shadow run is attacked with the others only: as if its arm were another."""
    s = skewed_signals()
    arms = s.arms.copy()
    arms[4] = "original"
    assert attack_r.score(s, 4) == pytest.approx(attack_r.score(replace(s, arms=arms), 4))


def test_neither_order_nor_membership_of_the_target_counts() -> None:
    """Records in another order have the same scores in that order, and the target's membership is
    not looked at."""
    s = skewed_signals()
    first = attack_r.score(s, 0)
    order = np.random.default_rng(1).permutation(RECORDS)
    member = s.member.copy()
    member[0] = ~member[0]
    other = replace(
        s, logits=s.logits[:, order], member=member[:, order], labels=s.labels[order], ids=s.ids[order]
    )
    assert np.array_equal(attack_r.score(other, 0), first[order])


def test_saturated_losses_give_finite_scores() -> None:
    """Where every loss is 0 no record stands out: the score is 0 and no division fails."""
    s = skewed_signals()
    sure = np.zeros_like(s.logits)
    sure[..., 0] = 1_000.0
    assert np.array_equal(attack_r.score(replace(s, logits=sure), 0), np.zeros(RECORDS))


def test_what_cannot_be_compared() -> None:
    """A record that every reference run saw has no score; with one reference run there is no
    spread, and the attack does not apply."""
    s = skewed_signals(shadows=4)
    member = s.member.copy()
    member[TARGETS:, :9] = True
    found = attack_r.score(replace(s, member=member), 0)
    assert np.flatnonzero(np.isnan(found)).tolist() == list(range(9))
    with pytest.raises(NotApplicable, match="there are 1 shadow runs"):
        attack_r.score(skewed_signals(shadows=1), 0)
