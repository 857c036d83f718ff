"""Verdicts on findings built by hand."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from auditkit.claims.criteria import Criteria
from auditkit.core.ids import (
    EXACT,
    SPARED_RECORDS,
    TEST_ACCURACY,
    Jitter,
    TestId,
    attack_gap,
    residual_memory,
)
from auditkit.evidence.schema import (
    Control,
    Finding,
    Findings,
    Number,
    Outcome,
    PrivacySummary,
    Ran,
    Skipped,
    Verdict,
)
from auditkit.statistics.sequential import Level
from auditkit.verdict.controls import NOT_REFUTED, REFUTED, made_control
from auditkit.verdict.decision import verdict
from auditkit.verdict.difference_tests import privacy_finding
from auditkit.verdict.judging import blocking_reason, conclude, informative_nowhere, judge

CRITERIA = Criteria()
LEVEL = Level(0.05)
MEMORY, NEAR, GAP = residual_memory(EXACT), residual_memory(Jitter(0.1)), attack_gap("loss")


def number(value: float | None, low: float | None, high: float | None, runs: int = 6) -> Number:
    return Number(value, low, high, 0.9, runs, 40, "made up", "nowhere")


def ran(
    test: TestId,
    p_passed: float | None,
    p_refuted: float,
    *,
    value: Number | None = None,
    margin: float | None = 0.2,
    needs: bool = True,
) -> Ran:
    return Ran(
        test=test,
        question="?",
        number=value or number(0.02, -0.1, 0.14),
        margin=margin,
        two_sided=test != TEST_ACCURACY,
        p_passed=p_passed,
        p_refuted=p_refuted,
        p_refuted_holm=1.0,
        result="undecided",
        informative=True,
        support_needs_informative=needs,
        explanation="",
    )


def spared(p: float) -> Ran:
    return ran(SPARED_RECORDS, None, p, value=number(0.5, None, None), margin=None)


def gap(p_passed: float, p_refuted: float) -> Ran:
    return ran(GAP, p_passed, p_refuted, value=number(0.004, -0.01, 0.018), margin=0.03, needs=False)


SKIPPED = Skipped(NEAR, "?", "nobody looked")
NOOP: list[Finding] = [ran(MEMORY, 1.0, 1e-9), spared(0.002), gap(0.99, 0.01)]
GOOD: list[Finding] = [ran(MEMORY, 0.01, 0.9), spared(0.6), gap(0.001, 1.0)]


REFUTED_SENTENCE = (
    "Not supported: the unlearned runs are not like runs in which the forget records had never been."
)


def known(name: str, found: Outcome, passed: bool) -> Control:
    return Control(name, "?", "not refuted", found.replace("_", " "), found, None, passed)


CONTROLS = [known("honest retrain", "supported", True), known("exchanged labels", "inconclusive", True)]


def by_test(findings: Sequence[Finding]) -> Findings:
    return {finding.test: finding for finding in findings}


def judged_by(findings: Sequence[Finding], noop: Sequence[Finding] = NOOP, level: Level = LEVEL) -> Findings:
    """The findings with their results, where these are the no-op control's."""
    return judge(by_test(findings), informative_nowhere(by_test(noop), level), level)


def decide(
    findings: list[Finding], noop: list[Finding] = NOOP, controls: list[Control] = CONTROLS
) -> Verdict:
    return verdict(judged_by(findings, noop), controls, CRITERIA)


def test_a_supported_claim_word_for_word() -> None:
    """Where every test passes, all are informative and the controls are right, the verdict is
    support."""
    assert decide(GOOD) == Verdict(
        outcome="supported",
        sentence=(
            "Supported: on every required test the unlearned runs are like runs in which the forget records "
            "had never been, residual memory 0.02 (-0.1 to 0.14) against a margin of ±0.2."
        ),
        reasons=("Every required test passed, and every control came out as it must.",),
        margin=0.2,
        confidence=0.9,
        runs_needed=None,
    )


def test_a_refuted_claim_word_for_word() -> None:
    """Where a test is refuted the claim is not supported, with the refutations; what is open
    besides changes nothing and is not said."""
    bad = ran(MEMORY, 1.0, 0.001, value=number(0.61, 0.5, 0.72))
    assert decide([bad, spared(0.04), SKIPPED]) == Verdict(
        outcome="not_supported",
        sentence=REFUTED_SENTENCE,
        reasons=(
            (
                "residual memory, exact: 0.61 (0.5 to 0.72) against a margin of ±0.2 is refuted "
                "(p = 0.002 after Holm's correction)."
            ),
            "spared records: 0.5 is refuted (p = 0.04 after Holm's correction).",
        ),
        margin=0.2,
        confidence=0.9,
        runs_needed=None,
    )


def test_an_inconclusive_audit_word_for_word() -> None:
    """Where a test settles nothing the audit is inconclusive, and says with how many runs it would
    not be."""
    open_question = ran(MEMORY, 0.3, 0.9, value=number(0.1, -0.1, 0.3))
    found = decide([open_question, spared(0.6), gap(0.001, 1.0)])
    assert replace(found, runs_needed=None, further_runs=None, outlook="") == Verdict(
        outcome="inconclusive",
        sentence="Inconclusive: this audit can neither support nor refute the claim.",
        reasons=(
            (
                "residual memory, exact: 0.1 (-0.1 to 0.3) against a margin of ±0.2 reaches across the"
                " margin: the noise between runs leaves it open, and more runs would narrow it."
            ),
        ),
        margin=0.2,
        confidence=0.9,
        runs_needed=None,
    )
    # sd of one run = .2 / 2.015 * sqrt(6) = .243, distance to the margin .1: (2.486 * .243 / .1)^2
    # = 36.5.
    assert found.runs_needed is not None
    assert 37 <= found.runs_needed <= 42
    assert found.further_runs == found.runs_needed - 6
    assert (
        found.outlook
        == f"It would take about {found.runs_needed} runs an arm to decide, {found.further_runs} further"
        " ones, if the truth is what it now seems."
    )


def test_a_failed_control_fails_the_audit_word_for_word() -> None:
    """If a control comes out wrong the audit has failed, whatever the claim's own findings say."""
    failed = [*CONTROLS, known("no-op", "supported", False)]
    bad: list[Finding] = [ran(MEMORY, 1.0, 1e-6), spared(0.6)]
    for findings in (GOOD, bad):
        found = decide(findings, controls=failed)
        assert found.outcome == "inconclusive"
        assert found.sentence == "Inconclusive: the audit itself failed a control, so it decides nothing."
        assert found.reasons[0] == "Control no-op: expected not refuted, found supported. The audit failed."
        assert found.runs_needed is None


def test_a_skipped_test_never_passes() -> None:
    """One skipped test among passed ones is enough to be inconclusive, and more runs are not
    promised to help."""
    found = decide([*GOOD, SKIPPED])
    assert (found.outcome, found.runs_needed) == ("inconclusive", None)
    assert found.reasons == ("residual memory, jitter 0.1: not decided, because nobody looked.",)


@pytest.mark.parametrize("which", [0, 1])
def test_what_a_noop_passes_too_cannot_support(which: int) -> None:
    """Residual memory and spared records block support if the no-op control passes them as well."""
    noop = [*NOOP]
    noop[which] = GOOD[which]
    found = decide(GOOD, noop)
    assert found.outcome == "inconclusive"
    assert found.reasons == (
        (
            f"{GOOD[which].test}: passed, but so does a model from which nothing was removed, so it shows"
            " nothing."
        ),
    )


def test_what_a_noop_passes_too_may_still_refute() -> None:
    """An uninformative test that is refuted refutes all the same."""
    bad: list[Finding] = [ran(MEMORY, 1.0, 1e-6), spared(0.6), gap(0.001, 1.0)]
    assert decide(bad, noop=GOOD).outcome == "not_supported"


def test_an_attack_that_a_noop_passes_too_does_not_block() -> None:
    """An attack need not be informative: a weak attack is no reason against support."""
    assert decide(GOOD, noop=[*NOOP[:2], GOOD[2]]).outcome == "supported"


def test_refutation_is_corrected_for_the_number_of_tests() -> None:
    """Of three tests one with p = .02 refutes nothing, as .06 > .05, and one with p = .016 does."""
    tests: list[Finding] = [ran(MEMORY, 0.01, 0.9), spared(0.6)]
    assert decide([*tests, gap(0.9, 0.02)]).outcome == "inconclusive"
    assert decide([*tests, gap(0.9, 0.016)]).outcome == "not_supported"


def test_spared_records_between_alpha_and_holm_are_undecided() -> None:
    """A test without a margin passes only above α; below it, but not below Holm's bar, it is
    undecided."""
    judged = judged_by([GOOD[0], spared(0.03), GOOD[2]])[SPARED_RECORDS]
    assert isinstance(judged, Ran)
    assert judged.result == "undecided"
    assert judged.p_refuted_holm == pytest.approx(0.09)
    assert decide([GOOD[0], spared(0.03), GOOD[2]]).runs_needed is None


def test_runs_needed_is_the_most_any_open_test_needs() -> None:
    """With several tests open the number of runs is what the hardest of them needs, never fewer
    than there are."""
    easy = ran(MEMORY, 0.06, 0.9, value=number(0.0, -0.21, 0.21))
    hard = ran(NEAR, 0.3, 0.9, value=number(0.15, -0.1, 0.4))
    alone, both = decide([easy, *GOOD[1:]]), decide([easy, hard, *GOOD[1:]])
    assert alone.runs_needed is not None
    assert both.runs_needed is not None
    assert 6 < alone.runs_needed < both.runs_needed
    undefined = ran(NEAR, 0.3, 0.9, value=number(None, None, None))
    assert decide([easy, undefined, *GOOD[1:]]).runs_needed is None
    assert decide([easy, *GOOD[1:], SKIPPED]).runs_needed is None


def test_runs_needed_for_accuracy_looks_at_one_side() -> None:
    """Unlearned runs that seem .01 better than retrained ones are .02 from the margin: a few more
    runs decide."""
    better = ran(TEST_ACCURACY, 0.06, 0.9, value=number(-0.01, -0.032, 0.012), margin=0.01, needs=False)
    needed = decide([*GOOD, better]).runs_needed
    assert needed is not None
    assert needed < 20


def test_controls_are_judged_by_what_they_must_be() -> None:
    """The no-op must be refuted, so an inconclusive no-op fails; the honest arm need only not be
    refuted."""
    judged = judged_by(GOOD)
    refuted = judged_by([ran(MEMORY, 1.0, 1e-9), *GOOD[1:]])
    undecided = judged_by([ran(MEMORY, 0.5, 0.5), *GOOD[1:]])
    for findings, outcome in ((judged, "supported"), (refuted, "not_supported"), (undecided, "inconclusive")):
        honest = made_control("honest retrain", "?", findings, NOT_REFUTED)
        noop = made_control("no-op", "?", findings, REFUTED)
        assert honest.outcome == noop.outcome == conclude(findings) == outcome
        assert honest.passed == (outcome != "not_supported")
        assert noop.passed == (outcome == "not_supported")
        assert honest.rho == GOOD[0].number
    skipped = made_control("no-op", "?", by_test([replace(SKIPPED, test=MEMORY)]), REFUTED)
    assert (skipped.rho, skipped.passed, skipped.found) == (None, False, "inconclusive")


def test_only_what_stands_in_the_way_is_an_obstacle() -> None:
    """A passed, informative test is no obstacle, and every undecided or skipped one is."""
    assert [blocking_reason(f) for f in judged_by(GOOD).values()] == [None, None, None]
    assert blocking_reason(SKIPPED) is not None
    assert blocking_reason(judged_by([gap(0.06, 0.9)])[GAP]) is not None


def test_the_order_of_findings_changes_no_answer() -> None:
    """Judging findings in another order gives each the same result and p-value."""
    rng = np.random.default_rng(0)
    findings: list[Finding] = [
        ran(attack_gap(str(i)), float(rng.random()), float(rng.random() ** 4)) for i in range(6)
    ]
    order = rng.permutation(6)
    judged = judged_by(findings, noop=[])
    other = judged_by([findings[i] for i in order], noop=[])
    assert list(other.values()) == [judged[findings[i].test] for i in order]


def private(bound: float, p: float) -> Ran:
    found = Number(bound, bound, None, 0.95, 1, 500, "made up", "nowhere")
    summary = PrivacySummary(2.0, 1e-5, 0.0, None, found, 4.18, 500, 200, 199, p, 0.8, "?")
    return privacy_finding(summary)


def test_a_claim_of_differential_privacy_is_never_supported() -> None:
    """However little the canaries give away, such a claim is inconclusive where all else passes,
    and more runs would not help."""
    found = decide([*GOOD, private(0.0, 1.0)])
    assert found.outcome == "inconclusive"
    assert found.reasons == (
        (
            "differential privacy: 0 against a margin of 2 refutes nothing, and a lower bound of epsilon can"
            " never support a claim."
        ),
    )
    assert found.runs_needed is None


def test_a_broken_claim_of_differential_privacy_is_refuted_for_what_it_is() -> None:
    """Where the canaries alone refute, the sentence speaks of training; where memory refutes too,
    of the models."""
    found = decide([*GOOD, private(3.72, 3e-4)])
    assert found.outcome == "not_supported"
    assert found.sentence == "Not supported: training gives away more than the claimed epsilon allows."
    assert found.reasons == (
        "differential privacy: 3.72 against a margin of 2 is refuted (p = 0.0012 after Holm's correction).",
    )
    both = decide([ran(MEMORY, 1.0, 1e-6), *GOOD[1:], private(3.72, 3e-4)])
    assert both.sentence == REFUTED_SENTENCE
