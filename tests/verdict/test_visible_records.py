"""Of which records a verdict speaks: the floor of visible ones, and the stress world."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from auditkit.claims.criteria import ONE_RUN_MARGINS, WITHOUT_STRESS, Criteria
from auditkit.claims.required import required_tests
from auditkit.core.ids import EXACT, SPARED_IN_STRESS, STRESS, VISIBLE_RECORDS, residual_memory
from auditkit.evidence.schema import Decision, Ran, Skipped
from auditkit.signals.arms import Arms
from auditkit.statistics.likelihood import visible_records
from auditkit.statistics.margins import stacked
from auditkit.statistics.sequential import Level
from auditkit.verdict import decide, held_up_by_visibility
from auditkit.verdict import memory_tests as memory
from auditkit.verdict.judging import judge
from auditkit.verdict.memory_tests import residual_finding, spared_finding, visible_finding
from auditkit.verdict.required_findings import required_findings
from tests.statistics.simulated_arms import ATTACKS, arms_with_placebo, simulated_arms
from tests.verdict.test_decision import GOOD, MEMORY, gap, ran

CRITERIA = Criteria(attacks=ATTACKS, jitter=(0.1,), recoveries=())
SIZES: dict[str, Any] = {"n": 14, "forget": 60, "control": 160, "gap": 4.0}
FEW: dict[str, Any] = {**SIZES, "visible": 0.4}


@pytest.fixture(autouse=True)
def _few_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest p-value of the spared-records test is then 1/200 = α/10, small enough for Holm
    over ten tests."""
    monkeypatch.setattr(memory, "NULL_GROUPS", 199)


def decided(arms: Arms, criteria: Criteria = CRITERIA) -> Decision:
    return decide(arms, criteria, 250, 0)


def shown(arms: Arms) -> int:
    """How many forget records show memory, against all retrained runs."""
    O, _, R, H, _ = (arm.margins[EXACT] for arm in arms.judged)
    return len(visible_records(O, stacked(R, H)))


def test_the_finding_counts_the_records_and_refutes_nothing() -> None:
    """Its number is the share of forget records that show memory, of the better world; it passes
    from the floor on, and has no p-value that could refute."""
    plain, stress = arms_with_placebo(0, **FEW), arms_with_placebo(1, **SIZES)
    few, many = shown(plain), shown(stress)
    assert few < 30
    assert many > 50
    for arms, best in ((plain, few), (replace(plain, stress=stress), many)):
        found = visible_finding(arms, CRITERIA)
        assert found.number.value == pytest.approx(best / 60)
        assert found.number.n_records == 60
        assert found.p_refuted == 1
        assert f"Of 60 forget records the influence of {few} is visible" in found.explanation
        assert (f"of {many} where they carry wrong labels" in found.explanation) == (best == many)
        for floor in (best / 60 - 0.001, best / 60 + 0.001):
            passed = visible_finding(arms, CRITERIA.model_copy(update={"visible": floor})).p_passed
            assert passed == (0.0 if floor <= best / 60 else 1.0)


def test_too_few_visible_records_withhold_support_and_nothing_else() -> None:
    """An honest claim with too few of them is inconclusive for that alone, and says so; with no
    floor it is supported for those that are visible, and the sentence says for how many."""
    arms = arms_with_placebo(0, **FEW)
    found, few = decided(arms), shown(arms)
    assert found.verdict.outcome == "inconclusive"
    assert held_up_by_visibility(found)
    [reason] = found.verdict.reasons
    assert reason.startswith(f"visible records: of 60 forget records the influence of {few} is visible,")
    assert "fewer than the 80% that support takes" in reason
    assert found.verdict.runs_needed is None
    without = decided(arms, CRITERIA.model_copy(update={"visible": 0.0}))
    assert without.verdict.outcome == "supported"
    assert f"for the {few} of 60 forget records whose influence is visible:" in without.verdict.sentence, (
        without.verdict.sentence
    )
    assert f"Of the other {60 - few} nothing can be said." in without.verdict.sentence
    assert not held_up_by_visibility(without)


def test_the_stress_world_can_make_up_for_it() -> None:
    """Where nearly all records show memory with wrong labels and none is left there either, the
    claim is supported, and the sentence says in which world they were seen."""
    arms = replace(arms_with_placebo(0, **FEW), stress=arms_with_placebo(1, **SIZES))
    found, many = decided(arms), shown(arms_with_placebo(1, **SIZES))
    assert found.verdict.outcome == "supported", found.verdict
    words = f"for the {many} of 60 forget records whose influence is visible when they carry wrong labels:"
    assert many == 60 or words in found.verdict.sentence
    assert all(control.passed for control in found.controls)


@pytest.mark.parametrize("left", [{"share": 0.5}, {"spared": 8}])
def test_what_is_left_in_the_stress_world_refutes(left: dict[str, Any]) -> None:
    """Memory that only shows there, of all records or of some, is held against the claim by the
    tests of that world."""
    stress = arms_with_placebo(1, **SIZES, **left)
    found = decided(replace(arms_with_placebo(0, **FEW), stress=stress))
    assert found.verdict.outcome == "not_supported"
    refuted = [test for test, f in found.findings.items() if isinstance(f, Ran) and f.result == "refuted"]
    assert refuted
    assert {test.world for test in refuted} == {STRESS}
    assert "spared" not in left or SPARED_IN_STRESS in refuted


def test_only_visibility_leads_to_the_stress_world() -> None:
    """Not where another test is open or refuted, where a control is wrong, or where nothing stands
    in the way at all."""
    cases = {
        "open": arms_with_placebo(0, **{**FEW, "n": 4}),
        "refuted": arms_with_placebo(0, **FEW, share=0.6),
        "control": arms_with_placebo(0, **FEW, share=0.6, brings=0.6),
        "nothing": arms_with_placebo(0, **SIZES),
    }
    outcomes = {}
    for name, arms in cases.items():
        found = decided(arms)
        outcomes[name] = found.verdict.outcome
        assert not held_up_by_visibility(found), name
    assert outcomes == {
        "open": "inconclusive",
        "refuted": "not_supported",
        "control": "inconclusive",
        "nothing": "supported",
    }


def test_tests_of_the_stress_world_look_at_its_arms() -> None:
    """Their numbers are those of the same tests on its arms by themselves; where the world was not
    looked at they are skipped and say so."""
    plain, stress = arms_with_placebo(0, **FEW), arms_with_placebo(1, **SIZES)
    both = replace(plain, stress=stress)
    test = residual_memory(EXACT, STRESS)
    there, alone = (
        residual_finding(both, test, CRITERIA),
        residual_finding(stress, residual_memory(EXACT), CRITERIA),
    )
    assert there.number == alone.number
    assert there.question.startswith("Forget records with wrong labels: is there as little memory")
    spared_there = spared_finding(both, SPARED_IN_STRESS, CRITERIA, 0)
    assert isinstance(spared_there, Ran)
    assert "null from 199 divisions" in spared_there.number.method
    for skipped in (
        residual_finding(plain, test, CRITERIA),
        spared_finding(plain, SPARED_IN_STRESS, CRITERIA, 0),
    ):
        assert isinstance(skipped, Skipped)


def test_whether_the_stress_world_is_looked_at_makes_no_test_stricter() -> None:
    """Holm's correction is over the tests of both worlds from the first look on, so that a plain
    test is judged alike before and after; without a placebo there is but one world."""
    plain = arms_with_placebo(0, **FEW, share=0.1)
    before = decided(plain).findings
    exact = before[residual_memory(EXACT)]
    assert isinstance(exact, Ran)
    family = len(required_tests(CRITERIA, stress=True))
    p = sorted(f.p_refuted for f in before.values() if isinstance(f, Ran))
    adjusted = sorted(f.p_refuted_holm for f in before.values() if isinstance(f, Ran))
    assert adjusted[0] == pytest.approx(min(1, family * p[0]))
    assert len(p) < family == 10
    alone = decided(plain.claiming(plain.unlearned)).findings
    smallest = min(f.p_refuted for f in alone.values() if isinstance(f, Ran))
    assert min(f.p_refuted_holm for f in alone.values() if isinstance(f, Ran)) == pytest.approx(
        min(1, 7 * smallest)
    )


def test_a_larger_family_refutes_less() -> None:
    """Of three tests one with p = .016 refutes by itself, and not among ten that were planned."""
    tests = {f.test: f for f in [ran(MEMORY, 0.01, 0.9), GOOD[1], gap(0.9, 0.016)]}
    few, many = (judge(tests, (), Level(0.05), family) for family in (0, 10))
    results = [[f.result for f in found.values() if isinstance(f, Ran)] for found in (few, many)]
    assert results == [["passed", "passed", "refuted"], ["passed", "passed", "undecided"]]
    assert judge(tests, (), Level(0.05), 2) == few  # there are three, whatever was planned


def test_a_claim_about_one_run_has_no_floor() -> None:
    """As no stress world can be trained around a finished model, how few records are visible is
    said, and does not withhold support."""
    criteria = CRITERIA.model_copy(update={**ONE_RUN_MARGINS, **WITHOUT_STRESS})
    arms = simulated_arms(0, n=6, gap=0.5)
    found = visible_finding(arms, criteria)
    assert found.number.value is not None
    assert found.number.value < 0.5
    judged = judge(required_findings(arms, criteria, 250, 0), (), Level(0.05))[VISIBLE_RECORDS]
    assert isinstance(judged, Ran)
    assert judged.result == "passed"
    assert np.isfinite(found.number.value)
