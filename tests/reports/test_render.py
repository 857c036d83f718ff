import json
import re
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import jinja2
import pytest

from auditkit.reports import render
from auditkit.reports.labels import DOES_NOT_ESTABLISH
from auditkit.reports.toml import toml
from tests.reports import sample

EVERY = pytest.mark.parametrize("name", sample.ALL)


def html(name: str) -> str:
    """The page of a sample."""
    return sample.rendered(name).html


def golden(file: str) -> str:
    """A part of a report, word for word as it must be."""
    return (Path(__file__).parent / "golden" / file).read_text()


def changed(**fields: Any) -> bytes:
    return json.dumps(json.loads(sample.as_json(sample.SUPPORTED)) | fields).encode()


def test_summary_of_a_supported_claim() -> None:
    """The summary of a supported claim is this text, whole."""
    assert sample.rendered("supported").summary == golden("summary-supported.md")


def test_summary_of_an_audit_that_failed() -> None:
    """The summary of an audit that failed is this text, whole, and obeys no mark in a claim's
    name."""
    assert sample.rendered("inconclusive").summary == golden("summary-inconclusive.md")


@EVERY
def test_verdict_section(name: str) -> None:
    """The page opens with the verdict: word, mark, sentence and reasons, exactly these."""
    found = re.search(r'<section class="verdict.*?</section>\n', html(name), re.DOTALL)
    assert found is not None
    assert found[0] == golden(f"verdict-{name}.html")


def test_looks_are_told_where_some_were_planned() -> None:
    """Where the claim plans looks, page and summary say which were made, at which level, and how
    they ended; elsewhere they are not spoken of."""
    claim = sample.CLAIM | {"runs": {"per_arm": 32, "looks": [8, 16], "shadow": 16}}
    looks = [
        {"runs": 8, "level": 0.0125, "outcome": "inconclusive", "failed": ["no-op"]},
        {"runs": 16, "level": 0.0125, "outcome": "supported", "failed": []},
    ]
    rendered = render(changed(claim=claim, looks=looks), sample.RUN)
    found = re.search(r"<caption>Looks that were made.*?</table>", rendered.html, re.DOTALL)
    assert found is not None
    assert (
        found[0].split("<tbody>")[1]
        == """
<tr><th scope="row">8</th><td class="n">0.0125</td><td>? inconclusive</td><td>no-op</td></tr>
<tr><th scope="row">16</th><td class="n">0.0125</td><td>✓ supported</td><td>none</td></tr>
</tbody>
</table>"""
    )
    assert "to look after 8, 16 and 32 runs an arm" in rendered.html
    assert (
        "Intervals are at 90 % confidence, that of the last look: strict enough that all looks together"
        " err no more often than one alone would.</p>"
    ) in rendered.html
    assert (
        """
## Looks

| runs an arm | level of each test | outcome | controls that came out wrong |
|---|---|---|---|
| 8 | 0.0125 | ? inconclusive | no-op |
| 16 | 0.0125 | ✓ supported | none |
"""
        in rendered.summary
    )
    plain = sample.rendered("supported")
    assert "Looks" not in plain.html + plain.summary


@EVERY
def test_every_finding_is_told(name: str) -> None:
    """Each finding's question stands on the page with its number, or with the reason it has
    none."""
    page = html(name)
    for finding in json.loads(sample.as_json(sample.ALL[name]))["findings"]:
        row = page.split(f"<small>{finding['question']}</small>")[1].split("</tr>")[0]
        if finding["kind"] == "skipped":
            told = f"not run: {finding['reason']}"
        elif finding["number"]["value"] is None:
            told = "not defined"
        else:
            told = f"{finding['number']['value']:.3f}".replace("-", "−")
        assert told in row


@EVERY
def test_nothing_runs_and_nothing_loads(name: str) -> None:
    """The page has no script and refers to nothing but its own parts."""
    page = html(name)
    assert "<script" not in page
    references = re.findall(r'(?:href|src)="([^"]*)"|url\(([^)]*)\)|@import', page)
    assert references
    assert all((link or url).startswith("#") for link, url in references)


@EVERY
def test_ids_are_unique_and_links_lead_somewhere(name: str) -> None:
    """No two elements share an id, those inside figures included, and every reference has its
    target."""
    page = html(name)
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', page)) <= {(i, "") for i in ids} | {
        ("", i) for i in ids
    }


def test_names_are_shown_not_obeyed() -> None:
    """A claim named like a script tag appears as text, in the page, the summary and the figures."""
    evil = '<script>alert("1")</script>'
    content = json.loads(changed(claim=sample.CLAIM | {"name": evil}))
    attack = content["attacks"][0]
    gaps = [finding for finding in content["findings"] if finding["test"] == f"attack gap, {attack['name']}"]
    attack["title"] = attack["name"] = evil
    gaps[0]["test"] = f"attack gap, {evil}"
    rendered = render(json.dumps(content).encode(), sample.RUN)
    assert "<script" not in rendered.html
    assert "<h1>&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;</h1>" in rendered.html
    assert "<script" not in rendered.summary


FIELDS = (
    "lock_sha256", "claim", "data", "environment", "arms", "controls", "states", "findings", "attacks",
    "residual_memory", "drift", "not_checked", "warnings", "verdict",
)  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
def test_a_hole_in_the_evidence_is_an_error(field: str) -> None:
    """Evidence that lacks a field gives no report at all."""
    content = json.loads(sample.as_json(sample.SUPPORTED))
    del content[field]
    with pytest.raises((jinja2.UndefinedError, KeyError)):
        render(json.dumps(content).encode(), sample.RUN)


def test_a_failed_control_is_said_in_words() -> None:
    """Where a control failed, the report says that the audit failed, and by which control."""
    alarm = "The audit itself failed.</strong> It gave a wrong answer on no-op."
    assert alarm in html("inconclusive")
    assert "The audit itself failed" not in html("supported")


def test_the_fixed_sentence() -> None:
    """Page and summary carry the sentence on what a report does not establish, unchanged."""
    rendered = sample.rendered("supported")
    assert (
        DOES_NOT_ESTABLISH
        == "This report presents technical measurements. It is not legal advice and does not establish"
        " compliance, anonymity or certification. A result of 'supported' means the stated tests, at the"
        " stated power, did not contradict the stated claim."
    )
    assert DOES_NOT_ESTABLISH.replace("'", "&#39;") in rendered.html
    assert DOES_NOT_ESTABLISH in rendered.summary


@EVERY
def test_verdicts_never_say_compliant(name: str) -> None:
    """The word "compliant" is nowhere in a report."""
    rendered = sample.rendered(name)
    assert "compliant" not in (rendered.html + rendered.summary).lower()


def test_equal_evidence_gives_equal_text() -> None:
    """Rendering twice gives the same text, figures included."""
    assert render(sample.as_json(sample.SUPPORTED), sample.RUN) == sample.rendered("supported")


def test_headings_leave_no_gap() -> None:
    """Headings go one level down at a time, as PDF/UA asks."""
    levels = [int(level) for level in re.findall(r"<h([1-6])", html("supported"))]
    assert levels[0] == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))


def test_a_claim_survives_as_toml() -> None:
    """The TOML of a claim reads back as the claim, without what it leaves open."""
    claim = sample.CLAIM | {
        "odd key": 'quo"te\\ \n \x7f é',
        "flag": True,
        "none": None,
        "small": 1e-05,
        "list": [{"a": 1, "b": None}, {"a": "two"}],
        "empty": {},
    }
    expected = {key: value for key, value in claim.items() if value is not None}
    expected |= {"forget": {"fraction": 0.1}, "list": [{"a": 1}, {"a": "two"}]}
    assert tomllib.loads(toml(claim)) == expected


def test_toml_text() -> None:
    """Values come before tables, tables have headers, and nothing else is added."""
    nested = {"procedure": {"name": "fnn", "options": {"t": 50.0}}, "seed": 0, "forget": {"label": None}}
    assert (
        toml(nested)
        == """\
seed = 0

[procedure]
name = "fnn"

[procedure.options]
t = 50.0

[forget]
"""
    )
