from dataclasses import replace

import numpy as np
import pytest

from auditkit.claims.criteria import Criteria
from auditkit.claims.required import required_tests
from auditkit.core.ids import EXACT, RELEARNED, SPARED_RECORDS, TEST_ACCURACY, attack_gap, residual_memory
from auditkit.evidence.numbers import rho_number
from auditkit.evidence.schema import Findings, Ran, Skipped
from auditkit.signals.arms import Arm, Arms
from auditkit.statistics.hypotheses import equivalence, welch
from auditkit.statistics.margins import Margins
from auditkit.statistics.prediction import rho_equivalence
from auditkit.statistics.residual import rho, rho_interval
from auditkit.statistics.spared import spared
from auditkit.verdict import decide
from auditkit.verdict import memory_tests as memory
from auditkit.verdict.required_findings import required_findings
from tests.statistics.simulated_arms import ATTACKS, NEAR, memory_of, simulated_arms

CRITERIA = Criteria(attacks=ATTACKS, jitter=(0.1,), recoveries=())
RHO = residual_memory(EXACT)
MEMORY = (RHO, residual_memory(NEAR), SPARED_RECORDS)


@pytest.fixture(autouse=True)
def _few_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "NULL_GROUPS", 19)


def findings_of(arms: Arms) -> Findings:
    return required_findings(arms, CRITERIA, 250, 0)


def with_margins(arm: Arm, exact: Margins) -> Arm:
    return replace(arm, margins={**arm.margins, EXACT: exact})


def test_every_required_test_is_put_once_and_in_order() -> None:
    """A finding for each query, for spared records, visible ones, each attack and the accuracy, and
    of memory again in the stress world where there is one; none is left out."""
    plain = simulated_arms(0, n=4)
    memory = ["residual memory, exact", "residual memory, jitter 0.1", "spared records"]
    for stress in (None, simulated_arms(1, n=4)):
        found = findings_of(replace(plain, stress=stress))
        required = required_tests(CRITERIA, stress=stress is not None)
        assert list(found) == required == [f.test for f in found.values()]
        assert [str(test) for test in found] == [
            *memory,
            *([f"{name}, in the stress world" for name in memory] if stress else []),
            "visible records",
            "attack gap, loss",
            "attack gap, gap",
            "test accuracy",
        ]


def test_findings_carry_the_numbers_of_the_statistics() -> None:
    """Each finding has the value, interval, p-values and sizes of its own test."""
    arms = simulated_arms(1, n=14, share=0.1, spared=6)
    found = findings_of(arms)
    for query in (EXACT, NEAR):
        left, seen = found[residual_memory(query)], memory_of(arms, query)
        assert isinstance(left, Ran)
        assert (left.number.value, left.number.low, left.number.high) == (
            rho(seen),
            *rho_interval(seen, 0.05),
        )
        test = rho_equivalence(seen, 0.2)
        assert (left.p_passed, left.p_refuted, left.margin) == (test.p_within, test.p_outside, 0.2)
        assert (left.number.n_runs, left.number.n_records, left.number.confidence) == (14, 40, 0.9)

    parts = (arms.original, arms.unlearned, arms.retrained, arms.honest)
    by_hand = spared(*(a.margins[EXACT] for a in parts), groups=19, seed=0, alpha=0.05)
    left_in = found[SPARED_RECORDS]
    assert isinstance(left_in, Ran)
    assert (left_in.number.value, left_in.p_refuted, left_in.p_passed) == (by_hand.T, by_hand.p, None)
    assert left_in.number.n_records == by_hand.visible

    attack = found[attack_gap("gap")]
    assert isinstance(attack, Ran)
    difference = welch(arms.unlearned.scores["gap"].auc(), arms.retrained.scores["gap"].auc())
    gap = equivalence(*difference, 0.03)
    assert (attack.number.value, attack.p_passed, attack.p_refuted) == (
        difference[0],
        gap.p_within,
        gap.p_outside,
    )
    accuracy = found[TEST_ACCURACY]
    assert isinstance(accuracy, Ran)
    assert accuracy.number.value == arms.retrained.accuracy.mean() - arms.unlearned.accuracy.mean()
    assert accuracy.number.n_records == 250


def test_the_accuracy_finding_is_of_the_accuracy_lost() -> None:
    """Its number is retrained minus unlearned accuracy, with Welch's interval around it."""
    arms = simulated_arms(3, n=6, accuracy=0.85)
    lost = findings_of(arms)[TEST_ACCURACY].number
    assert lost is not None
    mean, _, _ = welch(arms.retrained.accuracy, arms.unlearned.accuracy)
    assert lost.value == mean
    assert lost.low is not None
    assert lost.high is not None
    assert 0.04 < lost.low < mean < lost.high < 0.06


def test_only_memory_must_be_informative() -> None:
    """Residual memory and spared records must be informative to support; attacks and accuracy need
    not."""
    needs = {
        test: f.support_needs_informative
        for test, f in findings_of(simulated_arms(0)).items()
        if isinstance(f, Ran)
    }
    assert [test for test, must in needs.items() if must] == list(MEMORY)


def test_without_memory_the_power_gate_is_closed() -> None:
    """Where the original runs remember nothing, memory is skipped, the verdict is inconclusive, and
    no runs are promised."""
    arms = simulated_arms(0, n=6, gap=0.0)
    found = findings_of(arms)
    for query in arms.original.margins:
        gate = found[residual_memory(query)]
        assert isinstance(gate, Skipped)
        assert gate.reason.startswith("the original runs show no measurable memory of the forget records")
        assert gate.number == rho_number(memory_of(arms, query), 0.05)
    verdict = decide(arms, CRITERIA, 250, 0).verdict
    assert (verdict.outcome, verdict.runs_needed) == ("inconclusive", None)


def test_an_arm_that_ranks_control_records_otherwise_is_not_compared() -> None:
    """Unlearned runs below the comparability floor have no residual memory, and no verdict is
    reached."""
    arms = simulated_arms(0, n=6)
    rng = np.random.default_rng(0)
    broken = {
        q: Margins(m.forget, rng.normal(size=m.control.shape)) for q, m in arms.unlearned.margins.items()
    }
    arms = arms.claiming(replace(arms.unlearned, margins=broken))
    found = findings_of(arms)
    for test in MEMORY:
        skipped = found[test]
        assert isinstance(skipped, Skipped)
        assert "rank control records too differently" in skipped.reason
        assert (skipped.number is None) == (test == SPARED_RECORDS)
    assert decide(arms, CRITERIA, 250, 0).verdict.outcome == "inconclusive"


def test_a_control_carries_the_residual_memory_of_its_own_arm() -> None:
    """The honest control has the number of the honest arm, the no-op that of the original one, and
    shuffled labels one of their own."""
    arms = simulated_arms(1, n=8, share=0.5)
    honest, noop, shuffled = decide(arms, CRITERIA, 250, 3).controls
    for control, judged in (
        (honest, arms.claiming(arms.honest)),
        (noop, arms.claiming(arms.original)),
        (shuffled, arms.shuffled(3)),
    ):
        seen = memory_of(judged)
        assert control.rho is not None
        limits = rho_interval(seen, 0.05)
        assert (control.rho.value, control.rho.low, control.rho.high) == (rho(seen), *limits)


def test_an_attack_that_could_not_be_mounted_is_skipped() -> None:
    """A skipped attack has its reason in the finding, and stands in the way of support."""
    arms = replace(simulated_arms(0), skipped={"gap": "nobody home"})
    attack = findings_of(arms)[attack_gap("gap")]
    assert isinstance(attack, Skipped)
    assert attack.reason == "nobody home"
    verdict = decide(arms, CRITERIA, 250, 0).verdict
    assert verdict.outcome == "inconclusive"
    assert "attack gap, gap: not decided, because nobody home." in verdict.reasons


def test_an_audit_is_a_function_of_its_arms_and_seed() -> None:
    """The same arms and seed give the same findings, controls and verdict."""
    one, again = (decide(simulated_arms(2, n=4), CRITERIA, 250, 7) for _ in range(2))
    assert one == again


def test_temperature_of_an_arm_changes_no_memory() -> None:
    """All logits of the unlearned runs times 10 change neither residual memory nor the spared
    records."""
    arms = simulated_arms(3, n=5, share=0.3)
    hot = {q: Margins(10 * m.forget, 10 * m.control) for q, m in arms.unlearned.margins.items()}
    before, after = findings_of(arms), findings_of(arms.claiming(replace(arms.unlearned, margins=hot)))
    for test in MEMORY:
        one, other = before[test], after[test]
        assert isinstance(one, Ran)
        assert isinstance(other, Ran)
        assert other.number.value == pytest.approx(one.number.value)
        assert other.p_refuted == pytest.approx(one.p_refuted)


def test_only_inputs_near_the_records_give_a_lookup_filter_away() -> None:
    """Unlearned runs that are like retrained ones at the exact inputs only are refuted by the
    jittered ones."""
    arms = simulated_arms(4)
    filtered = with_margins(arms.original, arms.honest.margins[EXACT])
    decision = decide(arms.claiming(replace(filtered, scores=arms.honest.scores)), CRITERIA, 250, 0)
    results = {test: f.result for test, f in decision.findings.items() if isinstance(f, Ran)}
    assert results[RHO] == "passed"
    assert results[residual_memory(NEAR)] == "refuted"
    assert decision.verdict.outcome == "not_supported"


def test_a_relearned_test_that_cannot_be_run_is_skipped() -> None:
    """Where some compared model could not be fine-tuned, the relearned test is skipped and says
    why: it never passes."""
    criteria = CRITERIA.model_copy(update={"recoveries": ("relearned",)})
    found = required_findings(simulated_arms(0), criteria, 1000, 0)
    assert list(found) == required_tests(criteria)
    relearned = found[residual_memory(RELEARNED)]
    assert isinstance(relearned, Skipped)
    assert relearned.reason == "not every compared model could be changed so and still give finite answers"


def test_relearned_memory_is_a_required_test() -> None:
    """Runs that show nothing when they are asked, and memory once they are reminded, are refuted by
    the relearned test."""
    hidden, shown = simulated_arms(3, n=12), simulated_arms(3, n=12, share=1)

    def reminded(name: str) -> Arm:
        arm: Arm = getattr(hidden, name)
        other: Arm = getattr(shown, name)
        return replace(arm, margins={**arm.margins, RELEARNED: other.margins[EXACT]})

    arms = Arms(reminded("original"), reminded("unlearned"), reminded("retrained"), reminded("honest"), {})
    criteria = CRITERIA.model_copy(update={"recoveries": ("relearned",)})
    found = required_findings(arms, criteria, 1000, 0)
    exact, relearned = found[RHO], found[residual_memory(RELEARNED)]
    assert isinstance(exact, Ran)
    assert isinstance(relearned, Ran)
    assert exact.p_passed is not None
    assert exact.p_passed < 0.05
    assert relearned.p_refuted < 1e-4
