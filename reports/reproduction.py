"""A reproduction as a page, as Markdown, and its figures. No arithmetic: every number is in what is
given."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from auditkit.reports import labels
from auditkit.reports.curve_axes import VARIANT_STYLES
from auditkit.reports.format import Record, in_order
from auditkit.reports.labels import CAPTIONS, LAYERS
from auditkit.reports.procedures_figure import procedures
from auditkit.reports.render import environment
from auditkit.reports.reproduction_figures import (
    against_k,
    against_time,
    saw_tooth,
    varying_rates,
    with_attack,
)
from auditkit.reports.reproduction_pictures import diagram, fading_neurons

Draw = Callable[[str, str, Any], str]
"""(name, data set, what was found) -> SVG text"""


@dataclass(frozen=True)
class Reproduced:
    """html: one self-contained page; markdown: its tables and links to its figures; figures: name
    -> SVG text."""

    html: str
    markdown: str
    figures: Mapping[str, str]


@dataclass(frozen=True)
class Figure:
    """name: of its file. heading, caption: in labels. svg: the drawing."""

    name: str
    heading: str
    caption: str
    svg: Markup


def render_reproduction(found: Mapping[str, Any]) -> Reproduced:
    """The documents of a reproduction. Equal input gives equal text.

    Args:
        found: the content of reproduction.json.

    Returns:
        The page, its Markdown, and the figures as SVG text.

    Raises:
        KeyError, jinja2.UndefinedError: where something is missing.
    """
    drawn = list(_drawn(found["data"]))
    content = {"r": found, "w": labels, "figures": drawn}
    page, note = environment(autoescape=True), environment(autoescape=False)
    for one in (page, note):
        one.filters["numbers_of"] = numbers_of
    return Reproduced(
        page.get_template("reproduction.html.j2").render(content),
        note.get_template("reproduction.md.j2").render(content),
        {figure.name: str(figure.svg) for figure in drawn},
    )


def numbers_of(rows: Iterable[Record]) -> list[Record]:
    """Every number in the rows of a table."""
    numbers: list[Record] = []
    for row in rows:
        numbers += [row[name] for name in ("retain", "forget", "test", "attack")]
        if row["decided"]:
            numbers += row["decided"]["memory"].values()
    return numbers


def _drawn(data: Mapping[str, Any]) -> Iterable[Figure]:
    """Every figure, in the order of the page. data: data set -> experiment -> what it found."""
    yield Figure("fig-1-model", *CAPTIONS["model"], Markup(diagram("fig-1-model")))
    for source, found in data.items():
        yield _figure("fig-2-ffr", "ffr", source, saw_tooth, found["curve FFR"])
    for source, found in data.items():
        yield _figure("fig-3-vfr", "vfr", source, varying_rates, _curves(found, "curve VFR"))
    for source, found in data.items():
        yield _figure("fig-5-attack", "attack", source, with_attack, _curves(found, "curve "))
    for source, found in data.items():
        yield _figure("over-time", "time", source, against_time, _curves(found, "one shot "))
        named = {LAYERS[layer]: rows for layer, rows in found["network"]["over_k"].items()}
        yield _figure("over-k", "k", source, against_k, named)
        yield _figure("neurons", "neurons", source, fading_neurons, found["network"]["neurons"])
    tables = [found["table procedures"] for found in data.values()]
    yield Figure("procedures", *CAPTIONS["procedures"], Markup(procedures(tables)))


def _curves(found: Mapping[str, Any], start: str) -> dict[str, Any]:
    """The curves whose names begin so, in the order of drawing."""
    curves = {}
    for name, value in found.items():
        if name.startswith(start):
            curves[name.removeprefix("curve ").removeprefix("one shot ")] = value
    return {name: curves[name] for name in in_order(curves, tuple(VARIANT_STYLES))}


def _figure(name: str, caption: str, source: str, draw: Draw, value: Any) -> Figure:
    """One figure of one data set."""
    heading, said = CAPTIONS[caption]
    unique = f"{name}-{source}"
    return Figure(unique, f"{heading}, {source}", said, Markup(draw(unique, source, value)))
