import json
import re
from xml.etree import ElementTree

from auditkit.reports import figures
from auditkit.reports.joins import memory_by_arm
from auditkit.reports.svg import ACCENT, BAND, DARK, INK, LINE, MUTED
from tests.reports import sample

EVIDENCE = json.loads(sample.as_json(sample.SUPPORTED))
PER_RUN = EVIDENCE["residual_memory"]["per_run"]
POINTS = EVIDENCE["attacks"][0]["points"]


def rho() -> str:
    numbers = memory_by_arm(EVIDENCE)
    return figures.residual_memory(PER_RUN, {arm: numbers[arm] for arm in ("unlearned", "honest")}, 0.2)


def colours(svg: str) -> set[str]:
    """The colours that something in a figure is drawn in."""
    drawn = [node.get(kind) for node in ElementTree.fromstring(svg).iter() for kind in ("fill", "stroke")]
    return {colour for colour in drawn if colour} - {"none"}


def test_every_run_is_a_dot() -> None:
    """Each run of each arm is drawn once, in the arm's colour."""
    dots = [node.get("fill") for node in ElementTree.fromstring(rho()).iter("use") if node.get("y")]
    assert dots.count(ACCENT) == len(PER_RUN["unlearned"])
    assert dots.count(MUTED) >= len(PER_RUN["original"]) + len(PER_RUN["honest"])


def test_colours_have_a_dark_counterpart() -> None:
    """A figure uses the colours of the palette, each of which a dark screen replaces."""
    assert colours(rho()) == {INK, MUTED, LINE, ACCENT, BAND}
    assert colours(figures.roc("lira", "LiRA", POINTS)) == {INK, MUTED, LINE, ACCENT}
    assert set(DARK) == {INK, MUTED, LINE, ACCENT, BAND}


def test_figures_tell_what_they_show() -> None:
    """The title of a figure gives its numbers in words."""
    assert (
        '<title id="figure-rho-title">Residual memory of every run, by arm, with the margin ±0.2. '
        "unlearned 0.031 [−0.039, 0.101]; honest −0.012 [−0.082, 0.058].</title>"
    ) in rho()
    told = re.search("<title.*?</title>", figures.roc("lira", "LiRA", POINTS[:1]))
    assert told is not None
    assert (
        told[0]
        == '<title id="figure-roc-lira-title">ROC points of the attack LiRA: at false-positive rate 0.0167, '
        "true-positive rate original 0.042, unlearned 0.021, placebo 0.020, retrained 0.020.</title>"
    )


def test_references_inside_a_figure_hold() -> None:
    """Every reference in a figure has its target there, under the figure's own name."""
    svg = rho()
    references = set(re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', svg))
    targets = {link or clip for link, clip in references}
    assert targets
    assert targets <= set(re.findall(r'\bid="([^"]*)"', svg))
    assert all(target.startswith("figure-rho-") for target in targets)


def test_undefined_and_zero_rates_are_drawn_without_harm() -> None:
    """A rate that is zero or not defined leaves a gap, not an error or a wrong point."""
    points = json.loads(json.dumps(POINTS))
    points[0]["arms"]["unlearned"]["value"] = 0.0
    points[1]["arms"]["unlearned"]["value"] = None
    assert "unlearned not defined" in figures.roc("lira", "LiRA", points)
