"""Evidence to HTML and to a summary in Markdown."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from auditkit.reports import format as formats
from auditkit.reports import joins, labels
from auditkit.reports.figures import FIGURES
from auditkit.reports.sections import shown_sections
from auditkit.reports.toml import toml

# The functions of format.py that the templates use as filters.
FORMATS = (
    "bases", "bound", "format_p", "clock", "counted", "decimal", "duration", "exact", "in_order", "interval",
    "memory", "number", "percent", "phrase", "size", "title", "wider",
)  # fmt: skip
# Those of joins.py.
JOINS = (
    "arm_numbers", "by_arm", "by_family", "by_query", "compared_with", "control_number", "drift_rows", "gap",
    "gaps", "headline_test", "kinds_of_test", "named", "numbered", "planned_looks", "point_numbers",
    "queries", "quoted", "recovered_number", "result", "rows", "test_name", "test_number", "under_stress",
)  # fmt: skip


@dataclass(frozen=True)
class Rendered:
    """A report as text. html: one self-contained page, no scripts, nothing loaded from elsewhere.
    summary: the verdict, the findings and the controls as Markdown, for a CI job."""

    html: str
    summary: str


def render(
    evidence_json: bytes, run: Mapping[str, object], families: Mapping[str, str] | None = None
) -> Rendered:
    """The documents of one audit. Equal input gives equal text.

    Args:
        evidence_json: the bytes of evidence.json.
        run: the content of run.json: started, finished (ISO 8601), seconds, peak_memory_bytes,
            command, auditkit (the version).
        families: family of attacks -> what it goes by, in the order of the rows; families that
            are not in it follow, without such words.

    Returns:
        The page and the summary.

    Raises:
        json.JSONDecodeError: for bytes that are no JSON.
        KeyError, jinja2.UndefinedError: where the evidence lacks something, or has a member that no
            label table knows: a report with a hole is worse than none.
    """
    evidence = json.loads(evidence_json)
    content = {"e": evidence, "run": run, "w": labels, "sections": shown_sections(evidence)}
    content["families"] = families or {}
    page = environment(autoescape=True).get_template("report.html.j2")
    # In Markdown there is no Markup to tell escaped text by: what `finalize` sees is all escaped.
    note = environment(autoescape=False, finalize=_plain).get_template("summary.md.j2")
    return Rendered(page.render(content), note.render(content))


def render_calibration(calibration_json: bytes) -> str:
    """The table of a calibration as one self-contained page. Equal input gives equal text.

    Args:
        calibration_json: the bytes of calibration.json.

    Returns:
        HTML.

    Raises:
        json.JSONDecodeError, KeyError, jinja2.UndefinedError: as `render` does.
    """
    content = {"c": json.loads(calibration_json), "w": labels}
    return environment(autoescape=True).get_template("calibration.html.j2").render(content)


def environment(**options: Any) -> Environment:
    """Where the templates are found, with the filters that they use. options: of jinja2."""
    environment = Environment(
        loader=PackageLoader("auditkit.reports"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **options,
    )
    environment.filters |= {name: getattr(formats, name) for name in FORMATS}
    environment.filters |= {name: getattr(joins, name) for name in JOINS}
    environment.filters |= {"toml": toml, "figure": figure}
    return environment


def figure(record: object, name: str) -> Markup:
    """A figure of FIGURES, drawn from what it takes, safe to put into the page."""
    return Markup(FIGURES[name](record))


def _plain(value: object) -> str:
    return formats.markdown(str(value))
