"""The figure of procedures side by side: what each costs, what it leaves of the memory, and at what
accuracy."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from auditkit.reports.figures import minimal_axes
from auditkit.reports.format import Record, decimal, exact
from auditkit.reports.joins import named, numbered
from auditkit.reports.svg import ACCENT, BAND, INK, LINE, MUTED, inline

MARKS: Mapping[str, Mapping[str, Any]] = {
    "supported": {"marker": "o", "markerfacecolor": ACCENT, "color": ACCENT},
    "inconclusive": {"marker": "s", "markerfacecolor": "none", "color": ACCENT},
    "not_supported": {"marker": "X", "markerfacecolor": MUTED, "color": MUTED},
}
"""Verdict -> how a procedure is drawn: by its mark first."""
CHEAPEST = 0.003
"""Lower end of the scale of cost; what costs less is drawn there."""
ASIDE: dict[str, Any] = {"textcoords": "offset points", "fontsize": 6.5, "color": INK}


def procedures(tables: Sequence[Record]) -> str:
    """Two panels a data set: residual memory against cost, and test accuracy against cost. Each
    procedure has the number of its row in the table; the band is what counts as forgotten.

    tables: `auditkit.reproduction.values.Table` as JSON gives it back. Returns SVG text for a page.
    """
    figure = Figure(figsize=(3.4 * len(tables), 5.6), layout="constrained")
    panels = figure.subplots(2, len(tables), squeeze=False, sharex=True, sharey="row")
    for column, table in enumerate(tables):
        _memory(panels[0][column], table)
        _accuracy(panels[1][column], table)
        panels[0][column].set_title(table["data"], fontsize=9, weight="bold", color=INK, loc="left")
    panels[0][0].set_ylabel("residual memory ρ", fontsize=8.5, color=INK)
    panels[1][0].set_ylabel("test accuracy", fontsize=8.5, color=INK)
    words = "; ".join(f"{table['data']}: {_in_words(table)}" for table in tables)
    title = f"Cost as a share of retraining, residual memory and test accuracy of every procedure. {words}."
    return inline(figure, "figure-procedures", title)


def _memory(axes: Axes, table: Record) -> None:
    margin = table["claim"]["criteria"]["residual_memory"]
    axes.axhspan(-margin, margin, color=BAND, linewidth=0)
    for place in (0, 1):
        axes.axhline(place, color=LINE, linewidth=0.8)
    for number, row in _claims(table):
        rho = row["decided"]["memory"]["exact"]
        if rho["value"] is not None:
            _mark(axes, number, row, rho["value"], rho)
    _scale(axes)


def _accuracy(axes: Axes, table: Record) -> None:
    retrained = named(table["rows"], "retrained")["test"]["value"]
    axes.axhline(retrained, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.annotate("retrained", (CHEAPEST, retrained), (2, 3), **ASIDE | {"color": MUTED})
    for number, row in _claims(table):
        _mark(axes, number, row, row["test"]["value"], row["test"])
    axes.set_xlabel("cost, as a share of retraining", fontsize=8.5, color=INK)
    _scale(axes)


def _mark(axes: Axes, number: int, row: Record, height: float, interval: Record) -> None:
    x = max(row["cost"], CHEAPEST)
    style = MARKS[row["decided"]["outcome"]]
    if interval["low"] is not None and interval["high"] is not None:
        axes.plot([x, x], [interval["low"], interval["high"]], color=style["color"], linewidth=1)
    axes.plot(x, height, markersize=4.2, linestyle="", **style)
    axes.annotate(str(number), (x, height), (3.5, 2), **ASIDE)


def _scale(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.set_xlim(left=CHEAPEST * 0.8)
    axes.set_xticks([0.003, 0.01, 0.03, 0.1, 0.3, 1], ["≤0.003", "0.01", "0.03", "0.1", "0.3", "1"])
    axes.minorticks_off()
    minimal_axes(axes)


def _claims(table: Record) -> list[tuple[int, Record]]:
    """The procedures of a table with their numbers in it."""
    return [(number, named(table["rows"], name)) for name, number in numbered(table).items()]


def _in_words(table: Record) -> str:
    return ", ".join(
        f"{number} {row['name']} costs {exact(row['cost'])}, rho"
        f" {decimal(row['decided']['memory']['exact']['value'])}, accuracy {decimal(row['test']['value'])}"
        for number, row in _claims(table)
    )
