"""A reproduction as a page, as Markdown, and its figures. No arithmetic: every number is in what is
given."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from auditkit.reports import labels
from auditkit.reports.format import Record, in_order
from auditkit.reports.procedures_figure import procedures
from auditkit.reports.render import environment
from auditkit.reports.reproduction_figures import (
    VARIANT_STYLES,
    against_k,
    against_time,
    saw_tooth,
    varying_rates,
    with_attack,
)
from auditkit.reports.reproduction_pictures import diagram, fading_neurons

Draw = Callable[[str, str, Any], str]
"""(name, data set, what was found) -> SVG text"""

CAPTIONS = {
    "model": (
        "Figure 1. The network, and where it forgets",
        "The paper's convolutional network with its two forgetting layers.",
    ),
    "ffr": (
        "Figure 2. Learning and unlearning with fixed forgetting rates (FFR)",
        (
            "Accuracy, loss and confidence on held-out records after every epoch: as published, where after"
            " unlearning the gates are still on, and with the gates switched off again (dotted)."
        ),
    ),
    "vfr": (
        "Figures 3 and 4. The same with varying forgetting rates (VFR)",
        (
            "Accuracy on held-out records after every epoch, as published: after unlearning the gates are"
            " still on."
        ),
    ),
    "attack": (
        (
            "Figure 5, and those of its kind. Learning-unlearning curves with the score of the paper's"
            " membership inference"
        ),
        "Accuracy on held-out records, and at every point the accuracy of the attack, 0.5 being chance.",
    ),
    "time": (
        "Over-forgetting against t",
        (
            "One unlearning that goes on: accuracy against the time, as published, and with the gates"
            " switched off (dotted)."
        ),
    ),
    "k": (
        "Over-forgetting against K",
        "The K most active units of one layer switched off, the others of it faded by rank at t = 1.",
    ),
    "neurons": (
        "Which neurons fade, and what they respond to",
        (
            "Units of fc1 by their rank, what is left of each, how each class of the forget records excites"
            " it, and the mean of the images that excite it most."
        ),
    ),
    "procedures": (
        "Cost, memory and accuracy of every procedure",
        (
            "Each number is a row of the table “All procedures” below. Band: the margin on residual memory."
            " Filled disc: supported by the audit; open square: left open; cross: refuted."
        ),
    ),
}
"""What is said with each figure: heading, caption."""


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
    """The documents of a reproduction. found: reproduction.json. Equal input gives equal text;
    raises KeyError or jinja2.UndefinedError where something is missing."""
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
    found: list[Record] = []
    for row in rows:
        found += [row[name] for name in ("retain", "forget", "test", "attack")]
        if row["decided"]:
            found += row["decided"]["memory"].values()
    return found


def _drawn(data: Mapping[str, Any]) -> Iterable[Figure]:
    """Every figure, in the order of the page. data: data set -> experiment -> what it found."""
    layers = {"fc1": "fc1, 128 hidden units", "fc2": "fc2, ten logits"}
    yield Figure("fig-1-model", *CAPTIONS["model"], Markup(diagram("fig-1-model")))
    for source, found in data.items():
        yield _figure("fig-2-ffr", "ffr", source, saw_tooth, found["curve FFR"])
    for source, found in data.items():
        yield _figure("fig-3-vfr", "vfr", source, varying_rates, _curves(found, "curve VFR"))
    for source, found in data.items():
        yield _figure("fig-5-attack", "attack", source, with_attack, _curves(found, "curve "))
    for source, found in data.items():
        yield _figure("over-time", "time", source, against_time, _curves(found, "one shot "))
        named = {layers[layer]: rows for layer, rows in found["network"]["over_k"].items()}
        yield _figure("over-k", "k", source, against_k, named)
        yield _figure("neurons", "neurons", source, fading_neurons, found["network"]["neurons"])
    tables = [found["table procedures"] for found in data.values()]
    yield Figure("procedures", *CAPTIONS["procedures"], Markup(procedures(tables)))


def _curves(found: Mapping[str, Any], start: str) -> dict[str, Any]:
    """The curves whose names begin so, in the order of drawing."""
    own = {
        name.removeprefix("curve ").removeprefix("one shot "): value
        for name, value in found.items()
        if name.startswith(start)
    }
    return {name: own[name] for name in in_order(own, tuple(VARIANT_STYLES))}


def _figure(name: str, caption: str, source: str, draw: Draw, value: Any) -> Figure:
    """One figure of one data set."""
    heading, said = CAPTIONS[caption]
    unique = f"{name}-{source}"
    return Figure(unique, f"{heading}, {source}", said, Markup(draw(unique, source, value)))
