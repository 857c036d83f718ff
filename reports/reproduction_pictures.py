"""Two pictures of the FNN paper (arXiv:2410.22374): the network with its forgetting layers, and
which of its neurons fade and what they respond to. Positions are the only arithmetic."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, PathPatch, Rectangle
from matplotlib.path import Path

from auditkit.reports.figures import minimal_axes
from auditkit.reports.format import Record, decimal, exact
from auditkit.reports.svg import ACCENT, BAND, INK, LINE, MUTED, inline

LAYERS = (
    ("image", "28 × 28", False),
    ("convolution", "32 of 3 × 3\nReLU", False),
    ("convolution", "64 of 3 × 3\nReLU", False),
    ("max-pool", "2 × 2\ndropout ¼", False),
    ("linear", "9,216 → 128", False),
    ("forgetting", "128 units", True),
    ("ReLU", "dropout ½", False),
    ("linear", "128 → 10", False),
    ("forgetting", "10 logits", True),
    ("softmax", "class", False),
)
"""What a record goes through: name, what it is, whether it forgets."""

FADES = (0.15, 0.35, 0.55, 0.75, 0.95)
"""How much is left of the units that are drawn in a forgetting layer, most active first."""

LEVELS = (0.25, 0.5, 0.75, 1.0)
"""The shades of grey of an image, as shares of ink; what is darker than the least half-way is left
blank."""

SQUARE = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)])


def diagram(name: str) -> str:
    """The network of the paper, with its two forgetting layers. name: unique within the page.
    Returns SVG text."""
    figure = Figure(figsize=(7.2, 2.5), layout="constrained")
    axes = figure.add_subplot()
    for place, (layer, what, forgets) in enumerate(LAYERS):
        _box(axes, place, layer, what, forgets)
        if place:
            arrow = FancyArrowPatch(
                (place - 0.58, 0), (place - 0.42, 0), arrowstyle="-|>", mutation_scale=6, shrinkA=0, shrinkB=0
            )
            arrow.set(color=MUTED, linewidth=0.9)
            axes.add_patch(arrow)
    axes.text(
        4.5,
        -1.55,
        "forgetting layer: unit i gives σ( φ(t; τᵢ) · (wᵢ · x + bᵢ) ), φ(t; τ) = exp(−t/τ); τᵢ the same for "
        "all, or by rank",
        ha="center",
        fontsize=8,
        color=INK,
    )
    axes.set(xlim=(-0.6, 9.6), ylim=(-1.8, 1.3))
    axes.set_axis_off()
    path = ", ".join(f"{layer} ({what.replace(chr(10), ', ')})" for layer, what, _ in LAYERS)
    return inline(
        figure,
        name,
        f"The network of the paper: {path}. A forgetting layer multiplies what unit i passes on by φ(t; τ) = "
        "exp(−t/τ), with its own τ.",
    )


def _box(axes: Axes, place: int, layer: str, what: str, forgets: bool) -> None:
    box = FancyBboxPatch((place - 0.38, -0.85), 0.76, 1.7, boxstyle="round,pad=0.02,rounding_size=0.06")
    box.set(facecolor=BAND if forgets else "none", edgecolor=ACCENT if forgets else LINE, linewidth=1.1)
    axes.add_patch(box)
    colour = ACCENT if forgets else INK
    axes.text(place, 1.02, layer, ha="center", fontsize=7.5, weight="bold", color=colour)
    if forgets:
        for row, left in enumerate(FADES):
            axes.plot(
                place, 0.62 - 0.31 * row, "o", markersize=7, color=ACCENT, alpha=left, markeredgewidth=0
            )
        axes.text(place, -1.15, what, ha="center", fontsize=7, color=MUTED)
    else:
        axes.text(place, 0, what, ha="center", va="center", fontsize=7, color=MUTED, rotation=90)


def fading_neurons(name: str, subject: str, found: Record) -> str:
    """What is left of every unit at time t, by rank; and of some, a row each, the mean of the
    images that excite them most, what is left of them, and how active they are for each class (the
    area of a dot, largest in the figure 1). found: `auditkit.reproduction.neurons.Neurons` as JSON.
    Returns SVG text."""
    shown = found["shown"]
    figure = Figure(figsize=(6.6, 2.0 + 0.5 * len(shown)), layout="constrained")
    above, axes = figure.subplots(2, 1, height_ratios=(1.4, 0.5 * len(shown)))
    above.plot(
        range(1, 1 + len(found["retention"])),
        found["retention"],
        color=ACCENT,
        linewidth=1.4,
        drawstyle="steps-mid",
    )
    above.set_xlabel("rank of the unit by activation on the forget records", fontsize=8.5, color=INK)
    above.set_ylabel(f"left at t = {exact(found['t'])}", fontsize=8.5, color=INK)
    above.set_ylim(0, 1.02)
    minimal_axes(above)
    most = max((value for neuron in shown for value in neuron["by_class"]), default=1.0)
    for row, neuron in enumerate(shown):
        _neuron(axes, row, neuron, most)
    classes = range(len(shown[0]["by_class"])) if shown else ()
    for label in classes:
        axes.text(4 + label, -0.75, str(label), ha="center", fontsize=8, color=MUTED)
    for place, words in ((0, "responds to"), (2, "left"), (8.5, "mean activation by class")):
        axes.text(place, -1.25, words, ha="center", fontsize=8, weight="bold", color=INK)
    axes.set(xlim=(-2.6, 13.6), ylim=(len(shown) - 0.4, -1.6))
    axes.set_aspect("equal")
    axes.set_axis_off()
    told = "; ".join(f"unit {n['unit']} of rank {n['rank']} {decimal(n['retention'])}" for n in shown)
    return inline(
        figure,
        name,
        f"Which neurons of {found['layer']} fade and what they respond to, {subject}. Left at t ="
        f" {exact(found['t'])}: {told}. No forget record excites {found['silent']} of"
        f" {len(found['retention'])} units.",
    )


def _neuron(axes: Axes, row: int, neuron: Record, most: float) -> None:
    """One unit: its name, its image, what is left of it as a bar, its activations as dots."""
    label = f"rank {neuron['rank']}"
    axes.text(-0.75, row, label, ha="right", va="center", fontsize=8, color=INK)
    _image(axes, neuron["image"], row)
    axes.add_patch(Rectangle((1, row - 0.12), 2, 0.24, facecolor=BAND))
    axes.add_patch(Rectangle((1, row - 0.12), 2 * neuron["retention"], 0.24, facecolor=ACCENT))
    for place, value in enumerate(neuron["by_class"]):
        if value > 0:
            axes.add_patch(Circle((4 + place, row), 0.44 * (value / most) ** 0.5, facecolor=INK))


def _image(axes: Axes, image: Sequence[Sequence[float]], row: int) -> None:
    """A grey image as squares, one path for each shade; 0.92 high, in the row."""
    side = 0.92 / len(image)
    frame = Rectangle((-0.46, row - 0.46), 0.92, 0.92, facecolor="none", edgecolor=LINE, linewidth=0.7)
    axes.add_patch(frame)
    for level, shade in enumerate(LEVELS):
        squares = [
            Path(SQUARE * side + (-0.46 + i * side, row - 0.46 + j * side), closed=True)
            for j, line in enumerate(image)
            for i, value in enumerate(line)
            if round(value * len(LEVELS)) == level + 1
        ]
        if squares:
            path = PathPatch(Path.make_compound_path(*squares), facecolor=INK, alpha=shade, linewidth=0)
            axes.add_patch(path)
