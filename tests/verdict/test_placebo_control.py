"""The controls of an audit with a placebo, and what they keep from being decided."""

from dataclasses import replace

import numpy as np
import pytest

from auditkit.claims.criteria import Criteria
from auditkit.core.ids import EXACT
from auditkit.evidence.schema import Control, Ran
from auditkit.signals.arms import Arms, joined
from auditkit.statistics.residual import rho
from auditkit.verdict import decide
from auditkit.verdict import memory_tests as memory
from auditkit.verdict.controls import RHO, placebo_control
from tests.statistics.simulated_arms import ATTACKS, arms_with_placebo, simulated_arms

CRITERIA = Criteria(attacks=ATTACKS, jitter=(0.1,), recoveries=())
SIZES = {"n": 12, "forget": 60, "control": 120}
NAMES = ["honest retrain", "another recipe", "no-op", "exchanged labels", "placebo"]


@pytest.fixture(autouse=True)
def _few_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest p-value of the spared-records test is then 1/200 = α/10, small enough for Holm
    over ten tests."""
    monkeypatch.setattr(memory, "NULL_GROUPS", 199)


def controls_of(arms: Arms) -> dict[str, Control]:
    """The controls by name."""
    return {control.name: control for control in decide(arms, CRITERIA, 250, 0).controls}


def test_controls_are_those_that_there_are_arms_for() -> None:
    """Without a placebo there is no control of it, without a variant, or with few runs of it, none
    of another recipe."""
    whole = arms_with_placebo(0, n=8, forget=30)
    assert list(controls_of(whole)) == NAMES
    assert list(controls_of(replace(whole, variant=None))) == [n for n in NAMES if n != "another recipe"]
    plain = ["honest retrain", "no-op", "exchanged labels"]
    assert list(controls_of(simulated_arms(0, n=7))) == plain
    assert list(controls_of(arms_with_placebo(0, n=7, forget=30))) == [*plain, "placebo"]


def test_a_placebo_that_remembers_fails_the_audit() -> None:
    """A procedure that brings the memory along wherever it is applied shows none against its
    placebo, and would pass: the control finds it, and nothing is decided."""
    for seed in range(3):
        arms = arms_with_placebo(seed, **SIZES, share=0.6, brings=0.6)
        decision = decide(arms, CRITERIA, 250, 0)
        exact = decision.findings[RHO]
        assert isinstance(exact, Ran)
        assert exact.result == "passed"
        assert decision.verdict.outcome == "inconclusive"
        assert decision.verdict.reasons[0].startswith("Control placebo: expected residual memory not above")
        assert [c.name for c in decision.controls if not c.passed] == ["placebo"]


def test_the_control_of_the_placebo_holds_it_against_retrained_runs() -> None:
    """Its number is residual memory of the placebo against retrained runs; it is wrong only where
    that lies above the margin beyond doubt: what lies below is a drift that forgets."""
    for brings, passed in ((0.0, True), (0.1, True), (0.9, False), (-0.9, True)):
        arms = arms_with_placebo(1, **SIZES, brings=brings)
        found = placebo_control(arms, CRITERIA)
        assert found.rho is not None
        expected = rho(replace(arms, unlearned=arms.reference, placebo=None).memory(EXACT))
        assert found.rho.value == pytest.approx(expected)
        assert found.passed == passed
        assert (found.outcome == "not_supported") == (not passed)
        assert found.found == ("not above it" if passed else "above it")


def test_an_honest_placebo_seldom_fails() -> None:
    """Of audits whose placebo is like retrained runs hardly any fails by it, nor by another recipe
    with a drift of its own."""
    failed = []
    for seed in range(12):
        controls = controls_of(arms_with_placebo(seed, n=8, forget=40, recipe=0.5, temperature=0.7))
        failed += [name for name in ("placebo", "another recipe") if not controls[name].passed]
    assert len(failed) <= 1


def test_another_recipe_is_held_against_itself() -> None:
    """Runs retrained by another recipe are not refuted for a drift that would refute them against
    retrained runs; if one half of them remembered, they would be."""
    arms = arms_with_placebo(3, n=16, forget=60, control=120, recipe=0.8)
    control = controls_of(arms)["another recipe"]
    assert control.passed
    assert control.rho is not None
    assert abs(control.rho.value or 9) < 0.2
    assert arms.variant is not None
    taken = decide(arms.claiming(arms.variant), CRITERIA, 250, 0)
    assert taken.verdict.outcome == "not_supported"
    plain = arms_with_placebo(3, n=16, forget=60, control=120)
    assert plain.variant is not None
    half = np.arange(16)
    half[:8] += 16
    remembering = joined(plain.variant, plain.original).take(half)
    wrong = controls_of(replace(plain, variant=remembering))["another recipe"]
    assert not wrong.passed
    assert wrong.outcome == "not_supported"


def test_exchanged_labels_are_those_of_unlearned_runs_and_placebo() -> None:
    """A no-op against its placebo is refuted, with labels exchanged it is not; what the control
    says names what was exchanged."""
    arms = arms_with_placebo(2, **SIZES, share=1.0)
    decision = decide(arms, CRITERIA, 250, 0)
    assert decision.verdict.outcome == "not_supported"
    [exchanged] = [c for c in decision.controls if c.name == "exchanged labels"]
    assert exchanged.passed
    assert "unlearned and placebo exchanged" in exchanged.meaning
    plain = controls_of(simulated_arms(0, n=6))["exchanged labels"]
    assert "unlearned and retrained exchanged" in plain.meaning


def test_a_drift_of_its_own_refutes_no_procedure() -> None:
    """Where drift would be taken for memory against retrained runs, against the placebo nothing is
    refuted."""
    for seed in range(3):
        arms = arms_with_placebo(seed, **SIZES, lift=0.4)
        assert decide(arms.claiming(arms.unlearned), CRITERIA, 250, 0).verdict.outcome == "not_supported"
        found = decide(arms, CRITERIA, 250, 0)
        refuted = [f for f in found.findings.values() if isinstance(f, Ran) and f.result == "refuted"]
        assert refuted == []


def test_a_control_is_not_judged_by_what_says_nothing_of_memory() -> None:
    """Another recipe may be less accurate, and too few records visible: neither fails a control."""
    arms = arms_with_placebo(0, **SIZES, visible=0.3)
    assert arms.variant is not None
    worse = replace(arms.variant, accuracy=arms.variant.accuracy - 0.3)
    controls = controls_of(replace(arms, variant=worse, honest=arms.honest))
    assert all(control.passed for control in controls.values())
