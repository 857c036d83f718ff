from dataclasses import replace

import numpy as np
import pytest

from auditkit.claims.criteria import Criteria
from auditkit.core.canonical import canonical
from auditkit.evidence.attack_numbers import (
    agreement,
    attack_agreement,
    attack_summaries,
    balanced_accuracies,
    operating_points,
)
from auditkit.evidence.memory_numbers import drift, residual_memory, states, utility
from auditkit.signals.arms import Arm, Arms
from auditkit.statistics.hypotheses import welch
from auditkit.statistics.margins import Margins
from auditkit.statistics.residual import rho, rho_interval
from auditkit.statistics.roc import auc
from auditkit.statistics.scores import Scores
from tests.statistics.simulated_arms import memory_of, simulated_arms

LABELS = np.repeat([0, 3], 20)


def scores_of(arms: Arms, nonmembers: int) -> dict[str, Scores]:
    """The exact margins as an attack's scores, on some of the control records."""
    named = {"original": arms.original, "unlearned": arms.unlearned, "retrained": arms.retrained}
    margins = {name: arm.margins["exact"] for name, arm in named.items()}
    return {name: Scores(m.forget, m.control[:, :nonmembers]) for name, m in margins.items()}


def test_residual_memory_is_that_of_each_query_arm_and_class() -> None:
    """The summary has ρ and its interval by query, of the honest arm, by class, and one dot a
    run."""
    arms = simulated_arms(0, n=5, share=0.3)
    found = residual_memory(arms, LABELS, 0.05)
    seen = memory_of(arms)
    assert (found.exact.value, found.exact.low, found.exact.high) == (rho(seen), *rho_interval(seen, 0.05))
    assert [radius for radius, _ in found.jittered] == [0.1]
    assert found.honest.value == rho(memory_of(arms.claiming(arms.honest)))
    assert [c.label for c in found.per_class] == [0, 3]
    assert [c.rho.n_records for c in found.per_class] == [20, 20]
    assert found.per_class[1].rho.value == rho(seen.of(np.arange(20, 40)))
    assert {arm: len(dots) for arm, dots in found.per_run.items()} == {
        "original": 5,
        "unlearned": 5,
        "honest": 5,
    }
    assert np.mean(found.per_run["unlearned"]) == pytest.approx(found.exact.value)
    assert np.mean(found.per_run["original"]) == pytest.approx(1)
    assert 1 <= (found.effective_records.value or 0) <= 40


def test_the_smallest_detectable_share_shrinks_with_runs() -> None:
    """Four times the runs tell about half as small a share of memory from none."""
    seen = [residual_memory(simulated_arms(1, n=n), LABELS, 0.05) for n in (8, 32)]
    few, many = (memory.smallest_detectable for memory in seen)
    assert seen[0].could_see == (
        "The smallest residual memory that this audit would have told from none, with probability 0.8, is "
        f"{few.value:.3g}."
    )
    assert few.value is not None
    assert many.value is not None
    assert 0.3 < many.value / few.value < 0.7


def test_an_audit_with_nothing_to_remember_can_be_written() -> None:
    """Where every forget margin is clipped in every run, the summary has no ρ and can still be
    written."""
    arms = simulated_arms(0, n=4)

    def easy(arm: Arm) -> Arm:
        return replace(arm, margins={q: Margins(m.forget + 100, m.control) for q, m in arm.margins.items()})

    arms = Arms(easy(arms.original), easy(arms.unlearned), easy(arms.retrained), easy(arms.honest), {})
    found = residual_memory(arms, LABELS, 0.05)
    assert found.exact.value is None
    canonical(found)


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
    near = {"loss": {"jitter 0.1": {name: s.auc() - 0.01 for name, s in by_arm.items()}}}
    (row,) = attack_summaries({"loss": by_arm}, near, 0.05)
    for name, s in by_arm.items():
        aucs = [auc(f, c) for f, c in zip(s.forget, s.control, strict=True)]
        assert row.auc[name].value == pytest.approx(np.mean(aucs))
    assert row.gap.value == pytest.approx(
        (row.auc["unlearned"].value or 0) - (row.auc["retrained"].value or 0)
    )
    assert row.near["jitter 0.1"].value == pytest.approx(row.gap.value)
    assert (row.name, row.title, row.family, row.leads) == ("loss", "Loss", "population", True)


def test_the_strongest_attack_of_a_family_leads() -> None:
    """Of each family the attack with the highest mean AUC on original runs leads, and no other."""
    arms = simulated_arms(2, n=4, share=0.5)
    strong = scores_of(arms, 80)
    rng = np.random.default_rng(0)
    weak = {
        name: Scores(s.forget + rng.normal(0, 50, s.forget.shape), s.control) for name, s in strong.items()
    }
    battery = {"hinge": weak, "loss": strong, "entropy": weak, "gap": weak}
    rows = attack_summaries(battery, {}, 0.05)
    assert {row.name: row.leads for row in rows} == {
        "hinge": False,
        "loss": True,
        "entropy": False,
        "gap": True,
    }


def test_balanced_accuracy_is_chosen_on_one_half_and_read_on_the_other() -> None:
    """Each half of the records, even and odd places, is judged by the threshold that a scan finds
    best on the other."""
    s = scores_of(simulated_arms(5, n=3), 40)["original"]
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


def test_agreement_counts_records_by_attacks() -> None:
    """So many forget records are found by at least k attacks: those whose mean score is above all
    but a twentieth of the control records'."""
    s = scores_of(simulated_arms(2, n=4, share=0.5), 80)
    inverse = {name: Scores(-x.forget, x.control) for name, x in s.items()}
    found = agreement(attack_agreement({"loss": s, "hinge": s, "gap": inverse}))
    assert found is not None
    assert (found.attacks, found.records) == (3, 40)
    assert [row.attacks for row in found.at_least] == [1, 2, 3]
    for arm, x in s.items():
        border = np.sort(x.control.mean(axis=0))[-5]  # 4 of 80 may be above it
        up, down = x.forget.mean(axis=0) > border, -x.forget.mean(axis=0) > border
        assert found.at_least[0].records[arm] == (up | down).sum()
        assert found.at_least[1].records[arm] == up.sum()
        assert found.at_least[2].records[arm] == (up & down).sum()


def test_too_few_control_records_agree_on_nothing() -> None:
    """With fewer than 60 control records nobody can be found at a false-positive rate of a
    twentieth."""
    assert agreement(attack_agreement({"loss": scores_of(simulated_arms(2, n=4), 59)})) is None
    assert agreement(attack_agreement({})) is None


def test_utility_is_the_accuracy_lost() -> None:
    """Utility is retrained minus unlearned accuracy, with Welch's interval around it."""
    arms = simulated_arms(3, n=6, accuracy=0.85)
    lost = utility(arms, 250, 0.05)
    mean, _, _ = welch(arms.retrained.accuracy, arms.unlearned.accuracy)
    assert lost.value == mean
    assert lost.low is not None
    assert lost.high is not None
    assert 0.04 < lost.low < mean < lost.high < 0.06


def test_drift_is_seen_in_slope_and_not_in_comparability() -> None:
    """Twice the margins have twice the slope and rank control records as well as before."""
    arms = simulated_arms(4)
    hotter = {q: Margins(2 * m.forget, 2 * m.control + 1) for q, m in arms.unlearned.margins.items()}
    plain, hot = drift(arms, 0.05), drift(arms.claiming(replace(arms.unlearned, margins=hotter)), 0.05)
    assert plain.slope.value == pytest.approx(1, abs=0.05)
    assert hot.slope.value == pytest.approx(2 * (plain.slope.value or 0))
    assert hot.comparability.value == pytest.approx(plain.comparability.value)
    assert hot.excess_spread.value == pytest.approx(plain.excess_spread.value)
    assert hot.rho_error.value == pytest.approx(plain.rho_error.value)
    assert hot.floor == 0.7


def test_states_are_measured_like_the_claim() -> None:
    """Each state of the procedure has its own ρ and accuracy, and exactly one is the claimed
    one."""
    arms = simulated_arms(5, n=4)
    found = states(arms, {"off": arms.original, "folded": arms.unlearned}, "folded", 250, Criteria().alpha)
    assert [(s.name, s.claimed) for s in found] == [("off", False), ("folded", True)]
    assert found[0].rho.value == 1
    assert found[1].rho.value == rho(memory_of(arms))
    assert found[0].test_accuracy.value == pytest.approx(arms.original.accuracy.mean())
