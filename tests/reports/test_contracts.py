"""Where the tables of a report and what they name could drift apart, these tests fail."""

import re
from dataclasses import replace
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

import auditkit.reports
from auditkit.calibration import rates
from auditkit.claims.claim import Kind
from auditkit.core.canonical import to_plain
from auditkit.core.ids import (
    BESIDE,
    COMPARED,
    EXACT,
    SHADOW,
    SPARED_IN_STRESS,
    STRESS,
    TEST_ACCURACY,
    VISIBLE_RECORDS,
    Recovery,
    attack_gap,
    residual_memory,
)
from auditkit.evidence.schema import Outcome, Result, Scope, Skipped
from auditkit.reports import curve_axes, figures, joins, labels, procedures_figure, render, sections
from auditkit.reproduction.published import VARIANTS
from auditkit.verdict import controls, single_model
from tests.reports import sample

TEMPLATES = Path(auditkit.reports.__file__).parent / "templates"
EVIDENCE = to_plain(sample.SUPPORTED)


@pytest.mark.parametrize(
    ("table", "members"),
    [
        (labels.OUTCOMES, get_args(Outcome)),
        (labels.RESULTS, (*get_args(Result), Skipped.kind)),
        (labels.KINDS, get_args(Kind)),
        (labels.COMPARED_WITH, ["placebo", "retrained"]),
        (labels.KINDS, get_args(get_type_hints(Scope)["kind"])),
        (labels.RECOVERIES, get_args(Recovery)),
        (labels.ANSWERS, get_args(rates.Answer)),
        (labels.CASE_KINDS, get_args(rates.Kind)),
        (labels.ARM_ORDER, [str(arm) for arm in (*COMPARED, *BESIDE, SHADOW)]),
        (labels.SET_ORDER, EVIDENCE["data"]["sets"]),
        (procedures_figure.MARKS, get_args(Outcome)),
        (curve_axes.SET_STYLES, labels.SETS),
    ],
    ids=lambda value: "",
)
def test_every_table_has_a_label_for_each_member_and_no_other(table: object, members: object) -> None:
    """A table of the report has a label for all that the evidence may say, and no label is left
    over."""
    assert set(table) == set(members)  # type: ignore[call-overload]


def test_every_query_and_every_control_has_its_words() -> None:
    """Whatever can be asked, and whatever control a verdict makes, has words in the report."""
    assert set(labels.QUERIES) == {str(EXACT), "jitter", *get_args(Recovery)}
    assert joins.query_name("jitter 0.3") == "Near them, jitter 0.3"
    calls = r"(?:made_control|_mostly_refuted|_seldom_refuted|name=)\(?\s*\"([a-z -]+)\""
    made: set[str] = set()
    for module in (controls, single_model):
        assert module.__file__
        made |= set(re.findall(calls, Path(module.__file__).read_text()))
    assert made == set(labels.CONTROLS)
    assert {control.name for control in sample.CONTROLS} == set(labels.CONTROLS)


def test_what_is_drawn_or_named_by_arm_is_an_arm() -> None:
    """Styles and long names of arms, and of variants of the paper, belong to some that exist."""
    assert set(labels.ARM_LABELS) | set(figures.STYLES) <= set(labels.ARM_ORDER)
    assert set(VARIANTS) <= set(curve_axes.VARIANT_STYLES)


def test_an_unknown_family_has_its_rows_all_the_same() -> None:
    """An attack of a family that nobody says anything of is shown, after all others."""
    attacks = [{"family": family} for family in ("new", "population")]
    assert joins.by_family(attacks, {"population": "answers", "label only": "labels"}) == [
        ("population", "answers", attacks[1:]),
        ("new", "", attacks[:1]),
    ]


def test_every_section_has_its_template_and_every_template_its_reader() -> None:
    """SECTIONS names files that exist, each id once, and no template lies there unread."""
    named = {f"sections/{section.template}" for section in sections.SECTIONS}
    included = set()
    for template in TEMPLATES.rglob("*.j2"):
        included |= set(re.findall(r'{% (?:include|from) "([^"]+\.j2)"', template.read_text()))
    files = {path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html.j2")}
    assert len({section.id for section in sections.SECTIONS}) == len(sections.SECTIONS)
    assert named | included == files - {"report.html.j2", "calibration.html.j2", "reproduction.html.j2"}


def test_every_figure_is_asked_for_by_a_template() -> None:
    """The names that templates give the filter `figure` are those of FIGURES."""
    asked = set()
    for template in TEMPLATES.rglob("*.j2"):
        asked |= set(re.findall(r'\|figure\("([^"]+)"\)', template.read_text()))
    assert asked == set(figures.FIGURES)


def test_a_section_that_is_not_shown_leaves_no_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a section, contents and headings number the others from one, and nothing points to
    it."""
    claim, *others = sections.SECTIONS
    hidden = replace(claim, shown=lambda evidence: bool(evidence["privacy"]))
    monkeypatch.setattr(sections, "SECTIONS", (hidden, *others))
    page = render(sample.as_json(sample.SUPPORTED), sample.RUN).html
    headings = re.findall(r'<h2 id="(\w+)">(\d+)\. ', page)
    assert headings == [(section.id, str(number)) for number, section in enumerate(others, 1)]
    assert re.findall(r'<li><a href="#(\w+)">', page) == [section.id for section in others]
    assert "#claim" not in page


def test_names_that_the_report_joins_by_are_those_of_the_verdict() -> None:
    """The names by which the report finds tests are their written forms, and the verdict's own code
    spells those of the controls."""
    assert str(residual_memory(EXACT)) == joins.HEADLINE
    assert str(residual_memory(EXACT)) == f"{joins.MEMORY_TEST}, {EXACT}"
    assert str(attack_gap("lira")) == f"{joins.GAP_TEST}, lira"
    assert str(residual_memory(EXACT, STRESS)) == f"{joins.HEADLINE}{joins.STRESS}"
    assert str(SPARED_IN_STRESS).endswith(joins.STRESS)
    assert (str(VISIBLE_RECORDS),) == labels.AT_LEAST
    for module in (controls, single_model):
        assert module.__file__
        assert {f'"{joins.NOOP}"', f'"{joins.HONEST}"'} <= set(
            re.findall(r'"[^"\n]+"', Path(module.__file__).read_text())
        )


def test_tests_and_controls_that_templates_name_exist() -> None:
    """What a template looks up by name is a required test of every audit, or a control."""
    text = "".join(template.read_text() for template in TEMPLATES.rglob("*.j2"))
    tests = set(re.findall(r'\|test_number\("([^"]+)"\)', text))
    assert tests == {str(residual_memory(EXACT)), str(TEST_ACCURACY)}
    assert set(re.findall(r'\|control_number\("([^"]+)"\)', text)) == {joins.HONEST}
