"""Evidence to HTML and to a summary in Markdown."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from auditkit.reports import figures, labels
from auditkit.reports import format as formats
from auditkit.reports.format import Record
from auditkit.reports.toml import toml

# The functions of format.py that the templates use as filters.
FORMATS = (
    "bases", "bound", "format_p", "clock", "counted", "decimal", "duration", "exact", "in_order", "interval",
    "memory", "number", "percent", "phrase", "size", "title",
)  # fmt: skip


QUOTED_FPRS = (0.001, 0.01, 0.1)


@dataclass(frozen=True)
class Rendered:
    """A report as text. html: one self-contained page, no scripts, nothing loaded from elsewhere.
    summary: the verdict, the findings and the controls as Markdown, for a CI job."""

    html: str
    summary: str


def render(
    evidence_json: bytes, run: Mapping[str, object], families: Mapping[str, str] | None = None
) -> Rendered:
    """The documents of one audit.

    evidence_json: the bytes of evidence.json. run: the content of run.json (started, finished,
    seconds, peak_memory_bytes, command, auditkit). families: family of attacks -> what it goes by,
    in the order of the rows; others follow with no such words. Equal input gives equal text. Raises
    `json.JSONDecodeError` for bytes that are no JSON, `KeyError` or `jinja2.UndefinedError` where
    the evidence lacks something: a report with a hole is worse than none.
    """
    evidence = json.loads(evidence_json)
    # A family that nobody says anything of still has its rows: no attack may be missing.
    meanings = dict(families or {})
    for attack in evidence["attacks"]:
        meanings.setdefault(attack["family"], "")
    content = {"e": evidence, "run": run, "w": labels, "families": meanings}
    page = environment(autoescape=True).get_template("report.html.j2")
    # In Markdown there is no Markup to tell escaped text by: what `finalize` sees is all escaped.
    note = environment(autoescape=False, finalize=_plain).get_template("summary.md.j2")
    return Rendered(page.render(content), note.render(content))


def render_calibration(calibration_json: bytes) -> str:
    """The table of a calibration as one self-contained page.

    calibration_json: the bytes of calibration.json. Equal input gives equal text; raises as
    `render` does.
    """
    content = {"c": json.loads(calibration_json), "w": labels}
    return environment(autoescape=True).get_template("calibration.html.j2").render(content)


def environment(**options: Any) -> Environment:
    """Where the templates are found, with the filters and figures that they use. options: of
    jinja2."""
    environment = Environment(
        loader=PackageLoader("auditkit.reports"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **options,
    )
    environment.filters |= {name: getattr(formats, name) for name in FORMATS}
    environment.filters |= {"toml": toml, "rows": rows, "result": result}
    environment.filters |= {"by_query": by_query, "quoted": quoted}
    environment.filters |= {"arm_numbers": arm_numbers, "point_numbers": point_numbers}
    environment.globals |= {"rho_figure": rho_figure, "roc_figure": roc_figure, "gap_figure": gap_figure}
    return environment


def _plain(value: object) -> str:
    return formats.markdown(str(value))


def rows(per_run: Mapping[str, list[float]]) -> list[tuple[float | None, ...]]:
    """Values by arm turned into rows by run, arms in order; None where an arm has fewer runs."""
    return list(zip_longest(*(per_run[arm] for arm in formats.in_order(per_run))))


def result(finding: Record) -> str:
    """The key of a finding's result: that of a test that ran, or "skipped"."""
    return str(finding["result"]) if finding["kind"] == "ran" else "skipped"


def by_query(memory: Record) -> list[tuple[str, Record]]:
    """Residual memory on exact and on jittered queries, and that of the honest control, with
    names."""
    near = [(f"Near them, jitter {formats.exact(share)}", number) for share, number in memory["jittered"]]
    exact = ("The forget records themselves", memory["exact"])
    return [exact, *near, ("The same for the honest control", memory["honest"])]


def quoted(points: Sequence[Record]) -> list[Record]:
    """The points a table lists: the lowest quotable false-positive rate, and 0.1 %, 1 % and 10
    %."""
    return [point for k, point in enumerate(points) if k == 0 or point["fpr"] in QUOTED_FPRS]


def arm_numbers(attacks: Iterable[Record], what: str, arms: Sequence[str]) -> list[Record]:
    """The numbers of every attack in these arms under one heading."""
    return [attack[what][arm] for attack in attacks for arm in arms]


def point_numbers(attacks: Iterable[Record], arms: Sequence[str]) -> list[Record]:
    """The numbers of every operating point of every attack that a table lists."""
    points = [point for attack in attacks for point in quoted(attack["points"])]
    return [point["arms"][arm] for point in points for arm in arms] + [point["gap"] for point in points]


def gap_figure(evidence: Record) -> Markup:
    """The figure of the attacks' gaps, safe to put into the page."""
    margin = evidence["claim"]["criteria"]["attack_gap"]
    return Markup(figures.gaps([(a["title"], a["gap"]) for a in evidence["attacks"]], margin))


def rho_figure(evidence: Record) -> Markup:
    """The figure of residual memory, safe to put into the page."""
    memory = evidence["residual_memory"]
    numbers = {"unlearned": memory["exact"], "honest": memory["honest"]}
    for control in evidence["controls"]:
        if control["name"] == "no-op" and control["rho"] is not None:
            numbers["original"] = control["rho"]  # the no-op control judges these very runs
    return Markup(figures.residual_memory(memory["per_run"], numbers, evidence["verdict"]["margin"]))


def roc_figure(attack: Record) -> Markup:
    """The ROC panel of one attack, safe to put into the page."""
    name = re.sub(r"[^a-z0-9]+", "-", attack["name"].lower())
    return Markup(figures.roc(name, attack["title"], attack["points"]))
