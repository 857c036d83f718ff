from dataclasses import replace

import numpy as np
import pytest

from auditkit.claims.criteria import Criteria
from auditkit.core.canonical import canonical
from auditkit.core.ids import EXACT, HONEST, ORIGINAL, RELEARNED, UNLEARNED, Recovered
from auditkit.core.ids import residual_memory as memory_test
from auditkit.evidence.memory_numbers import drift, procedure_states, residual_memory
from auditkit.signals.arms import Arm, Arms
from auditkit.statistics.margins import Margins
from auditkit.statistics.residual import memory, rho, rho_interval
from tests.statistics.simulated_arms import NEAR, arms_with_placebo, memory_of, simulated_arms

LABELS = np.repeat([0, 3], 20)
PROBE = Recovered("probe")


def with_recoveries(arms: Arms) -> Arms:
    """Every arm asked the same of models that were changed, in two ways: the margins near the
    records stand for the answers."""

    def changed(arm: Arm) -> Arm:
        return replace(arm, margins={**arm.margins, RELEARNED: arm.margins[NEAR], PROBE: arm.margins[NEAR]})

    return Arms(
        changed(arms.original), changed(arms.unlearned), changed(arms.retrained), changed(arms.honest), {}
    )


def test_residual_memory_is_that_of_each_class_and_run() -> None:
    """The summary has ρ and its interval by class, of unlearned and of honest runs, and one dot a
    run."""
    arms = simulated_arms(0, n=5, share=0.3)
    found = residual_memory(arms, LABELS, (), 0.05)
    seen, honest = memory_of(arms), memory_of(arms.claiming(arms.honest))
    assert [c.label for c in found.per_class] == [0, 3]
    assert [c.rho.n_records for c in found.per_class] == [20, 20]
    for number, of in ((found.per_class[1].rho, seen), (found.per_class[1].honest, honest)):
        rows = of.of(np.arange(20, 40))
        assert (number.value, number.low, number.high) == (rho(rows), *rho_interval(rows, 0.05))
    assert {arm: len(dots) for arm, dots in found.per_run.items()} == {
        ORIGINAL: 5,
        UNLEARNED: 5,
        HONEST: 5,
    }
    assert np.mean(found.per_run[UNLEARNED]) == pytest.approx(rho(seen))
    assert np.mean(found.per_run[HONEST]) == pytest.approx(rho(honest))
    assert np.mean(found.per_run[ORIGINAL]) == pytest.approx(1)
    assert 1 <= (found.effective_records.value or 0) <= 40


def test_what_a_finding_carries_is_left_to_it() -> None:
    """Memory of changed models has a line for each way of changing them, its ρ left out where a
    required test carries it, and that of the honest control always."""
    arms = with_recoveries(simulated_arms(0, n=5, share=0.3))
    required = residual_memory(arms, LABELS, {memory_test(RELEARNED)}, 0.05)
    reported = residual_memory(arms, LABELS, (), 0.05)
    assert required.recovered == (replace(reported.recovered[0], rho=None), reported.recovered[1])
    assert [line.by for line in reported.recovered] == ["relearned", "probe"]
    O, U, R, H = (a.margins[NEAR] for a in (arms.original, arms.unlearned, arms.retrained, arms.honest))
    for line in reported.recovered:
        assert line.rho is not None
        for number, seen in ((line.rho, memory(O, U, R)), (line.honest, memory(O, H, R))):
            assert (number.value, number.low, number.high) == (rho(seen), *rho_interval(seen, 0.05))
    assert replace(required, recovered=()) == replace(reported, recovered=())


def test_the_smallest_detectable_share_shrinks_with_runs() -> None:
    """Four times the runs tell about half as small a share of memory from none."""
    seen = [residual_memory(simulated_arms(1, n=n), LABELS, (), 0.05) for n in (8, 32)]
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
    found = residual_memory(arms, LABELS, (), 0.05)
    assert [of_class.rho.value for of_class in found.per_class] == [None, None]
    assert found.smallest_detectable.value is None
    assert (
        found.could_see == "The original runs cannot be told from retrained ones, so this audit could have"
        " seen no residual memory."
    )
    canonical(found)


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
    found = procedure_states(
        arms, {"off": arms.original, "folded": arms.unlearned}, "folded", 250, Criteria().alpha
    )
    assert [(s.name, s.claimed) for s in found] == [("off", False), ("folded", True)]
    assert found[0].rho.value == 1
    assert found[1].rho.value == rho(memory_of(arms))
    assert found[0].test_accuracy.value == pytest.approx(arms.original.accuracy.mean())


def test_only_the_claimed_state_is_held_against_the_placebo() -> None:
    """The placebo is in the claimed state: what another state does to a model it does not know, so
    that models in which nothing was changed have, against retrained runs, exactly 1."""
    arms = arms_with_placebo(5, n=6, lift=0.4, temperature=0.7)
    other = {"off": arms.original, "folded": arms.unlearned}
    off, folded = procedure_states(arms, other, "folded", 250, Criteria().alpha)
    assert off.rho.value == 1
    assert folded.rho.value == rho(arms.memory(EXACT))
    assert abs(folded.rho.value) < 0.2
    assert rho(arms.claiming(arms.unlearned).memory(EXACT)) > 0.3
