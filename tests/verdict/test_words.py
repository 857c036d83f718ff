"""The words of a verdict: what left a test open, and what little is left."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from auditkit.claims.criteria import Criteria
from auditkit.core.ids import (
    EXACT,
    RELEARNED,
    STRESS,
    TEST_ACCURACY,
    VISIBLE_RECORDS,
    Jitter,
    residual_memory,
)
from auditkit.evidence.numbers import mean_number
from auditkit.evidence.schema import Findings, Interval, Number, Ran
from auditkit.verdict.judging import undecided_because
from auditkit.verdict.sentences import left_within, p_positive, sentence, visible_words
from tests.verdict.test_decision import GOOD, MEMORY, by_test, judged_by, number, ran

ACROSS, BEYOND = number(0.2, 0.1, 0.3), number(0.5, 0.4, 0.6)


def test_what_left_a_test_open_is_said_with_what_would_help() -> None:
    """The noise between runs, that of records, or the number of tests; more test records help where
    accuracy is asked about."""
    across = ran(MEMORY, 0.3, 0.9, value=ACROSS)
    assert undecided_because(across).endswith("leaves it open, and more runs would narrow it")
    accuracy = replace(ran(TEST_ACCURACY, 0.3, 0.9, value=ACROSS), two_sided=False)
    assert undecided_because(accuracy).endswith("more runs or more test records would narrow it")
    beyond = ran(MEMORY, 0.9, 0.04, value=BEYOND)
    assert "not far enough to refute (p = 0.04, and 1 after Holm's correction)" in undecided_because(beyond)
    records = undecided_because(replace(beyond, refuting=Interval(0.1, 0.9)))
    assert "over runs and records it is 0.1 to 0.9" in records
    assert "more forget and control records would narrow that, more runs hardly" in records
    below = ran(MEMORY, 0.9, 0.04, value=number(-0.5, -0.6, -0.4))
    assert undecided_because(below) == undecided_because(beyond)
    one_sided = undecided_because(replace(accuracy, number=below.number))
    assert one_sided.startswith("reaches across the margin")
    unknown = ran(MEMORY, 0.9, 0.04, value=number(None, None, None))
    assert undecided_because(unknown) == "does not settle on which side of the margin the truth lies"


def test_the_p_value_of_a_number_is_that_of_the_runs_behind_it() -> None:
    """From an interval alone comes the p-value of the one-sided t-test of the same values."""
    for seed in range(5):
        values = np.random.default_rng(seed).normal(0.3, 1, 9)
        found = p_positive(mean_number(values, 10, 0.05, "made up"))
        assert found == pytest.approx(stats.ttest_1samp(values, 0, alternative="greater").pvalue)
    assert p_positive(number(None, None, None)) == 1


def passed_memory(*values: Number) -> Findings:
    """Passed tests of residual memory with these numbers, and others."""
    tests = (residual_memory(EXACT), residual_memory(Jitter(1)), residual_memory(EXACT, STRESS))
    memory = [ran(test, 0.001, 0.9, value=value) for test, value in zip(tests, values, strict=False)]
    return judged_by([*memory, *GOOD[1:]])


def test_little_is_not_none() -> None:
    """A passed test that shows memory beyond doubt among those of memory is named, in the sentence
    and by itself; one interval that lies above zero by chance is not."""
    clear, doubtful, none = number(0.12, 0.1, 0.14), number(0.08, 0.01, 0.15), number(0.0, -0.1, 0.1)
    assert left_within(passed_memory(clear, none, none), 0.05) == [residual_memory(EXACT)]
    assert left_within(passed_memory(none, doubtful, none), 0.05) == []
    assert left_within(passed_memory(doubtful), 0.05) == [residual_memory(EXACT)]
    words = "Some memory is left, within the margin."
    assert words in sentence("supported", passed_memory(clear, none), [], 0.05)
    assert words not in sentence("supported", passed_memory(none, none), [], 0.05)


@pytest.mark.parametrize("stress", [False, True])
def test_a_supported_sentence_says_of_how_many_records(stress: bool) -> None:
    """Of those that are visible, and in which world; of all there is nothing to be said."""
    seen = replace(number(0.25, None, None), n_records=40)
    visible = ran(VISIBLE_RECORDS, 0.0, 1.0, value=seen, margin=0.2, needs=False)
    memory = [ran(residual_memory(EXACT, STRESS), 0.001, 0.9)] if stress else []
    findings = judged_by([*GOOD, *memory, visible])
    of, rest = visible_words(findings)
    where = " when they carry wrong labels" if stress else ""
    assert of == f" for the 10 of 40 forget records whose influence is visible{where}"
    assert rest == " Of the other 30 nothing can be said."
    said = sentence("supported", findings, [], 0.05)
    assert said.startswith(f"Supported{of}: on every required test")
    assert said.endswith(rest)
    every = replace(visible, number=replace(seen, value=1.0))
    assert visible_words(by_test([*GOOD, every])) == ("", "")
    assert visible_words(by_test(GOOD)) == ("", "")
    assert Criteria().visible == 0.8
    assert isinstance(findings[VISIBLE_RECORDS], Ran)
    assert residual_memory(RELEARNED) not in findings
