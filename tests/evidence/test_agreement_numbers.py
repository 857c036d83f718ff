import numpy as np

from auditkit.evidence.agreement_numbers import agreement, attack_agreement
from auditkit.statistics.scores import Scores
from tests.evidence.attack_scores import scores_of
from tests.statistics.simulated_arms import simulated_arms


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
