from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from auditkit.attacks.errors import NotApplicable
from auditkit.attacks.per_class import Score
from auditkit.attacks.rmia import (
    GRID,
    TRIED_ON,
    dominated,
    offline,
    online,
    probability,
    ranked,
    ratio,
    tuned,
    usual_offline,
    usual_online,
)
from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Floats
from auditkit.statistics.roc import auc
from tests.attacks.reference_signals import random_halves, random_signals

Form = Callable[[float], Score]

every_form = pytest.mark.parametrize("form", [online, offline])

# From reference/golden.json, "rmia_tiny": probabilities of three records and four z, and of the
# runs without and with them.
PX, PZ = np.array([0.9, 0.5, 0.2]), np.array([0.8, 0.6, 0.3, 0.1])
PX_OUT = np.array([[0.6, 0.8], [0.6, 0.5], [0.3, 0.1]]).mean(axis=1)
PX_IN = np.array([[0.9, 0.95], [0.8, 0.7], [0.5, 0.4]]).mean(axis=1)
PZ_OUT = np.array([[0.7, 0.9], [0.5, 0.7], [0.2, 0.4], [0.3, 0.1]]).mean(axis=1)
RX, RZ = ratio(PX, usual_offline(PX_OUT, 0.3)), ratio(PZ, usual_offline(PZ_OUT, 0.3))


def pairwise(rx: Floats, rz: Floats, gamma: float) -> list[float]:
    """The definition, one pair after the other."""
    return [sum(x / z >= gamma for z in rz) / len(rz) for x in rx]


def test_golden_ratios() -> None:
    """The golden ratios p(x | target) / p(x), offline with a = .3 and online."""
    assert pytest.approx([1.11801242, 0.70671378, 0.41666667]) == RX
    assert pytest.approx([0.91954023, 0.81081081, 0.55045872, 0.20833333]) == RZ
    assert ratio(PX, usual_online(PX_IN, PX_OUT)) == pytest.approx([1.10769231, 0.76923077, 0.61538462])


@pytest.mark.parametrize(
    ("gamma", "expected"), [(1, [1, 0.5, 0.25]), (2, [0.5, 0.25, 0.25]), (1.2, [1, 0.5, 0.25])]
)
def test_golden_scores(gamma: float, expected: list[float]) -> None:
    """The golden shares of z that each record dominates: exactly so, and rounded down to whole z of
    the score that breaks ties."""
    assert dominated(RX, RZ, gamma).tolist() == expected
    assert (np.floor(4 * ranked(RX, RZ, gamma)) / 4).tolist() == expected


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_every_pair(gamma: float) -> None:
    """Sorting once counts what comparing every record with every z does, ties of ratios
    included."""
    rng = np.random.default_rng(0)
    rx, rz = rng.integers(1, 9, 200) / 4, rng.integers(1, 9, 70) / 4
    assert dominated(rx, rz, gamma) == pytest.approx(pairwise(rx, rz, gamma))


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 50.0])
def test_gamma_changes_no_rank(gamma: float) -> None:
    """Whatever gamma is, records stand in the order of their ratios, with no ties but theirs,
    within one z of the definition."""
    rng = np.random.default_rng(1)
    rx, rz = np.exp(rng.normal(size=(2, 500)))
    s = ranked(rx, rz, gamma)
    assert np.array_equal(np.argsort(s), np.argsort(rx))
    assert len(np.unique(s)) == 500
    within = s - dominated(rx, rz, gamma)
    assert ((within >= 0) & (within < 1 / 500)).all()


def test_the_probability_of_the_label() -> None:
    """Of two classes with logits phi and 0 the label has the probability 1 / (1 + exp(-phi)), also
    when that is next to nothing."""
    phi = np.array([-300.0, -2.0, 0.0, 3.0, 300.0])
    p = probability(np.stack([phi, 0 * phi], axis=1), np.zeros(5, dtype=np.int64))
    assert p == pytest.approx(1 / (1 + np.exp(-phi)), rel=1e-12)


def test_ratios_next_to_nothing() -> None:
    """A probability of 0 has the ratio 0, however small the usual one is."""
    assert ratio(np.array([0.0, 0.0, 1e-300]), np.array([0.0, 0.5, 1e-300])).tolist() == [0, 0, 1]


def by_hand(signals: Signals, target: int, gamma: float, a: float | None) -> list[float]:
    """The attack as a loop: every record, every z, every run. Offline with this a, online without
    one."""
    p = 1 / (1 + np.exp(-signals.logits[..., 0].astype(float)))
    runs = [r for r in range(len(p)) if signals.arms[r] == "shadow" and r != target]

    def r(i: int) -> float:
        inside = [p[run, i] for run in runs if signals.member[run, i]]
        out = sum(p[run, i] for run in runs if not signals.member[run, i]) / (len(runs) - len(inside))
        if a is not None:
            return float(p[target, i] / (0.5 * ((1 + a) * out + (1 - a))))
        return float(p[target, i] / (0.5 * (out + sum(inside) / len(inside)) if inside else out))

    z = [r(i) for i in range(p.shape[1]) if not signals.member[:, i].any()]
    return [sum(r(i) / other >= gamma for other in z) / len(z) for i in range(p.shape[1])]


@pytest.mark.parametrize("target", [0, 2])
def test_record_by_record(target: int) -> None:
    """Online and offline scores, rounded down to whole z, are the paper's, run by run and pair by
    pair, of any target."""
    signals, _ = random_signals(2, shadows=7, records=40, outside=25)
    a = tuned(signals, target)
    for gamma in (1.0, 1.3):
        down = np.floor(25 * offline(gamma)(signals, target) + 1e-9) / 25
        assert down[:40] == pytest.approx(by_hand(signals, target, gamma, a)[:40])
        down = np.floor(25 * online(gamma)(signals, target) + 1e-9) / 25
        assert down[:40] == pytest.approx(by_hand(signals, target, gamma, None)[:40])
        assert np.isnan(down[40:]).all()


def tuned_by_hand(signals: Signals, target: int) -> float:
    """The best a by a loop over reference runs, a and records."""
    p = 1 / (1 + np.exp(-signals.logits[..., 0].astype(float)))
    runs = [r for r in range(len(p)) if signals.arms[r] == "shadow" and r != target]
    areas = np.zeros((TRIED_ON, len(GRID)))
    for row, run in zip(areas, runs, strict=False):
        for k, a in enumerate(GRID):
            scores: dict[bool, list[float]] = {True: [], False: []}
            for i in range(p.shape[1]):
                others = [r for r in runs if r != run and not signals.member[r, i]]
                if others and any(signals.member[r, i] for r in runs):
                    usual = 0.5 * ((1 + a) * p[others, i].mean() + (1 - a))
                    scores[bool(signals.member[run, i])].append(p[run, i] / usual)
            row[k] = auc(np.array(scores[True]), np.array(scores[False]))
    return float(GRID[np.argmax(areas.mean(axis=0))])


@pytest.mark.parametrize("target", [0, 1, 6])
def test_tuning_by_hand(target: int) -> None:
    """The chosen a is the best of the grid on the first reference runs, each attacked with the
    others."""
    signals, _ = random_signals(3, shadows=6, records=40, outside=10)
    assert tuned(signals, target) == tuned_by_hand(signals, target)


@pytest.mark.parametrize("target", [0, 2])
def test_the_target_has_no_part_in_tuning(target: int) -> None:
    """Whatever the target answers and whoever it was trained on, a is the same, also for a shadow
    run that is attacked."""
    signals, _ = random_signals(4, shadows=8, records=60)
    rng, chosen = np.random.default_rng(0), set()
    for _ in range(5):
        logits, member = signals.logits.copy(), signals.member.copy()
        logits[target] = 9 * rng.normal(size=logits[target].shape)
        member[target] = rng.permutation(member[target])
        chosen.add(tuned(replace(signals, logits=logits, member=member), target))
    assert chosen == {tuned(signals, target)}


def test_tuning_finds_what_training_does() -> None:
    """Where training makes the model sure of every record alike, a small a is chosen; where it adds
    a little to each, a large one."""
    rng = np.random.default_rng(5)
    member = np.vstack([np.zeros((1, 3_000), dtype=bool), random_halves(rng, 8, 3_000)])
    out = rng.uniform(0.05, 0.95, 3_000)
    chosen = []
    for a in (0.1, 0.9):
        p = np.where(member, a * out + 1 - a, out) * np.exp(0.03 * rng.normal(size=member.shape))
        chosen.append(tuned(_probable(p.clip(0.001, 0.999), member), 0))
    assert chosen[0] < 0.5 < chosen[1]


def _probable(p: Floats, member: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> Signals:
    signals, _ = random_signals(shadows=len(p) - 1, records=p.shape[1], outside=0)
    logits = np.stack([np.log(p / (1 - p)), 0 * p], axis=-1).astype(np.float32)
    return replace(signals, logits=logits, member=member)


@every_form
def test_members_score_higher(form: Form) -> None:
    """Members are found better than by their probability alone, and a model that learnt nothing
    gives nobody away."""
    signals, trained = random_signals(6, records=3_000, outside=300, spread=0.2)
    p = probability(signals.logits[0], signals.labels)
    s = form(1.0)(signals, 0)
    assert auc(s[trained], s[:3_000][~trained[:3_000]]) > auc(p[trained], p[:3_000][~trained[:3_000]]) + 0.05
    signals, trained = random_signals(7, shift=0.0, records=3_000, outside=300)
    s = form(1.0)(signals, 0)
    assert auc(s[trained], s[:3_000][~trained[:3_000]]) == pytest.approx(0.5, abs=0.043)  # 4 SE


def test_the_score_is_a_level() -> None:
    """With gamma = 1 a score above 1 - α is reached by about a share α of non-members that z are
    like."""
    signals, trained = random_signals(8, shadows=64, records=4_000, outside=2_000, spread=0.0)
    s = offline(1.0)(signals, 0)[:4_000][~trained[:4_000]]
    for alpha in (0.5, 0.1, 0.02):
        # 4 SE of the share here and among z.
        margin = 4 * np.sqrt(alpha * (1 - alpha) * (1 / 2_000 + 1 / len(s)))
        assert np.mean(s > 1 - alpha) == pytest.approx(alpha, abs=margin)


@every_form
def test_without_known_non_members_or_references(form: Form) -> None:
    """The attack says what it lacks: records outside every training set, or reference runs."""
    with pytest.raises(NotApplicable, match="no run was trained on; there are none"):
        form(1.0)(random_signals(outside=0)[0], 0)
    for shadows in (0, 1):
        with pytest.raises(NotApplicable, match=f"there are {shadows} shadow runs"):
            form(1.0)(random_signals(shadows=shadows)[0], 0)


def test_two_halves_tune_nothing() -> None:
    """Two reference runs that share no record leave none to attack either of them on."""
    with pytest.raises(NotApplicable, match="there are 2 shadow runs"):
        offline(1.0)(random_signals(shadows=2)[0], 0)


@every_form
def test_any_other_order(form: Form) -> None:
    """Records in another order have, to the last bit, the same scores in that order."""
    signals, _ = random_signals(10, shadows=5)
    order = np.random.default_rng(0).permutation(len(signals.labels))
    other = replace(
        signals, logits=signals.logits[:, order], member=signals.member[:, order], ids=signals.ids[order]
    )
    assert np.array_equal(form(1.0)(other, 0), form(1.0)(signals, 0)[order], equal_nan=True)
