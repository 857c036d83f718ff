"""What the curves of a reproduction share: how lines are told apart, panels, shading, legends."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from auditkit.reports.format import Record
from auditkit.reports.labels import SETS
from auditkit.reports.svg import ACCENT, BAND, INK, LINE, MUTED

Curve = Sequence[Record]
"""`auditkit.reproduction.course.Point`s as JSON, in the order of epochs."""

DASHED, LONG, DOTTED, MIXED = (0, (4, 2)), (0, (8, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2))

# Told apart by mark and dash first, by colour second.
VARIANT_STYLES: Mapping[str, Mapping[str, Any]] = {
    "FFR": {"color": LINE, "linestyle": "-", "marker": "v"},
    "VFR-ordered": {"color": MUTED, "linestyle": DASHED, "marker": "s", "markerfacecolor": "none"},
    "VFR-random": {"color": INK, "linestyle": DOTTED, "marker": "^"},
    "VFR-permuted": {"color": MUTED, "linestyle": MIXED, "marker": "x"},
    "VFR-rank": {"color": ACCENT, "linestyle": "-", "marker": "o"},
    "VFR-top-30": {"color": INK, "linestyle": LONG, "marker": "D", "markerfacecolor": "none"},
}
SET_STYLES: Mapping[str, Mapping[str, Any]] = {
    "retain": {"color": MUTED, "linestyle": DASHED, "marker": "s", "markerfacecolor": "none"},
    "forget": {"color": ACCENT, "linestyle": "-", "marker": "o"},
    "official": {"color": INK, "linestyle": LONG, "marker": "D", "markerfacecolor": "none"},
}


def panels(figure: Figure, n: int) -> list[Axes]:
    """n panels of one scale, two a row."""
    columns = min(2, n)
    grid = list(figure.subplots(-(-n // columns), columns, sharex=True, sharey=True, squeeze=False).flat)
    for axes in grid[n:]:
        axes.set_axis_off()
    return grid[:n]


def label_below(grid: Sequence[Axes], label: str) -> None:
    """Numbers and a label at the foot of both columns, which are the last two of the panels."""
    for axes in grid[-2:]:
        axes.set_xlabel(label, fontsize=8.5, color=INK)
        axes.tick_params(labelbottom=True)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def plot_sets(axes: Axes, places: Sequence[float], rows: Sequence[Record]) -> None:
    """The accuracy on each set, a line a set."""
    for which, style in SET_STYLES.items():
        heights = [row["seen"][which] for row in rows]
        axes.plot(places, heights, label=SETS[which], linewidth=1.2, markersize=3.2, **style)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))


def shade_unlearning(axes: Axes, curve: Curve) -> None:
    """Marks the epochs of unlearning, one band for those in a row."""
    for phase, points in groupby(curve, key=lambda point: point["phase"]):
        epochs = [point["epoch"] for point in points]
        if phase == "unlearn":
            axes.axvspan(epochs[0] - 0.5, epochs[-1] + 0.5, color=BAND, linewidth=0)


def widen(axes: Axes) -> None:
    """Accuracies are drawn over a tenth at least: noise must not look like forgetting."""
    low, high = axes.get_ylim()
    beyond = max(0.0, 0.1 - (high - low)) / 2
    axes.set_ylim(low - beyond, high + beyond)


def label_epochs(axes: Axes) -> None:
    """The label and whole numbers of an axis of epochs."""
    axes.set_xlabel("epoch (shaded: unlearning)", fontsize=8.5, color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def legend(where: Axes | Figure, *, ncols: int, loc: Any, of: Axes | None = None) -> None:
    """A legend without a frame. of: the panel whose lines it names, where `where` has more than
    one."""
    named = (
        {} if of is None else dict(zip(("handles", "labels"), of.get_legend_handles_labels(), strict=True))
    )
    style: dict[str, Any] = {"fontsize": 7.5, "frameon": False, "handlelength": 3, "labelcolor": INK}
    where.legend(ncols=ncols, loc=loc, **named, **style)
