"""What an inconclusive audit says would settle it, case by case."""

from dataclasses import replace

import pytest

from auditkit.core.ids import SPARED_RECORDS
from auditkit.evidence.schema import Control, Finding, Skipped
from tests.verdict.test_decision import (
    CONTROLS,
    GOOD,
    MEMORY,
    NOOP,
    decide,
    known,
    number,
    private,
    ran,
    spared,
)

NO_NUMBER = "No number of runs can be promised to decide it: "
UNDECIDED = ran(MEMORY, 0.3, 0.9, value=number(0.1, -0.1, 0.3))
SKIPPED = Skipped(MEMORY, "?", "the original runs show no measurable memory")

CASES: dict[str, tuple[list[Finding], list[Finding], list[Control], str]] = {
    "a required test was skipped": (
        [UNDECIDED, *GOOD[1:], replace(SKIPPED, test=SPARED_RECORDS)],
        NOOP,
        CONTROLS,
        f"{NO_NUMBER}spared records could not be run, which more runs need not change.",
    ),
    "the power gate was closed": (
        [SKIPPED, *GOOD[1:]],
        NOOP,
        CONTROLS,
        f"{NO_NUMBER}residual memory, exact could not be run, which more runs need not change.",
    ),
    "spared records are suspicious": (
        [GOOD[0], spared(0.03), GOOD[2]],
        NOOP,
        CONTROLS,
        f"{NO_NUMBER}how many would settle spared records cannot be computed.",
    ),
    "a test has no value": (
        [ran(MEMORY, 0.3, 0.9, value=number(None, None, None)), *GOOD[1:]],
        NOOP,
        CONTROLS,
        f"{NO_NUMBER}how many would settle residual memory, exact cannot be computed.",
    ),
    "a passed test is uninformative": (
        GOOD,
        [GOOD[0], *NOOP[1:]],
        CONTROLS,
        f"{NO_NUMBER}residual memory, exact shows nothing, which more runs need not change.",
    ),
    "the truth seems to lie on the margin": (
        [ran(MEMORY, 0.5, 0.9, value=number(0.2, 0.1, 0.3)), *GOOD[1:]],
        NOOP,
        CONTROLS,
        (
            f"{NO_NUMBER}residual memory, exact seems to lie on the margin, and more than 10,000 runs an arm"
            " would be needed."
        ),
    ),
    "privacy is claimed": (
        [*GOOD, private(0.0, 1.0)],
        NOOP,
        CONTROLS,
        f"{NO_NUMBER}differential privacy can be refuted and never shown.",
    ),
    "several things stand in the way": (
        [SKIPPED, spared(0.03), GOOD[2]],
        NOOP,
        CONTROLS,
        (
            f"{NO_NUMBER}residual memory, exact could not be run, which more runs need not change; how many"
            " would settle spared records cannot be computed."
        ),
    ),
    "the honest control was refuted": (
        GOOD,
        NOOP,
        [known("honest retrain", "not_supported", False)],
        "No number of runs is a remedy while the audit gets a control wrong.",
    ),
    "the no-op was not refuted": (
        [UNDECIDED, *GOOD[1:]],
        NOOP,
        [*CONTROLS, known("no-op", "inconclusive", False)],
        (
            "These runs were not enough to refute even models that forgot nothing; more runs may be, if the"
            " forget records are remembered at all."
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_where_no_number_can_be_promised_the_verdict_says_why(case: str) -> None:
    """An inconclusive verdict that more runs need not decide gives no number, and says why, in
    these words."""
    findings, noop, controls, outlook = CASES[case]
    found = decide(findings, noop, controls)
    assert (found.outcome, found.runs_needed, found.further_runs) == ("inconclusive", None, None)
    assert found.outlook == outlook


def test_a_verdict_that_decides_has_no_outlook() -> None:
    """Support and refutation say nothing of further runs."""
    assert decide(GOOD).outlook == decide([ran(MEMORY, 1.0, 0.001), *GOOD[1:]]).outlook == ""
