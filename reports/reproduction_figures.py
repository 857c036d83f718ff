"""The curves of the FNN paper (arXiv:2410.22374), drawn from points that auditkit measured.

A curve is a sequence of `auditkit.reproduction.course.Point`s, as JSON gives them back, in the
order of epochs. Positions are the only arithmetic. Every figure is returned as SVG text for a page;
`name` is unique in it.
"""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from auditkit.reports.curve_axes import (
    DOTTED,
    VARIANT_STYLES,
    Curve,
    label_below,
    label_epochs,
    legend,
    panels,
    plot_sets,
    shade_unlearning,
    widen,
)
from auditkit.reports.figures import minimal_axes
from auditkit.reports.format import Record, decimal
from auditkit.reports.labels import MEASURES
from auditkit.reports.svg import ACCENT, INK, inline

Curves = Mapping[str, Curve]
"""variant -> its curve"""


def saw_tooth(name: str, subject: str, curve: Curve) -> str:
    """Accuracy, loss and confidence on held-out records after every epoch: as the gates were left,
    and with them off. subject: the variant and the data set, for the title."""
    figure = Figure(figsize=(6.6, 5.0), layout="constrained")
    stacked = figure.subplots(3, 1, sharex=True, height_ratios=(2, 1, 1))
    for axes, (measure, label) in zip(stacked, MEASURES.items(), strict=True):
        shade_unlearning(axes, curve)
        epochs = [point["epoch"] for point in curve]
        off = [point["gate_off"][measure] for point in curve]
        axes.plot(epochs, off, color=INK, linestyle=DOTTED, linewidth=1.3, label="gates switched off")
        seen = [point["seen"][measure] for point in curve]
        axes.plot(epochs, seen, color=ACCENT, marker="o", markersize=3.6, linewidth=1.3, label="as published")
        axes.set_ylabel(label, fontsize=8.5, color=INK)
        minimal_axes(axes)
    widen(stacked[0])
    legend(stacked[0], ncols=2, loc="lower left")
    label_epochs(stacked[-1])
    turns = "; ".join(_turn(curve, turn) for turn in _turns(curve))
    return inline(
        figure, name, f"Accuracy, loss and confidence after every epoch, {subject}. Accuracy: {turns}."
    )


def varying_rates(name: str, subject: str, curves: Curves) -> str:
    """Accuracy on held-out records after every epoch, a line a variant."""
    figure = Figure(figsize=(6.6, 3.4), layout="constrained")
    axes = figure.add_subplot()
    shade_unlearning(axes, next(iter(curves.values())))
    for variant, curve in curves.items():
        accuracy = [point["seen"]["held_out"] for point in curve]
        epochs = [point["epoch"] for point in curve]
        axes.plot(
            epochs, accuracy, label=variant, linewidth=1.2, markersize=3.8, **VARIANT_STYLES.get(variant, {})
        )
    axes.set_ylabel("accuracy, held-out records", fontsize=8.5, color=INK)
    label_epochs(axes)
    widen(axes)
    minimal_axes(axes)
    legend(figure, ncols=3 if len(curves) > 5 else len(curves), loc="outside lower center")
    return inline(figure, name, f"Accuracy after every epoch, {subject}. {_last_turns(curves)}")


def with_attack(name: str, subject: str, curves: Curves) -> str:
    """Accuracy on held-out records after every epoch, a panel a variant, with the score of the
    paper's membership inference written at every point."""
    figure = Figure(figsize=(6.8, 0.3 + 2.1 * ((len(curves) + 1) // 2)), layout="constrained")
    grid = panels(figure, len(curves))
    for axes, (variant, curve) in zip(grid, curves.items(), strict=True):
        shade_unlearning(axes, curve)
        accuracy = [point["seen"]["held_out"] for point in curve]
        axes.plot(
            [point["epoch"] for point in curve], accuracy, color=ACCENT, marker="o", markersize=3, linewidth=1
        )
        for point, height in zip(curve, accuracy, strict=True):
            _score(axes, point, height)
        axes.set_title(variant, fontsize=8.5, weight="bold", color=INK, loc="left")
        axes.margins(y=0.4)
        minimal_axes(axes)
    widen(grid[0])
    label_below(grid, "epoch (shaded: unlearning)")
    figure.supylabel("accuracy, held-out records", fontsize=8.5, color=INK)
    told = "; ".join(f"{variant} {_attacks(curve)}" for variant, curve in curves.items())
    return inline(
        figure,
        name,
        "Accuracy after every epoch with the score of the paper's membership inference (0.5 is chance),"
        f" {subject}. Scores in the last turn: {told}.",
    )


def against_time(name: str, subject: str, curves: Curves) -> str:
    """One-shot runs: accuracy on retain, forget and official test records against the time t, a
    panel a run; dotted, the official test records with the gates off. curves: what the run is
    called -> its curve."""
    figure = Figure(figsize=(6.8, 0.5 + 2.1 * ((len(curves) + 1) // 2)), layout="constrained")
    grid = panels(figure, len(curves))
    for axes, (run, curve) in zip(grid, curves.items(), strict=True):
        points = _from_last_learning(curve)
        times = [point["t"] for point in points]
        off = [point["gate_off"]["official"] for point in points]
        axes.plot(times, off, color=INK, linestyle=DOTTED, linewidth=1.3, label="official test, gates off")
        plot_sets(axes, times, points)
        axes.set_title(run, fontsize=8.5, weight="bold", color=INK, loc="left")
        minimal_axes(axes)
    label_below(grid, "t, epochs of unlearning")
    legend(figure, ncols=4, loc="outside lower center", of=grid[0])
    figure.supylabel("accuracy", fontsize=8.5, color=INK)
    told = "; ".join(
        f"{run}, " + ", ".join(_at_time(point) for point in _ends(_from_last_learning(curve)))
        for run, curve in curves.items()
    )
    return inline(
        figure, name, f"Accuracy against the time t of one unlearning, {subject}. Official test: {told}."
    )


def against_k(name: str, subject: str, layers: Mapping[str, Sequence[Record]]) -> str:
    """Accuracy on retain, forget and official test records against K, the number of most active
    units that are switched off, a panel a layer. layers: what the layer is called -> `TopK`s, by
    K."""
    figure = Figure(figsize=(6.6, 2.7), layout="constrained")
    grid = figure.subplots(1, len(layers), sharey=True, squeeze=False)[0]
    for axes, (layer, found) in zip(grid, layers.items(), strict=True):
        plot_sets(axes, [row["k"] for row in found], found)
        axes.set_title(layer, fontsize=8.5, weight="bold", color=INK, loc="left")
        axes.set_xlabel("K, units switched off", fontsize=8.5, color=INK)
        minimal_axes(axes)
    grid[0].set_ylabel("accuracy", fontsize=8.5, color=INK)
    legend(figure, ncols=3, loc="outside lower center", of=grid[0])
    told = "; ".join(
        f"{layer}, " + ", ".join(f"K = {row['k']} {decimal(row['seen']['official'])}" for row in _ends(found))
        for layer, found in layers.items()
    )
    return inline(
        figure, name, f"Accuracy against the number of units switched off, {subject}. Official test: {told}."
    )


def _score(axes: Axes, point: Record, height: float) -> None:
    """The attack's score, above a point of learning and below one of unlearning, where the line
    seldom runs."""
    above = point["phase"] == "learn"
    axes.annotate(
        decimal(point["seen"]["attack"]).lstrip("0"),
        (point["epoch"], height),
        (0, 5 if above else -5),
        textcoords="offset points",
        ha="center",
        va="bottom" if above else "top",
        fontsize=6,
        rotation=90,
        color=INK,
    )


def _turns(curve: Curve) -> list[int]:
    return list(dict.fromkeys(point["turn"] for point in curve))


def _turn(curve: Curve, turn: int) -> str:
    """The accuracies of one turn in words."""
    own = [point for point in curve if point["turn"] == turn]
    return f"turn {turn} " + ", ".join(f"{_when(p)} {decimal(p['seen']['held_out'])}" for p in own)


def _last_turns(curves: Curves) -> str:
    told = "; ".join(f"{variant} {_turn(curve, _turns(curve)[-1])}" for variant, curve in curves.items())
    return f"Last turns: {told}."


def _attacks(curve: Curve) -> str:
    """The attack's scores in the last turn, in words."""
    own = [point for point in curve if point["turn"] == _turns(curve)[-1]]
    return ", ".join(f"{_when(point)} {decimal(point['seen']['attack'])}" for point in own)


def _when(point: Record) -> str:
    return "learned" if point["phase"] == "learn" else f"t = {point['t']}"


def _at_time(point: Record) -> str:
    return f"t = {point['t']} {decimal(point['seen']['official'])}"


def _from_last_learning(curve: Curve) -> list[Record]:
    """The last point of learning, which is t = 0, and what follows."""
    last = max(place for place, point in enumerate(curve) if point["phase"] == "learn")
    return list(curve[last:])


def _ends(rows: Sequence[Record]) -> tuple[Record, Record]:
    return rows[0], rows[-1]
