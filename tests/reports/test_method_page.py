import ast
import re
from pathlib import Path

from auditkit.evidence.numbers import ONE_RUN
from auditkit.reports.method_page import METHOD, anchors, method_page

ROOT = Path(__file__).resolve().parent.parent.parent
SECTION_MAKERS = {"plain_number": 4}
"""Functions of evidence/numbers that put a section's name behind METHOD -> which argument it is."""


def _named_sections() -> set[str]:
    """What the code writes behind `#` in a source, and the sections it hands to SECTION_MAKERS."""
    named: set[str] = set()
    for path in sorted((ROOT / "auditkit").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        named |= set(re.findall(r"\{METHOD(?:_PAGE)?\}#([a-z-]+)", text))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                place = SECTION_MAKERS.get(node.func.id, len(node.args))
                for argument in node.args[place : place + 1]:
                    if isinstance(argument, ast.Constant):
                        named.add(str(argument.value))
    return named


def test_every_source_names_a_section_of_the_page_in_the_bundle() -> None:
    """Each section that the code names behind `method.md#` is a heading of the bundled page."""
    named = _named_sections()
    assert {"means", "exposure", "swap", "rates", "differential-privacy"} <= named
    assert named | {ONE_RUN} <= anchors(method_page().decode())


def test_the_page_in_the_bundle_stands_alone() -> None:
    """It is docs/method.md, and its links lead nowhere but to its own sections and the web."""
    page = method_page().decode()
    links = set(re.findall(r"\]\(([^)]+)\)", page))
    assert {link for link in links if not link.startswith(("#", "https:"))} == set()
    assert {link[1:] for link in links if link.startswith("#")} <= anchors(page)
    written = (ROOT / "docs" / METHOD).read_text(encoding="utf-8")
    assert page.splitlines()[0] == written.splitlines()[0]
    assert anchors(page) == anchors(written)
