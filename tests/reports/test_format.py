import pytest

from auditkit.reports import format as formats


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0314, "0.031"),
        (-0.0314, "−0.031"),
        (-0.0001, "0.000"),
        (0, "0.000"),
        (12, "12.000"),
        (None, "not defined"),
    ],
)
def test_decimal(value: float | None, text: str) -> None:
    """Numbers have three decimals and a true minus sign, and nothing reads "−0.000"."""
    assert formats.decimal(value) == text


@pytest.mark.parametrize(
    ("value", "low", "high", "confidence", "text"),
    [
        (0.031, -0.039, 0.101, 0.9, "0.031 [−0.039, 0.101]"),
        (0.031, None, 0.101, 0.95, "0.031 [unbounded, 0.101]"),
        (0.031, None, None, None, "0.031"),
        (None, None, None, 0.9, "not defined"),
        (None, 0.3, None, 0.9, "not defined [0.300, unbounded]"),
    ],
)
def test_number(
    value: float | None, low: float | None, high: float | None, confidence: float | None, text: str
) -> None:
    """A number comes with its interval; an open end is unbounded; without a level there is none."""
    assert formats.number({"value": value, "low": low, "high": high, "confidence": confidence}) == text


def test_small_words() -> None:
    """Levels, counts, p-values, settings and keys read as people write them."""
    assert formats.percent(0.9) == "90 %"
    assert formats.percent(0.975) == "97.5 %"
    assert formats.counted(1, "run") == "1 run"
    assert formats.counted(1200, "record") == "1,200 records"
    assert formats.format_p(0.0004) == "< 0.001"
    assert formats.format_p(None) == "none"
    assert formats.format_p(0.81) == "0.810"
    assert formats.exact(0.2) == "0.2"
    assert formats.exact(None) == "none"
    assert formats.title("threat_model") == "Threat model"


def test_run_facts() -> None:
    """Times are to the minute with their zone, memory has a unit."""
    assert formats.clock("2026-11-22T09:45:10+00:00") == "2026-11-22 09:45 UTC"
    assert formats.clock("2026-11-22T09:45:10Z") == "2026-11-22 09:45 UTC"
    assert formats.duration(724.2) == "0:12:04"
    assert formats.memory(1_234_567_890) == "1.2 GB"


def test_phrase() -> None:
    """A value of any shape becomes words; what a mapping leaves open is left out."""
    value = {"name": "fnn", "options": {"t": 50.0, "on": True}, "label": None, "radii": [0.1, 0.3]}
    assert formats.phrase(value) == "name = fnn, options = (t = 50.0, on = yes), radii = (0.1, 0.3)"
    assert formats.phrase(None) == "not stated"


def test_markdown() -> None:
    """Signs of Markdown and HTML are shown, intervals stay readable, links are not made."""
    assert formats.markdown("a|b *c* <d> & `e`\nf") == r"a\|b \*c\* &lt;d&gt; &amp; \`e\` f"
    assert formats.markdown("[0.1, 0.2]") == "[0.1, 0.2]"
    assert formats.markdown("[x](y) [x]: y") == r"[x\](y) [x\]: y"


@pytest.mark.parametrize(
    ("test", "margin", "two_sided", "text"),
    [
        ("residual memory, exact", 0.2, True, "±0.2"),
        ("test accuracy", 0.01, False, "at most 0.01"),
        ("visible records", 0.8, False, "at least 0.8"),
        ("spared records", None, False, "none"),
    ],
)
def test_a_margin_says_its_sides(test: str, margin: float | None, two_sided: bool, text: str) -> None:
    """A two-sided margin has a sign, an upper bound says "at most", the floor of visible records
    "at least", and no margin is "none"."""
    assert formats.bound({"test": test, "margin": margin, "two_sided": two_sided}) == text


@pytest.mark.parametrize(
    ("low", "high", "level", "text"),
    [
        (0.1, 0.2, 0.9, "90 % interval"),
        (None, 0.2, 0.95, "upper bound at 95 % confidence"),
        (0.1, None, 0.95, "lower bound at 95 % confidence"),
        (None, None, None, "no interval"),
    ],
)
def test_a_bound_is_not_called_an_interval(
    low: float | None, high: float | None, level: float | None, text: str
) -> None:
    """A one-sided bound has another level than the interval that it is one end of, and says so."""
    assert formats.confidence({"low": low, "high": high, "confidence": level}) == text
