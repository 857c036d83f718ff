"""The sections of a report: a new one is a template in templates/sections/ and a line in SECTIONS.

The page, its table of contents and the numbers of its headings all come from this table.
"""

from collections.abc import Callable
from dataclasses import dataclass

from auditkit.reports.format import Record


def always(evidence: Record) -> bool:
    """Whatever the evidence holds."""
    return True


@dataclass(frozen=True)
class Section:
    """A numbered part of the page.

    id: its anchor. title: its heading. template: its file in templates/sections/, which sees the
    evidence as `e`, the run as `run` and the tables of `labels` as `w`; figures come from the
    filter `figure` (see `auditkit.reports.figures.FIGURES`). shown: whether a report on this
    evidence has it; the numbers of the others close up.
    """

    id: str
    title: str
    template: str
    shown: Callable[[Record], bool] = always


# In the order of the page. fmt: off
SECTIONS = (
    Section("claim", "The claim", "claim.html.j2"),
    Section("tests", "Required tests", "tests.html.j2"),
    Section("memory", "Residual memory", "memory.html.j2"),
    Section("exposure", "Single records that are still exposed", "exposure.html.j2"),
    Section("attacks", "Attacks", "attacks.html.j2"),
    Section("controls", "Controls: is the audit itself right?", "controls.html.j2"),
    Section("utility", "Accuracy and drift", "utility.html.j2"),
    Section("unchecked", "What was not checked", "unchecked.html.j2"),
    Section("limits", "What this report does not establish", "limits.html.j2"),
    Section("again", "How to run this audit again", "again.html.j2"),
    Section("glossary", "Words used", "glossary.html.j2"),
)
# fmt: on


def shown_sections(evidence: Record) -> dict[str, tuple[int, Section]]:
    """The sections that a report on this evidence has, each with its number, by id.

    Args:
        evidence: the content of evidence.json.

    Returns:
        id -> (number from 1, section), in the order of the page.
    """
    shown = [section for section in SECTIONS if section.shown(evidence)]
    return {section.id: (number, section) for number, section in enumerate(shown, 1)}
