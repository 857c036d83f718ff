"""The figures of a report. They draw what the evidence says; positions are the only arithmetic."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from auditkit.reports.format import Record, decimal, exact, in_order, interval, number
from auditkit.reports.joins import compared_with, gap, memory_by_arm
from auditkit.reports.labels import ARM_LABELS
from auditkit.reports.svg import ACCENT, BAND, INK, LINE, MUTED, inline

Numbers = Mapping[str, Any]  # arm -> Number

# How each arm is told apart in an ROC panel: by dash and mark first, by colour second.
STYLES: Mapping[str, Mapping[str, Any]] = {
    "original": {"color": MUTED, "linestyle": (0, (1, 1.6)), "marker": "s", "markerfacecolor": "none"},
    "unlearned": {"color": ACCENT, "linestyle": "-", "marker": "o"},
    "placebo": {"color": INK, "linestyle": (0, (5, 1.2, 1, 1.2)), "marker": "^", "markerfacecolor": "none"},
    "retrained": {"color": INK, "linestyle": (0, (5, 2.5)), "marker": "D", "markerfacecolor": "none"},
}


# Words beside the data, some points away from where they belong.
_BESIDE: dict[str, Any] = {"textcoords": "offset points", "fontsize": 8.5, "color": MUTED}


def residual_memory(per_run: Mapping[str, Sequence[float]], numbers: Numbers, margin: float) -> str:
    """One dot a run, one row an arm, on the scale of residual memory.

    per_run: arm -> a value for each run. numbers: arm -> its `Number`, written beside the dots with
    its interval as a bar, for the arms that have one. margin: half the width of the shaded band.
    Returns SVG text for a page.
    """
    arms = in_order(per_run)
    figure = Figure(figsize=(6.4, 0.8 + 0.62 * len(arms)), layout="constrained")
    axes = figure.add_subplot()
    axes.axvspan(-margin, margin, color=BAND, linewidth=0)
    for place, label in ((0, "0 = nothing left"), (1, "1 = nothing forgotten")):
        axes.axvline(place, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)) if place else "-", zorder=1)
        axes.annotate(label, (place, 1), (0, 5), **_BESIDE, xycoords=axes.get_xaxis_transform(), ha="center")
    for row, arm in enumerate(arms):
        _arm(axes, row, arm, per_run[arm], numbers.get(arm))
    axes.set_ylim(len(arms) - 0.45, -0.55)
    axes.set_yticks(range(len(arms)), [ARM_LABELS.get(arm, arm) for arm in arms])
    axes.set_xlabel(f"residual memory ρ (shaded: margin ±{exact(margin)})", fontsize=8.5, color=INK)
    axes.margins(x=0.06)
    minimal_axes(axes)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=9)
    told = "; ".join(f"{arm} {number(numbers[arm])}" for arm in arms if arm in numbers)
    title = f"Residual memory of every run, by arm, with the margin ±{exact(margin)}. {told}."
    return inline(figure, "figure-rho", title)


def _arm(axes: Axes, row: int, arm: str, runs: Sequence[float], found: Record | None) -> None:
    """The dots of one arm, its interval below them, its number to the right of the panel."""
    colour = ACCENT if arm == "unlearned" else MUTED
    # Spread by the golden ratio: neighbours in the order of runs never overlap, and no chance is
    # involved.
    heights = [row - 0.06 + 0.4 * ((k * 0.618034) % 1 - 0.5) for k in range(len(runs))]
    axes.scatter(runs, heights, s=17, color=colour, linewidths=0, zorder=3)
    if found is None:
        return
    right = _BESIDE | {"xycoords": axes.get_yaxis_transform(), "va": "center"}
    axes.annotate(decimal(found["value"]), (1, row - 0.1), (6, 0), **right | {"color": INK, "weight": "bold"})
    axes.annotate(interval(found), (1, row + 0.17), (6, 0), **right)
    if found["low"] is not None and found["high"] is not None:
        axes.plot([found["low"], found["high"]], [row + 0.29] * 2, color=INK, linewidth=1.6)
    if found["value"] is not None:
        axes.plot(found["value"], row + 0.29, marker="D", markersize=4.5, color=INK)


def gaps(rows: Sequence[tuple[str, Record]], margin: float, other: str = "retrained") -> str:
    """One line an attack: how much better it does on unlearned than on other runs, with its
    interval.

    rows: (title, `Number`), drawn from top to bottom. margin: half the width of the shaded band.
    other: the arm that unlearned runs are compared with. Returns SVG text for a page.
    """
    figure = Figure(figsize=(6.4, 0.7 + 0.2 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    axes.axvspan(-margin, margin, color=BAND, linewidth=0)
    axes.axvline(0, color=MUTED, linewidth=0.9)
    for place, (_, found) in enumerate(rows):
        axes.plot([found["low"], found["high"]], [place, place], color=ACCENT, linewidth=1.6, zorder=2)
        axes.plot(found["value"], place, marker="o", markersize=3.6, color=ACCENT, zorder=3)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [title for title, _ in rows])
    axes.set_xlabel(
        f"AUC, unlearned minus {other} (shaded: margin ±{exact(margin)})", fontsize=8.5, color=INK
    )
    axes.margins(x=0.04)
    minimal_axes(axes)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=7.5)
    told = "; ".join(f"{title} {number(found)}" for title, found in rows)
    return inline(figure, "figure-gaps", f"Gap of every attack, with the margin ±{exact(margin)}. {told}.")


def roc(name: str, title: str, points: Sequence[Record]) -> str:
    """One attack's operating points on logarithmic axes, an arm a line, with the line of guessing.

    name: the attack's key, unique in the report. title: its name. points: `OperatingPoint`s, at
    least one. A rate of 0 has no place on a logarithmic axis; its line runs out of the panel at the
    foot. Returns SVG text for a page.
    """
    figure = Figure(figsize=(2.5, 2.75), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title.replace(", ", ",\n"), fontsize=9, weight="bold", color=INK, loc="left")
    rates = [point["fpr"] for point in points]
    lowest = min(rates)
    axes.plot([lowest, 1], [lowest, 1], color=LINE, linewidth=1, zorder=1)
    for arm in in_order(points[0]["arms"]):
        style = STYLES.get(arm, {"color": MUTED})
        values = [_drawable(point["arms"][arm]["value"]) for point in points]
        axes.plot(rates, values, label=arm, linewidth=1.3, markersize=3.6, **style)
    axes.set(xscale="log", yscale="log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 3) if lowest > 0.005 else (1,)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.margins(0.04)
    axes.set_xlabel("false-positive rate", fontsize=8.5, color=INK)
    axes.set_ylabel("true-positive rate", fontsize=8.5, color=INK)
    axes.legend(loc="lower right", fontsize=7.5, frameon=False, handlelength=2.8, labelcolor=INK)
    minimal_axes(axes)
    return inline(figure, f"figure-roc-{name}", f"ROC points of the attack {title}: " + _told(points))


def _drawable(rate: float | None) -> float:
    return float("nan") if rate is None else rate


def _told(points: Sequence[Record]) -> str:
    """The points in words, for those who do not see them."""
    lines = (
        f"at false-positive rate {exact(point['fpr'])}, true-positive rate "
        + ", ".join(f"{arm} {decimal(point['arms'][arm]['value'])}" for arm in in_order(point["arms"]))
        for point in points
    )
    return "; ".join(lines) + "."


def minimal_axes(axes: Axes) -> None:
    """Little more than the data: thin frame below and left, small muted numbers."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(LINE)
    axes.tick_params(colors=LINE, labelcolor=MUTED, labelsize=8, length=3)


def _memory_figure(evidence: Record) -> str:
    memory = evidence["residual_memory"]["per_run"]
    return residual_memory(memory, memory_by_arm(evidence), evidence["verdict"]["margin"])


def _gaps_figure(evidence: Record) -> str:
    rows = [(attack["title"], gap(attack, evidence)) for attack in evidence["attacks"]]
    return gaps(rows, evidence["claim"]["criteria"]["attack_gap"], compared_with(evidence))


def _roc_figure(attack: Record) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", attack["name"].lower())
    return roc(name, attack["title"], attack["points"])


FIGURES: Mapping[str, Callable[[Any], str]] = {
    "residual memory": _memory_figure,
    "attack gaps": _gaps_figure,
    "roc": _roc_figure,
}
"""What templates call by the filter `figure`: name -> SVG text from the evidence, or from one
attack of it."""
