import re
from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from auditkit.reports import reproduction_figures as curves
from auditkit.reports import reproduction_pictures as pictures
from auditkit.reports.format import Record
from auditkit.reports.svg import DARK


def state(accuracy: float, attack: float = 0.5) -> Record:
    sets = dict.fromkeys(("held_out", "retain", "forget", "official"), accuracy)
    return sets | {"loss": 1 - accuracy, "confidence": accuracy, "attack": attack}


def point(epoch: int, turn: int, t: int, accuracy: float, attack: float = 0.5) -> Record:
    phase = "unlearn" if t else "learn"
    return {
        "epoch": epoch,
        "turn": turn,
        "phase": phase,
        "t": t,
        "seen": state(accuracy, attack),
        "gate_off": state(0.95),
    }


CURVE = [
    point(1, 1, 0, 0.95),
    point(2, 1, 1, 0.94, 0.501),
    point(3, 1, 2, 0.9, 0.502),
    point(4, 2, 0, 0.952),
    point(5, 2, 1, 0.941, 0.503),
    point(6, 2, 2, 0.905, 0.504),
]
ONE_SHOT = [point(1, 1, 0, 0.95), point(2, 1, 0, 0.96), point(3, 1, 1, 0.9), point(4, 1, 2, 0.8)]
COLLAPSE = {
    "hidden layer": [{"layer": "fc1", "k": k, "seen": state(1 - k / 200)} for k in (0, 64, 128)],
    "logits": [{"layer": "fc2", "k": k, "seen": state(0.9 if k < 10 else 0.098)} for k in (0, 5, 10)],
}
NEURONS = {
    "layer": "fc1",
    "t": 5.0,
    "retention": [0.007, 0.082, 0.189, 0.287],
    "silent": 1,
    "shown": [
        {
            "unit": 7,
            "rank": 1,
            "retention": 0.007,
            "by_class": [2.0, 0.0, 0.5],
            "image": [[0.0, 1.0], [0.5, 0.2]],
        },
        {
            "unit": 3,
            "rank": 3,
            "retention": 0.189,
            "by_class": [0.0, 0.0, 0.0],
            "image": [[0.0, 0.0], [0.0, 0.0]],
        },
    ],
}
ALL = {"VFR-rank": CURVE, "VFR-ordered": CURVE, "VFR-random": CURVE}

FIGURES: dict[str, tuple[Callable[[], str], str]] = {
    "saw-tooth": (
        lambda: curves.saw_tooth("saw-tooth", "FFR on digits", CURVE),
        (
            "Accuracy, loss and confidence after every epoch, FFR on digits. Accuracy: turn 1 learned 0.950,"
            " t = 1 0.940, t = 2 0.900; turn 2 learned 0.952, t = 1 0.941, t = 2 0.905."
        ),
    ),
    "rates": (
        lambda: curves.varying_rates("rates", "digits", ALL),
        (
            "Accuracy after every epoch, digits. Last turns: VFR-rank turn 2 learned 0.952, t = 1 0.941, t ="
            " 2 0.905; VFR-ordered turn 2 learned 0.952, t = 1 0.941, t = 2 0.905; VFR-random turn 2 learned"
            " 0.952, t = 1 0.941, t = 2 0.905."
        ),
    ),
    "attack": (
        lambda: curves.with_attack(
            "attack", "digits", {"FFR": CURVE, "VFR-rank": CURVE, "VFR-ordered": CURVE}
        ),
        (
            "Accuracy after every epoch with the score of the paper's membership inference (0.5 is chance),"
            " digits. Scores in the last turn: FFR learned 0.500, t = 1 0.503, t = 2 0.504; VFR-rank learned"
            " 0.500, t = 1 0.503, t = 2 0.504; VFR-ordered learned 0.500, t = 1 0.503, t = 2 0.504."
        ),
    ),
    "time": (
        lambda: curves.against_time("time", "digits", {"VFR-rank": ONE_SHOT, "FFR, gates only": ONE_SHOT}),
        (
            "Accuracy against the time t of one unlearning, digits. Official test: VFR-rank, t = 0 0.960, t ="
            " 2 0.800; FFR, gates only, t = 0 0.960, t = 2 0.800."
        ),
    ),
    "k": (
        lambda: curves.against_k("k", "digits", COLLAPSE),
        (
            "Accuracy against the number of units switched off, digits. Official test: hidden layer, K = 0"
            " 1.000, K = 128 0.360; logits, K = 0 0.900, K = 10 0.098."
        ),
    ),
    "diagram": (
        lambda: pictures.diagram("diagram"),
        (
            "The network of the paper: image (28 × 28), convolution (32 of 3 × 3, ReLU), convolution (64 of 3"
            " × 3, ReLU), max-pool (2 × 2, dropout ¼), linear (9,216 → 128), forgetting (128 units), ReLU"
            " (dropout ½), linear (128 → 10), forgetting (10 logits), softmax (class). A forgetting layer"
            " multiplies what unit i passes on by φ(t; τ) = exp(−t/τ), with its own τ."
        ),
    ),
    "neurons": (
        lambda: pictures.fading_neurons("neurons", "digits", NEURONS),
        (
            "Which neurons of fc1 fade and what they respond to, digits. Left at t = 5: unit 7 of rank 1"
            " 0.007; unit 3 of rank 3 0.189. No forget record excites 1 of 4 units."
        ),
    ),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_of_the_paper_tells_what_it_shows(name: str) -> None:
    """The title of a figure gives its numbers in words; its colours are the palette's, and its ids
    its own."""
    draw, title = FIGURES[name]
    svg = draw()
    root = ElementTree.fromstring(svg)
    assert root.findtext("title") == title
    drawn = {node.get(kind) for node in root.iter() for kind in ("fill", "stroke")} - {None, "none"}
    assert drawn <= set(DARK)
    assert all(own == name or own.startswith(f"{name}-") for own in re.findall(r'\bid="([^"]*)"', svg))


def test_every_point_carries_its_attack_score() -> None:
    """Each epoch of each variant is a dot, in a panel that says whose."""
    svg = curves.with_attack("scores", "digits", {"FFR": CURVE, "VFR-rank": CURVE})
    dots = [node for node in ElementTree.fromstring(svg).iter("use") if node.get("fill") == "#0b5cad"]
    assert len(dots) == 2 * len(CURVE)


def test_an_image_is_drawn_in_four_shades() -> None:
    """Pixels of one shade are one path, those darker than an eighth are left blank."""
    svg = pictures.fading_neurons("shades", "digits", NEURONS)
    shades = [node.get("opacity") for node in ElementTree.fromstring(svg).iter("path") if node.get("opacity")]
    assert shades == ["0.25", "0.5"]
