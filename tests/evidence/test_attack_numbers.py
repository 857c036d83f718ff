from dataclasses import replace

import numpy as np
import pytest

from auditkit.attacks.battery import NearAucs
from auditkit.core.ids import HONEST, ORIGINAL, RETRAINED, UNLEARNED, ArmKey, Query, attack_gap
from auditkit.evidence.attack_numbers import attack_summaries, balanced_accuracies, operating_points
from auditkit.signals.measurements import AttackScores
from auditkit.statistics.margins import Floats
from auditkit.statistics.roc import auc
from auditkit.statistics.scores import Scores
from tests.evidence.attack_scores import scores_of
from tests.simulations.worlds import scores, world
from tests.statistics.simulated_arms import NEAR, simulated_arms


@pytest.mark.parametrize(
    ("nonmembers", "lowest"), [(80, 0.05), (31, 0.1), (30, 0.1), (29, 0.2), (6, 0.5), (5, None)]
)
def test_no_rate_is_quoted_below_three_over_n(nonmembers: int, lowest: float | None) -> None:
    """Operating points start at the first false-positive rate that is at least 3/N."""
    points = operating_points(scores_of(simulated_arms(0, n=3), nonmembers), 0.05)
    assert (points[0].fpr if points else None) == lowest


def test_operating_points_are_means_over_runs() -> None:
    """The true-positive rate of an arm is the mean over its runs of the best threshold's, by
    scanning."""
    by_arm = scores_of(simulated_arms(0, n=3), 40)
    for point in operating_points(by_arm, 0.05):
        for name, s in by_arm.items():
            rates = [
                max(np.mean(f > t) for t in [*c, *f, -np.inf] if np.mean(c > t) <= point.fpr)
                for f, c in zip(s.forget, s.control, strict=True)
            ]
            assert point.arms[name].value == pytest.approx(np.mean(rates))


def test_an_attack_row_has_the_auc_of_each_arm_and_the_gap() -> None:
    """An attack's row has the mean AUC of each arm's runs and the difference of unlearned and
    retrained."""
    arms = simulated_arms(2, n=4, share=0.5)
    by_arm = scores_of(arms, 80)
    near: NearAucs = {"loss": {NEAR: {name: s.auc() - 0.01 for name, s in by_arm.items()}}}
    (row,) = attack_summaries({"loss": by_arm}, near, (), 0.05)
    for name, s in by_arm.items():
        aucs = [auc(f, c) for f, c in zip(s.forget, s.control, strict=True)]
        assert row.auc[name].value == pytest.approx(np.mean(aucs))
    assert row.gap is not None
    assert row.gap.value == pytest.approx((row.auc[UNLEARNED].value or 0) - (row.auc[RETRAINED].value or 0))
    assert row.near[NEAR].value == pytest.approx(row.gap.value)
    assert (row.name, row.title, row.family, row.leads) == ("loss", "Loss", "population", True)


def test_the_gap_that_a_finding_carries_is_left_to_it() -> None:
    """An attack whose gap is a required test has everything in its row but that gap."""
    by_arm = scores_of(simulated_arms(2, n=4, share=0.5), 80)
    battery = {"loss": by_arm, "gap": by_arm}
    reported = attack_summaries(battery, {}, (), 0.05)
    required = attack_summaries(battery, {}, {attack_gap("gap"), attack_gap("entropy")}, 0.05)
    assert required == (reported[0], replace(reported[1], gap=None))
    assert reported[1].gap is not None


def test_the_strongest_attack_of_a_family_leads() -> None:
    """Of each family the attack with the highest mean AUC on original runs leads, and no other."""
    arms = simulated_arms(2, n=4, share=0.5)
    strong = scores_of(arms, 80)
    rng = np.random.default_rng(0)
    weak = {
        name: Scores(s.forget + rng.normal(0, 50, s.forget.shape), s.control) for name, s in strong.items()
    }
    battery: AttackScores = {"hinge": weak, "loss": strong, "entropy": weak, "gap": weak}
    rows = attack_summaries(battery, {}, (), 0.05)
    assert {row.name: row.leads for row in rows} == {
        "hinge": False,
        "loss": True,
        "entropy": False,
        "gap": True,
    }


def test_balanced_accuracy_is_chosen_on_one_half_and_read_on_the_other() -> None:
    """Each half of the records, even and odd places, is judged by the threshold that a scan finds
    best on the other."""
    s = scores_of(simulated_arms(5, n=3), 40)[ORIGINAL]
    expected = []
    for forget, control in zip(s.forget, s.control, strict=True):
        halves = []
        for judged in (0, 1):
            f, c = forget[1 - judged :: 2], control[1 - judged :: 2]
            cuts = np.unique([*f, *c])
            cuts = (cuts[1:] + cuts[:-1]) / 2
            best = cuts[np.argmax([np.mean(f > t) - np.mean(c > t) for t in cuts])]
            halves.append((np.mean(forget[judged::2] > best) + np.mean(control[judged::2] <= best)) / 2)
        expected.append(np.mean(halves))
    assert balanced_accuracies(s).tolist() == pytest.approx(expected)


def test_an_attack_that_learns_from_the_runs_it_judges_has_no_intervals() -> None:
    """The numbers of U-LiRA come without any interval, those of other attacks with one."""
    rng, made = np.random.default_rng(2), world()
    arms = {ORIGINAL: 1.0, UNLEARNED: 0.0, RETRAINED: 0.0, HONEST: 0.0}
    by_arm = {arm: scores(made.runs(rng, 4, share)) for arm, share in arms.items()}
    near: dict[Query, dict[ArmKey, Floats]] = {NEAR: {arm: s.auc() for arm, s in by_arm.items()}}
    battery = {"loss": by_arm, "u-lira": by_arm}
    summaries = attack_summaries(battery, {"u-lira": near, "loss": near}, (), 0.05)
    rows = {row.name: row for row in summaries}
    for name, bare in (("loss", False), ("u-lira", True)):
        row = rows[name]
        assert row.gap is not None
        numbers = [row.gap, *row.auc.values(), *row.near.values(), *row.balanced_accuracy.values()]
        numbers += [n for point in row.points for n in (point.gap, *point.arms.values())]
        assert all((n.low is None and n.high is None and n.confidence is None) is bare for n in numbers)
        assert all(n.value is not None for n in numbers)
