"""The evidence as a whole: every number in its place, and there alone."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from auditkit.attacks.battery import run_battery
from auditkit.core.canonical import canonical, salted, to_plain
from auditkit.core.ids import COMPARED, HONEST, RELEARNED, TestId, attack_gap
from auditkit.evidence.agreement_numbers import attack_agreement
from auditkit.evidence.assemble import build_attacked, bundle_arrays
from auditkit.evidence.schema import Evidence
from auditkit.signals.arms import Arms
from auditkit.statistics.margins import Floats
from auditkit.verdict import memory_tests
from tests.evidence.made_audits import CRITERIA, attacked_of, audit_of
from tests.signals.answers import RUNS, example
from tests.statistics.simulated_arms import arms_with_placebo, simulated_arms

NUMBER = {"value", "low", "high", "confidence", "n_runs", "n_records", "method", "source"}
CLAIMED_STATE = "states/1/"
"""Where the claimed state of a procedure stands in the evidence made here: the table of states
shows it beside the others, so that its residual memory and test accuracy stand there once more."""
PLACEBO_DRIFT = "drift/against_retrained/0/placebo/"
"""Where the placebo stands against retrained runs: its control shows that number once more."""
CASES = {
    "a procedure that forgets": {},
    "a procedure that does not": {"share": 0.6},
    "nothing to remember": {"gap": 0.0},
    "one model": {},
    "a procedure with a placebo": {},
}


@pytest.fixture(autouse=True)
def _few_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_tests, "NULL_GROUPS", 119)


def simulated(case: str) -> Arms:
    if case == "a procedure with a placebo":
        return arms_with_placebo(2, n=8, forget=60, control=120)
    arms = simulated_arms(2, n=8, forget=60, control=120, **CASES[case])  # type: ignore[arg-type]
    return arms.claiming(arms.unlearned.take(np.array([0]))) if case == "one model" else arms


@lru_cache
def evidence_of(case: str) -> Evidence:
    return audit_of(simulated(case), one_model=case == "one model")


def numbers(plain: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every number in evidence.json, and where it stands."""
    if isinstance(plain, dict) and set(plain) == NUMBER:
        yield where, plain
    elif isinstance(plain, dict | list):
        for key, part in plain.items() if isinstance(plain, dict) else enumerate(plain):
            yield from numbers(part, f"{where}{key}/")


@pytest.mark.parametrize("case", CASES)
def test_no_interval_stands_twice(case: str) -> None:
    """No number with an interval is in the evidence twice, but for the claimed state in the table
    of states and the placebo in that of drift. True-positive rates at a threshold are left out:
    they are counts of a few records, and coincide between attacks."""
    places: dict[bytes, list[str]] = defaultdict(list)
    for where, n in numbers(to_plain(evidence_of(case))):
        with_interval = n["low"] is not None or n["high"] is not None
        again = where.startswith((CLAIMED_STATE, PLACEBO_DRIFT))
        if with_interval and not again and "/points/" not in where:
            places[canonical(n)].append(where)
    assert len(places) > 40
    assert [stands for stands in places.values() if len(stands) > 1] == []


@pytest.mark.parametrize("case", CASES)
def test_the_number_of_a_finding_stands_nowhere_else(case: str) -> None:
    """The number of each required test, of a skipped one too, is carried by its finding alone, but
    for the claimed state in the table of states."""
    plain = to_plain(evidence_of(case))
    carried = {where: n for where, n in numbers(plain) if where.startswith("findings/")}
    assert len(carried) == len([f for f in plain["findings"] if f["number"] is not None]) > 2
    others = [(where, n) for where, n in numbers(plain) if not where.startswith("findings/")]
    for finding, n in carried.items():
        values = [n[part] for part in ("value", "low", "high")]
        again = [
            where for where, other in others if [other[part] for part in ("value", "low", "high")] == values
        ]
        assert n["value"] is None or all(where.startswith(CLAIMED_STATE) for where in again), (finding, again)


def test_the_claimed_state_repeats_what_its_findings_say() -> None:
    """What stands twice is the same number: residual memory of the claimed state is that of the
    finding, to the last bit."""
    plain = to_plain(evidence_of("a procedure that forgets"))
    assert plain["states"][1]["claimed"]
    assert plain["states"][1]["rho"] == plain["findings"][0]["number"]


def test_the_control_of_the_placebo_repeats_its_drift() -> None:
    """Whether the placebo remembers is asked of the number that its drift is shown by."""
    plain = to_plain(evidence_of("a procedure with a placebo"))
    [control] = [control for control in plain["controls"] if control["name"] == "placebo"]
    assert control["rho"] == plain["drift"]["against_retrained"][0]["placebo"]


def test_what_is_no_required_test_has_its_number_in_the_summaries() -> None:
    """The gap of a reported attack and the memory of a reported recovery stand in their rows; those
    of required tests are left to the findings, so that each is somewhere."""
    evidence = evidence_of("a procedure that forgets")
    required = {finding.test for finding in evidence.findings}
    assert {row.name for row in evidence.attacks} == {"loss", "gap", "entropy", "u-lira"}
    for row in evidence.attacks:
        assert (row.gap is None) == (attack_gap(row.name) in required)
    assert [(line.by, line.rho is None) for line in evidence.residual_memory.recovered] == [
        (RELEARNED.by, True),
        ("probe", False),
    ]
    assert all(finding.number is not None for finding in evidence.findings)


def test_findings_are_looked_up_by_their_test() -> None:
    """Each finding is written under the test it answers, in the order in which tests are required,
    and read back by it."""
    evidence = evidence_of("a procedure that does not")
    written = json.loads(canonical(evidence))["findings"]
    assert [finding["test"] for finding in written] == [str(f.test) for f in evidence.findings]
    by_test: dict[str, Any] = {finding["test"]: finding for finding in written}
    assert len(by_test) == len(written)
    for finding in evidence.findings:
        assert isinstance(finding.test, TestId)
        assert by_test[str(finding.test)]["number"] == to_plain(finding.number)


def test_the_evidence_holds_what_was_decided() -> None:
    """Outcome, controls and looks are those of the decision, whatever else is said beside it."""
    evidence = evidence_of("a procedure that does not")
    assert evidence.schema == 2
    assert evidence.verdict.outcome == "not_supported"
    assert [control.name for control in evidence.controls] == ["honest retrain", "no-op", "exchanged labels"]
    assert [(look.runs, look.level, look.outcome) for look in evidence.looks] == [(8, 0.05, "not_supported")]
    assert [arm.arm for arm in evidence.arms] == list(COMPARED)
    assert (evidence.privacy, evidence.interface, evidence.swap) == (None, None, ())


def test_the_same_audit_gives_the_same_bytes() -> None:
    """Evidence is a function of the answers."""
    one, again = (canonical(evidence_of.__wrapped__("a procedure that forgets")) for _ in range(2))
    assert one == again


def test_what_is_kept_holds_scores_and_margins_of_forget_and_control_only() -> None:
    """The arrays kept for `verify` are margins, scores, accuracies and salted ids: never logits,
    never other records."""
    measured = example()
    found = build_attacked(measured, run_battery(measured.signals, ["loss"], measured.sets))
    kept = bundle_arrays(found, b"key", 0.05)
    assert kept["forget_ids"].tolist() == [salted(b"key", f"r{i}") for i in range(4, 8)]
    assert kept["control_ids"].tolist() == [salted(b"key", f"r{i}") for i in range(8, 12)]
    values: dict[str, Floats] = {
        k: np.asarray(v, dtype=np.float64) for k, v in kept.items() if "ids" not in k
    }
    assert {k.split("/")[0] for k in values} == {str(arm) for arm in COMPARED}
    assert all(v.shape in ((RUNS,), (RUNS, 4), (4,)) for v in values.values())
    assert np.array_equal(values["honest/attack/loss/forget"], found.battery.scores["loss"][HONEST].forget)


def test_what_is_kept_says_how_many_attacks_find_each_forget_record() -> None:
    """Beside the arms stands, of each that is shown, how many attacks find each record."""
    found = attacked_of(simulated("a procedure that does not"))
    kept, by_arm = bundle_arrays(found, b"key", 0.05), attack_agreement(found.battery.scores)
    assert len(by_arm) == 3
    for arm, agreement in by_arm.items():
        assert kept[f"{arm}/found by/forget"].tolist() == agreement.found.tolist()
    assert "honest/found by/forget" not in kept


def test_a_record_that_was_not_asked_about_is_kept_as_such() -> None:
    """The arms that are judged leave out records without a score; what is kept has them, as NaN."""
    found = attacked_of(simulated("a procedure that forgets"))
    honest = found.battery.scores["loss"][HONEST]
    honest.forget[:, 1] = np.nan
    again = build_attacked(found.measured, replace(found.battery, skipped={}))
    assert again.arms.honest.scores["loss"].forget.shape[1] == honest.forget.shape[1] - 1
    assert np.isnan(
        np.asarray(bundle_arrays(again, b"", 0.05)["honest/attack/loss/forget"], float)[:, 1]
    ).all()
    assert CRITERIA.attacks[0] == "loss"
