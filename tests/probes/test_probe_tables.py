"""The contract of the tables of probes: whoever speaks of one by its name means the same."""

from typing import get_args

from auditkit.attacks import ATTACKS
from auditkit.core.ids import Recovery
from auditkit.probes import OBSERVATIONS, RECOVERIES
from auditkit.reports import labels


def test_a_claim_may_ask_for_every_recovery_and_for_no_other() -> None:
    """The names that a claim may give are those of the table, and a report has words for each."""
    assert set(get_args(Recovery)) == set(RECOVERIES) == set(labels.RECOVERIES)


def test_every_observation_is_there_for_an_attack() -> None:
    """What attacks need to have observed can be observed, and nothing is observed for nobody."""
    assert {attack.observes for attack in ATTACKS.values() if attack.observes} == set(OBSERVATIONS)
