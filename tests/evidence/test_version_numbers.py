"""What two versions of a model, or two worlds, give away together."""

import numpy as np
import pytest

from auditkit.attacks import ATTACKS
from auditkit.attacks.posterior_difference import before_after
from auditkit.core.ids import SWAPPED_UNLEARNED, UNLEARNED
from auditkit.evidence.version_numbers import both_versions, swap_lines
from auditkit.signals.signals import Signals
from auditkit.statistics.roc import auc
from tests.evidence.made_audits import measured_of
from tests.statistics.simulated_arms import simulated_arms

RUNS, RECORDS = 4, 30
FORGET, STAND_INS = np.arange(10), np.arange(10, 20)


def two_worlds(remembered: float) -> Signals:
    """Runs of both worlds, in each of which the margin of what was forgotten there is higher by
    what is remembered."""
    rng = np.random.default_rng(0)
    margins = rng.normal(size=(2 * RUNS, RECORDS))
    margins[:RUNS, FORGET] += remembered
    margins[RUNS:, STAND_INS] += remembered
    return Signals(
        logits=np.stack([margins, np.zeros_like(margins)], axis=-1).astype(np.float32),
        member=np.zeros((2 * RUNS, RECORDS), dtype=bool),
        labels=np.zeros(RECORDS, dtype=np.int64),
        ids=np.arange(RECORDS).astype(str),
        arms=np.repeat([str(UNLEARNED), str(SWAPPED_UNLEARNED)], RUNS),
        seed=0,
    )


def test_both_versions_are_means_over_pairs_of_runs() -> None:
    """The numbers are mean AUCs of the drop from the original run of all runs."""
    measured = measured_of(simulated_arms(0, n=5))
    found = both_versions(measured.signals, measured.sets, 0.05)
    expected = before_after(measured.signals, measured.sets.forget, measured.sets.control)
    for number, aucs in ((found.unlearned, expected.unlearned), (found.retrained, expected.retrained)):
        assert number.value == pytest.approx(np.mean(aucs))
        assert (number.n_runs, number.n_records, number.confidence) == (5, 120, 0.9)


@pytest.mark.parametrize("remembered", [0.0, 1.0])
def test_a_swap_line_is_the_advantage_over_both_worlds(remembered: float) -> None:
    """The advantage of an attack is AUC + AUC - 1 of its scores in both worlds, the mean over pairs
    of runs."""
    signals = two_worlds(remembered)
    (line,) = swap_lines(signals, ["loss"], FORGET, STAND_INS, 0.05)
    scores = np.array([ATTACKS["loss"].score(signals, run) for run in range(2 * RUNS)])
    world = [auc(s[FORGET], s[STAND_INS]) for s in scores[:RUNS]]
    swapped = [auc(s[STAND_INS], s[FORGET]) for s in scores[RUNS:]]
    assert line.advantage.value == pytest.approx(np.mean(world) + np.mean(swapped) - 1)
    assert line.advantage.low is not None
    assert (line.advantage.low > 0) == (remembered > 0)
    assert (line.name, line.title) == ("loss", ATTACKS["loss"].title)
    assert (line.advantage.n_runs, line.advantage.n_records) == (RUNS, 20)


def test_attacks_that_the_swapped_world_cannot_answer_have_no_line() -> None:
    """Attacks that need a model in hand, that judge runs by each other, or that cannot be mounted
    are left out; without runs of the swapped world there are no lines."""
    signals = two_worlds(1.0)
    attacks = ["gradient-norm", "u-lira", "shokri-lr", "gap"]
    assert [line.name for line in swap_lines(signals, attacks, FORGET, STAND_INS, 0.05)] == ["gap"]
    measured = measured_of(simulated_arms(0, n=3))
    assert swap_lines(measured.signals, ["loss"], FORGET, STAND_INS, 0.05) == ()
