"""Claims drawn from a bank, decided as an audit decides them."""

from dataclasses import replace
from typing import Any

import pytest
from joblib import parallel_config

from auditkit.calibration.trials import trial, trials
from auditkit.claims.criteria import Criteria
from auditkit.core.ids import EXACT, STRESS, residual_memory
from auditkit.evidence.schema import Decision
from auditkit.runs.bank import Bank, Case
from auditkit.signals.arms import Arms
from auditkit.verdict import decision as decision_module
from auditkit.verdict import memory_tests
from tests.statistics.simulated_arms import ATTACKS, arms_with_placebo

CRITERIA = Criteria(jitter=(0.1,), attacks=ATTACKS, recoveries=())
N = 14


@pytest.fixture(autouse=True)
def _few_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_tests, "NULL_GROUPS", 199)


def bank_of(arms: Arms, **cases: Arms) -> Bank:
    """A bank with the arms' own runs, and cases made from those runs."""
    made = {name: Case(case.unlearned, case.reference) for name, case in cases.items()}
    original, retrained, honest = arms.original, arms.retrained, arms.honest
    return Bank(original, retrained, honest, made, {}, 250, [], {}, variant=arms.variant)


def banks(**left: dict[str, Any]) -> Bank:
    """A bank in whose plain world few records are visible and in whose stress world all are. left:
    case -> what it leaves in the stress world; in the plain one no case leaves anything."""
    sizes: dict[str, Any] = {"n": 20, "forget": 60, "control": 160, "gap": 4.0}
    plain = arms_with_placebo(0, **sizes, visible=0.4)
    stress = arms_with_placebo(1, **sizes)
    there = {name: arms_with_placebo(1, **sizes, **own) for name, own in left.items()}
    return replace(bank_of(plain, **dict.fromkeys(left, plain)), stress=bank_of(stress, **there))


def test_trials_do_not_depend_on_the_number_of_workers() -> None:
    """Three workers find what one finds, claim by claim; a fake that left half of the memory is
    refuted and honest retraining is not, although both are judged by the same call."""
    sizes: dict[str, Any] = {"n": 20, "forget": 60, "control": 120}
    honest, half = arms_with_placebo(4, **sizes), arms_with_placebo(4, **sizes, share=0.5)
    one, wanted = bank_of(honest, exact=honest, half=half), {"exact": 3, "half": 2}
    found = trials(one, wanted, CRITERIA, N, 5)
    with parallel_config(backend="threading"):
        assert trials(one, wanted, CRITERIA, N, 5, jobs=3) == found
    assert [trial.outcome for trial in found["half"]] == ["not_supported"] * 2
    assert all(residual_memory(EXACT) in trial.refuted_by for trial in found["half"])
    assert "not_supported" not in [trial.outcome for trial in found["exact"]]


def test_the_stress_world_is_gone_into_as_an_audit_would(monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim is decided by the plain world first, and by both where nothing but visibility stands
    in the way; a claim that the plain world refutes is not decided again."""
    seen: list[bool] = []
    decide = decision_module.decide

    def noted(arms: Arms, *others: Any, **named: Any) -> Decision:
        seen.append(arms.stress is not None)
        return decide(arms, *others, **named)

    monkeypatch.setattr(decision_module, "decide", noted)
    one = banks(honest={}, half={"share": 0.5})
    found = {case: trial(one, case, CRITERIA, N, 0, 0) for case in ("honest", "half")}
    assert seen == [False, True] * 2
    assert found["honest"].outcome == "supported", found["honest"]
    assert found["half"].outcome == "not_supported"
    assert {test.world for test in found["half"].refuted_by} == {STRESS}

    refuted = arms_with_placebo(0, n=20, forget=60, control=160, gap=4, visible=0.4, share=0.6)
    assert one.stress is not None
    again = replace(one, cases={"half": Case(refuted.unlearned, refuted.reference)})
    seen.clear()
    assert trial(again, "half", CRITERIA, N, 0, 0).outcome == "not_supported"
    assert seen == [False]

    seen.clear()
    alone = trial(replace(one, stress=None), "honest", CRITERIA, N, 0, 0)
    assert (alone.outcome, alone.in_the_way) == ("inconclusive", ("visible records",))
    assert seen == [False]
