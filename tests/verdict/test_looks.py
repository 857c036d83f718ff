"""Verdicts at a look: which tests go by the look's level, and which by the whole of alpha."""

from dataclasses import replace

import pytest

from auditkit.claims.criteria import Criteria
from auditkit.core.ids import SPARED_RECORDS, VISIBLE_RECORDS
from auditkit.evidence.schema import Finding, Findings, Ran, Skipped
from auditkit.statistics.power import POWER
from auditkit.statistics.sequential import Level
from auditkit.verdict import decide, record_look
from auditkit.verdict import memory_tests as memory
from auditkit.verdict.memory_tests import spared_finding
from auditkit.verdict.required_findings import required_findings
from tests.statistics.simulated_arms import ATTACKS, simulated_arms
from tests.verdict.test_decision import GOOD, MEMORY, NOOP, gap, judged_by, ran, spared

QUARTER = Level(0.05, 0.25)
CRITERIA = Criteria(attacks=ATTACKS, jitter=(0.1,), recoveries=())


def results(findings: Findings) -> list[str]:
    return [f.result if isinstance(f, Ran) else "skipped" for f in findings.values()]


def test_a_look_passes_and_refutes_at_its_own_level() -> None:
    """What passes, or is refuted, at alpha is undecided at a look that spends a quarter of it."""
    tests: list[Finding] = [ran(MEMORY, 0.03, 0.9), spared(0.6), gap(0.9, 0.01)]
    assert results(judged_by(tests, NOOP)) == ["passed", "passed", "refuted"]
    assert results(judged_by(tests, NOOP, QUARTER)) == ["undecided", "passed", "undecided"]
    tests = [ran(MEMORY, 0.012, 0.9), spared(0.6), gap(0.9, 0.004)]
    assert results(judged_by(tests, NOOP, QUARTER)) == ["passed", "passed", "refuted"]


def test_spared_records_pass_no_easier_at_a_look() -> None:
    """A test that passes by finding nothing must find nothing at the whole of alpha, however strict
    the look."""
    tests: list[Finding] = [GOOD[0], spared(0.03), GOOD[2]]
    assert results(judged_by(tests, NOOP, QUARTER))[1] == "undecided"


def test_a_test_is_no_more_informative_for_a_strict_look() -> None:
    """What the no-op passes at the whole of alpha is uninformative at every look."""
    noop: list[Finding] = [ran(MEMORY, 0.03, 0.9), *NOOP[1:]]
    for share in (1.0, 0.25):
        judged = judged_by([ran(MEMORY, 0.001, 0.9), *GOOD[1:]], noop, Level(0.05, share))[MEMORY]
        assert isinstance(judged, Ran)
        assert not judged.informative


def test_spared_records_are_sought_harder_at_an_early_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chance to miss spared records is spent like alpha, and the null has groups for the
    stricter level."""
    monkeypatch.setattr(memory, "NULL_GROUPS", 19)
    arms = simulated_arms(3, n=6, forget=60, gap=2.5)
    whole, early = (spared_finding(arms, SPARED_RECORDS, CRITERIA, 0, share) for share in (1.0, 0.25))
    assert isinstance(whole, Ran)
    power = float(whole.explanation.partition(". ")[0].rsplit(" ", 1)[1])
    assert POWER <= power < 1 - 0.25 * (1 - POWER)
    assert isinstance(early, Skipped)
    assert f"with probability {power:.2g}" in early.reason
    seen = spared_finding(arms.claiming(arms.original), SPARED_RECORDS, CRITERIA, 0, 0.25)
    assert isinstance(seen, Ran)
    assert "null from 79 divisions" in seen.number.method


def test_intervals_are_of_the_level_of_the_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a look that spends a quarter of alpha .05 intervals are of level .975."""
    monkeypatch.setattr(memory, "NULL_GROUPS", 19)
    found = required_findings(simulated_arms(0, n=6), CRITERIA, 250, 0, 0.25)
    numbers = [f.number for test, f in found.items() if isinstance(f, Ran) and test != VISIBLE_RECORDS]
    assert {number.confidence for number in numbers if number.low is not None} == {0.975}
    assert len(numbers) >= len(found) - 2  # spared records may be skipped


def test_a_look_keeps_its_outcome_and_the_controls_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the decision at a look the evidence keeps the runs, the level, the outcome, and which
    controls were wrong."""
    monkeypatch.setattr(memory, "NULL_GROUPS", 119)
    arms = simulated_arms(1, n=12, gap=4)
    decision = decide(arms.claiming(arms.original), CRITERIA, 250, 0, share=0.5)
    look = record_look(decision, 12, 0.025)
    assert (look.runs, look.level, look.outcome, look.failed) == (12, 0.025, "not_supported", ())
    honest, *others = decision.controls
    failed = replace(decision, controls=(replace(honest, passed=False), *others))
    wrong = record_look(failed, 12, 0.025)
    assert wrong.failed == ("honest retrain",)
