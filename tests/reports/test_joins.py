"""A number is looked up by its test: one that was skipped, and one that others share by chance."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from html import unescape
from typing import Any

import pytest

from auditkit.core.ids import EXACT, RELEARNED, Jitter, TestId, attack_gap, residual_memory
from auditkit.evidence.schema import Evidence, Finding, Number, Ran, Result, Skipped
from auditkit.reports import joins, render
from tests.reports import sample

REASON = "the runs are copies of one run"
*_, GAP, ACCURACY = sample.FINDINGS
MEMORY_TESTS = [residual_memory(query) for query in (EXACT, Jitter(0.1), Jitter(0.3))]


def with_findings(change: Callable[[Ran], Finding], evidence: Evidence = sample.SUPPORTED) -> Evidence:
    """The evidence with every finding of the sample changed."""
    return replace(evidence, findings=tuple(map(change, sample.FINDINGS)))


def skipped(finding: Ran, *, with_number: bool) -> Skipped:
    """A finding as it is where its test could not be run."""
    return Skipped(finding.test, finding.question, REASON, finding.number if with_number else None)


def page_of(evidence: Evidence) -> str:
    """The page of some evidence, as a reader sees its characters."""
    return unescape(render(sample.as_json(evidence), sample.RUN).html)


def caption(page: str) -> str:
    """What stands under the figure of residual memory."""
    return page.split("<figcaption>The share of memory")[1].split("</figcaption>")[0]


def cells(page: str, table: str) -> dict[str, str]:
    """The rows of a table: heading of the row -> its first cell."""
    text = page.split(f"<caption>{table}")[1].split("</table>")[0]
    rows = re.findall(r'<th scope="row">(.*?)</th><td class="n">(.*?)</td>', text)
    return {heading: cell for heading, cell in rows}


def plain(evidence: Evidence) -> Mapping[str, Any]:
    """The evidence as a report reads it."""
    content: dict[str, Any] = json.loads(sample.as_json(evidence))
    return content


def test_a_skipped_test_shows_the_number_that_was_measured() -> None:
    """Where every required test was skipped with what was measured, the page shows the numbers that
    it shows where they ran, and no result of the headline test."""
    page = page_of(with_findings(lambda finding: skipped(finding, with_number=True)))
    ran = unescape(sample.rendered("supported").html)
    assert page.count(f"not run: {REASON}") == len(sample.FINDINGS)
    assert caption(ran).replace(" Test against the margin: passed.", "") == caption(page)
    assert "Test against the margin" not in page
    for table in ("Residual memory ρ with its interval", "What unlearning changed elsewhere"):
        assert cells(page, table) == cells(ran, table)
    assert cells(page, "AUC of each attack") == cells(ran, "AUC of each attack")


def test_a_skipped_test_without_a_number_has_no_row_of_numbers() -> None:
    """Tests that were skipped before anything was measured have their reason on the page, and no
    row where numbers are listed."""
    unmeasured = [*MEMORY_TESTS[1:], attack_gap("lira"), sample.FINDINGS[3].test]

    def change(finding: Ran) -> Finding:
        return skipped(finding, with_number=False) if finding.test in unmeasured else finding

    relearned = Skipped(residual_memory(RELEARNED), "Does it come back?", "no weights")
    evidence = with_findings(change, replace(sample.SUPPORTED, attacks=sample.ATTACKS[1:]))
    evidence = replace(evidence, findings=(*evidence.findings, relearned))
    page = page_of(evidence)
    assert page.count(f"not run: {REASON}") == len(unmeasured)
    assert page.count("not run: no weights") == 1
    rows = cells(page, "Residual memory ρ with its interval")
    assert list(rows.values()) == ["0.031 [−0.039, 0.101]", "−0.012 [−0.082, 0.058]"]


@pytest.mark.parametrize("test", [MEMORY_TESTS[0], ACCURACY.test], ids=str)
def test_evidence_without_a_test_that_every_page_shows_is_refused(test: TestId) -> None:
    """A page is not made with a hole where the headline, or the accuracy, should be."""
    findings = tuple(finding for finding in sample.FINDINGS if finding.test != test)
    with pytest.raises(KeyError, match=f"one record whose test is '{test}', found 0"):
        page_of(replace(sample.SUPPORTED, findings=findings))


def test_three_tests_with_one_number_are_not_taken_for_each_other() -> None:
    """Where nothing was forgotten, three tests of residual memory may give exactly one number: the
    caption gives the result of the headline test, once."""
    share = sample.FINDINGS[0].number

    def change(finding: Ran) -> Finding:
        if finding.test not in MEMORY_TESTS:
            return finding
        result: Result = "passed" if finding.test == residual_memory(EXACT) else "refuted"
        return replace(finding, number=share, result=result)

    evidence = with_findings(change)
    turned = replace(evidence, findings=evidence.findings[::-1])
    for version in (evidence, turned):
        assert re.findall(r"Test against the margin: (\w+)\.", page_of(version)) == ["passed"]


def test_the_headline_test_is_found_by_its_name() -> None:
    """Another test with the very same number is not taken for the test of residual memory."""
    twin = replace(sample.FINDINGS[1], number=sample.FINDINGS[0].number, result="refuted")
    evidence = replace(sample.SUPPORTED, findings=(twin, sample.FINDINGS[0], GAP, ACCURACY))
    assert re.findall(r"Test against the margin: (\w+)\.", page_of(evidence)) == ["passed"]


def numbers_of(evidence: Evidence) -> dict[str, Any]:
    """Every number that a report looks up by a test or a control, by what it is looked up as."""
    content = plain(evidence)
    return {
        "memory by arm": joins.memory_by_arm(content),
        "by query": joins.by_query(content),
        "gaps": joins.gaps(content),
        "accuracy": joins.test_number(content, "test accuracy"),
        "recovered": [joins.recovered_number(r, content) for r in content["residual_memory"]["recovered"]],
    }


LOOKED_UP = {
    residual_memory(EXACT): {"memory by arm", "by query"},
    residual_memory(Jitter(0.3)): {"by query"},
    attack_gap("lira"): {"gaps"},
    ACCURACY.test: {"accuracy"},
}
"""test -> where its number is shown beside the table of findings."""


@pytest.mark.parametrize("test", LOOKED_UP, ids=str)
def test_only_the_test_itself_moves_its_number(test: TestId) -> None:
    """Where all tests and controls carry exactly one number, to change that of one test changes
    what is looked up by it, and nothing else."""
    same = Number(0.25, 0.2, 0.3, 0.9, 20, 90, "made up", "method.md#x")
    controls = tuple(replace(control, rho=same) for control in sample.CONTROLS)
    level = with_findings(lambda f: replace(f, number=same), replace(sample.SUPPORTED, controls=controls))
    other = replace(same, value=0.26)
    findings = tuple(replace(f, number=other) if f.test == test else f for f in level.findings)
    before, after = numbers_of(level), numbers_of(replace(level, findings=findings))
    assert {name for name in before if before[name] != after[name]} == LOOKED_UP[test]
    assert sum(json.dumps(after[name]).count("0.26") for name in after) == len(LOOKED_UP[test])
