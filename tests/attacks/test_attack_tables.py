"""The tables of the attacks and those who read them: claims, reports, probes and pages agree."""

import json
import re
from html import unescape
from pathlib import Path

import pytest

from auditkit.attacks import ATTACKS, FAMILIES, Attack
from auditkit.claims.criteria import REPORTED, STANDARD
from auditkit.core.progress import NullReporter
from auditkit.evidence import report_files
from auditkit.probes import OBSERVATIONS
from auditkit.reports import PdfUnavailable
from tests.reports import sample


def test_the_standard_attacks_are_in_the_table() -> None:
    """What a claim is held to, and what is only reported, are names of the table, none in both."""
    assert set(STANDARD) | set(REPORTED) <= set(ATTACKS)
    assert not set(STANDARD) & set(REPORTED)
    assert len(set(STANDARD)) == len(STANDARD)


def test_every_attack_has_a_family_and_every_family_an_attack() -> None:
    """The families of ATTACKS are those of FAMILIES, in the order in which a report shows them."""
    assert list(dict.fromkeys(attack.family for attack in ATTACKS.values())) == list(FAMILIES)
    assert all(family.meaning for family in FAMILIES.values())


def test_an_attack_of_an_unknown_family_is_refused() -> None:
    """A line of ATTACKS whose family is not in FAMILIES fails at import, which names them all."""
    with pytest.raises(ValueError, match=r"the family of New must be among population, .*, got 'guessing'"):
        Attack("New", "nobody", "guessing", ATTACKS["loss"].score)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_page_of_the_attacks_has_a_row_a_family(family: str) -> None:
    """docs/attacks.md explains every family in its table."""
    page = (Path(__file__).parents[2] / "docs" / "attacks.md").read_text()
    assert f"\n| {family} | " in page


def test_every_attack_has_its_row_in_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report has one row for each line of ATTACKS, in its order, under its family's meaning."""

    def no_pdf(*_: object) -> bytes:
        raise PdfUnavailable("not needed here")

    monkeypatch.setattr(report_files, "pdf", no_pdf)
    content = json.loads(sample.as_json(sample.SUPPORTED))
    row = {**content["attacks"][0], "leads": False}
    content["attacks"] = [{**row, "title": a.title, "family": a.family} for a in ATTACKS.values()]
    files = {"evidence.json": json.dumps(content).encode(), "run.json": json.dumps(sample.RUN).encode()}
    page = unescape(report_files.report_files(files, NullReporter())["report.html"].decode())
    table = page[page.index("AUC of each attack. 0.5 is guessing") :]
    table = table[: table.index("</table>")]
    assert re.findall(r'<th scope="row">(.*?) <small>', table) == [a.title for a in ATTACKS.values()]
    groups = re.findall(r'class="group">(.*?) <small>(.*?)</small>', table)
    assert groups == [(name.capitalize(), family.meaning) for name, family in FAMILIES.items()]


def test_what_attacks_need_can_be_observed() -> None:
    """Every observation that an attack asks for is one that can be made, and every one that can be
    made is asked for."""
    assert {attack.observes for attack in ATTACKS.values()} == {None, *OBSERVATIONS}
