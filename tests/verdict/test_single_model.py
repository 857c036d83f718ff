"""Verdicts on one run, where the truth is known by construction."""

import numpy as np

from auditkit.claims.criteria import ONE_RUN_MARGINS, WITHOUT_STRESS, Criteria
from auditkit.evidence.schema import Ran
from auditkit.signals.arms import Arm, Arms
from auditkit.statistics.sequential import Level
from auditkit.verdict import decide_single_model
from auditkit.verdict.controls import RHO
from auditkit.verdict.judging import conclude, judge, refuted_tests
from auditkit.verdict.required_findings import required_findings
from tests.statistics.simulated_arms import simulated_arms

CRITERIA = Criteria(attacks=("loss",), jitter=(0.1,), recoveries=(), **ONE_RUN_MARGINS, **WITHOUT_STRESS)  # type: ignore[arg-type]
N = 12
LEVEL = Level(0.05)


def first(arm: Arm) -> Arm:
    return arm.take(np.array([0]))


def made(seed: int, share: float = 0.0, n: int = N) -> Arms:
    """An audit of one run with this share of the memory left."""
    arms = simulated_arms(seed, n=n, forget=80, control=160, gap=4, share=share)
    return arms.claiming(first(arms.unlearned))


def test_one_honest_run_is_seldom_refuted_and_mostly_supported() -> None:
    """Of single retrained runs at most α are refuted by any test after Holm, and most pass every
    test."""
    audits = 50
    found = [
        conclude(judge(required_findings(made(seed), CRITERIA, 250, 0), (), LEVEL)) for seed in range(audits)
    ]
    assert found.count("not_supported") <= 0.05 * audits + 3 * np.sqrt(0.05 * 0.95 * audits)
    assert found.count("supported") >= 0.8 * audits


def test_one_original_run_is_refuted() -> None:
    """Single runs from which nothing was removed are refuted in every audit."""
    for seed in range(6):
        arms = made(seed, share=1.0)
        assert conclude(judge(required_findings(arms, CRITERIA, 250, 0), (), LEVEL)) == "not_supported"


def test_the_whole_decision_on_an_honest_run() -> None:
    """Support says that it is weaker than of a procedure; each control judged every run of its arm,
    and is right."""
    decision = decide_single_model(made(2), CRITERIA, 250, 0)
    controls, verdict = decision.controls, decision.verdict
    assert verdict.outcome == "supported", verdict
    assert verdict.sentence.startswith("Supported, as far as a single model can be")
    assert "for the 78 of 80 forget records whose influence is visible" in verdict.sentence
    assert "at most 0.5 of the" in verdict.sentence
    assert verdict.sentence.endswith("Of the other 2 nothing can be said.")
    assert (verdict.margin, verdict.runs_needed) == (0.5, None)
    assert [(c.name, c.expected, c.passed) for c in controls] == [
        ("honest retrain", "at most 3 of 12 refuted", True),
        ("no-op", "at least 6 of 12 refuted, 0 supported", True),
        ("exchanged labels", "at most 3 of 12 refuted", True),
    ]
    assert controls[1].found == "12 of 12 refuted, 0 supported"
    exact = decision.findings[RHO]
    assert isinstance(exact, Ran)
    assert (
        exact.number.method
        == "cross-fitted residual memory of one run, prediction interval against the retrained runs"
    )


def test_the_whole_decision_on_a_run_that_forgot_nothing() -> None:
    """The sentence speaks of the one model, and residual memory is among what refutes it."""
    decision = decide_single_model(made(3, share=1.0), CRITERIA, 250, 0)
    assert decision.verdict.outcome == "not_supported"
    assert (
        decision.verdict.sentence
        == "Not supported: this model is not like models retrained without the forget records."
    )
    assert RHO in refuted_tests(decision.findings)


def test_an_audit_that_cannot_tell_says_that_it_failed() -> None:
    """Where originals remember nothing, the no-op control comes out wrong and nothing is
    decided."""
    arms = simulated_arms(0, n=6, gap=0.0)
    decision = decide_single_model(arms.claiming(first(arms.unlearned)), CRITERIA, 250, 0)
    assert decision.verdict.outcome == "inconclusive"
    assert [c.name for c in decision.controls if not c.passed] == ["no-op"]
    assert decision.verdict.runs_needed is None
