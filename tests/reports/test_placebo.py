"""What a report says where unlearned runs are compared with a placebo, and where they are not."""

import re
from dataclasses import replace
from html import unescape

import pytest

from auditkit.core.ids import EXACT, PLACEBO, ArmKey, residual_memory
from auditkit.evidence.schema import AttackSummary, Evidence, Finding, Interval, Ran, Result
from auditkit.reports import Rendered, render
from auditkit.reports.labels import COMPARED_WITH
from tests.reports import sample


def rendered(evidence: Evidence) -> Rendered:
    """Page and summary, the page as a reader sees its characters."""
    documents = render(sample.as_json(evidence), sample.RUN)
    return Rendered(unescape(documents.html), documents.summary)


def without_placebo() -> Evidence:
    """The sample as it would be where the procedure could not be run, nor the stress world."""

    def kept(arms: dict[ArmKey, object]) -> dict[ArmKey, object]:
        return {arm: number for arm, number in arms.items() if arm != PLACEBO}

    def attack(summary: AttackSummary) -> AttackSummary:
        points = tuple(replace(p, arms=kept(dict(p.arms))) for p in summary.points)  # type: ignore[arg-type]
        auc, balanced = kept(dict(summary.auc)), kept(dict(summary.balanced_accuracy))
        return replace(summary, auc=auc, balanced_accuracy=balanced, points=points)  # type: ignore[arg-type]

    full = sample.SUPPORTED
    return replace(
        full,
        arms=tuple(arm for arm in full.arms if arm.arm != PLACEBO),
        attacks=tuple(map(attack, full.attacks)),
        controls=full.controls[:-1],
        drift=replace(full.drift, against_retrained=()),
        findings=tuple(f for f in full.findings if f.test.world == "plain"),
    )


def test_headings_name_what_the_numbers_were_computed_against() -> None:
    """Where an attack's gap is that to the placebo, as its method says, the columns say placebo,
    and nowhere retrained; the placebo has a column of its own."""
    page = rendered(sample.SUPPORTED).html
    assert all("unlearned - placebo" in a.gap.method for a in sample.ATTACKS if a.gap)
    assert page.count('<th scope="col">Unlearned minus placebo</th>') == 2
    assert "AUC, unlearned minus placebo" not in page  # figures are drawn as paths
    assert "nlearned minus retrained" not in page.replace("Test accuracy lost: retrained minus unlearned", "")
    table = page.split("<caption>AUC of each attack.")[1].split("</table>")[0]
    assert re.findall(r'<th scope="col">(\w+)</th>', table) == [
        "Attack",
        "Original",
        "Unlearned",
        "Placebo",
        "Retrained",
    ]


def test_what_unlearned_runs_are_compared_with_is_said() -> None:
    """Page and summary say what a placebo is; where there is none they say which confusion stays,
    and nothing speaks of a placebo."""
    both = {"placebo": rendered(sample.SUPPORTED), "retrained": rendered(without_placebo())}
    for name, documents in both.items():
        other = next(words for arm, words in COMPARED_WITH.items() if arm != name)
        for text in (documents.html, documents.summary):
            assert COMPARED_WITH[name] in text
            assert other not in text
    page = both["retrained"].html
    assert '<th scope="col">Unlearned minus retrained</th>' in page
    assert "Memory apart from drift" not in page
    assert "In the stress world" not in page


def test_drift_is_told_apart_from_memory() -> None:
    """For every query: memory by itself, memory with drift, and drift by itself."""
    page = rendered(sample.SUPPORTED).html
    table = page.split("<caption>Residual memory ρ, by what the models are compared with")[1]
    rows = re.findall(r'<th scope="row">(.*?)</th>(.*?)</tr>', table.split("</table>")[0])
    assert [(name, re.findall(r">([−\d.]+) \[", cells)) for name, cells in rows] == [
        ("The forget records themselves", ["0.031", "0.091", "0.060"]),
        ("Near them, jitter 0.1", ["0.042", "0.112", "0.070"]),
    ]


def test_the_two_worlds_have_tables_of_their_own() -> None:
    """Numbers of the stress world have a heading of their own, and their tests plain names."""
    page = rendered(sample.SUPPORTED).html
    plain, stress = (
        page.split(f"<caption>Residual memory ρ with its interval{world}</caption>")[1].split("</table>")[0]
        for world in ("", ", wrong labels")
    )
    assert "0.003 [−0.001, 0.007]" in stress
    assert "0.003 [−0.001, 0.007]" not in plain
    assert '<th scope="row">Residual memory, exact, wrong labels <small>' in page
    assert "in the stress world" not in page.lower().replace("in the stress world: forget records", "")


@pytest.mark.parametrize(("result", "shown"), [("passed", 0), ("undecided", 1), ("refuted", 1)])
def test_the_interval_that_decided_stands_beside_the_number(result: Result, shown: int) -> None:
    """A test that did not pass was decided by the interval over runs and records, which stands with
    its number in page and summary; one that passed was decided by that over runs."""

    def change(finding: Finding) -> Finding:
        if not isinstance(finding, Ran) or finding.test != residual_memory(EXACT):
            return finding
        return replace(finding, result=result, refuting=Interval(0.123, 0.456))

    evidence = replace(sample.SUPPORTED, findings=tuple(map(change, sample.SUPPORTED.findings)))
    documents = rendered(evidence)
    assert documents.html.count("with records: [0.123, 0.456]") == shown
    assert documents.summary.count("over runs and records [0.123, 0.456]") == shown
    assert documents.html.split("How each test was decided</h3>")[1].count("[0.123, 0.456]") == 1


def test_every_record_has_an_answer() -> None:
    """The page says which answers there are to "is my record forgotten?", how many have which,
    where each stands, and what it is worth not to be named."""
    page = rendered(sample.SUPPORTED).html
    part = page.split("Is my record forgotten?</h3>")[1].split("<h3>")[0]
    assert re.findall(r"<dt>(.*?)</dt>", part) == ["Not judgeable", "Exposed", "Bounded"]
    for said in (
        "This holds for all but 42 of the 90.",
        "This holds for 3 of those 42.",
        "The bounds of all 31 records that have one hold together.",
        "it would have been named with probability 0.690, on average over the 42 records",
        "unlearned/exposure/at most/forget",
    ):
        assert said in part
    assert "named with probability 0.690" in rendered(sample.SUPPORTED).summary


def test_where_no_record_can_be_judged_nothing_is_said_of_any() -> None:
    """Without a visible record there is no bound, and nothing that "not named" would be worth."""
    exposure = sample.SUPPORTED.exposure
    assert exposure is not None
    none = replace(exposure.unlearned, value=0.0, n_records=0)
    unbounded = replace(exposure.share, value=None, high=None, n_records=90)
    blind = replace(exposure, unlearned=none, share=unbounded, if_alone=none)
    documents = rendered(replace(sample.SUPPORTED, exposure=blind))
    part = documents.html.split("Is my record forgotten?</h3>")[1].split("<h3>")[0]
    assert "This holds for all but 0 of the 90." in part
    assert "too large for a bound on any record" in part
    assert "hold together" not in part
    assert "named with probability" not in part + documents.summary
