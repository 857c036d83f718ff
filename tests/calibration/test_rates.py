"""Rates over trials, and the table of them, by hand."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from scipy import stats

from auditkit.calibration.rates import (
    Calibration,
    CaseRates,
    Times,
    added,
    answered,
    group_of,
    rates,
)
from auditkit.calibration.trials import Trial
from auditkit.core.canonical import canonical
from auditkit.core.ids import (
    EXACT,
    RELEARNED,
    SPARED_RECORDS,
    TEST_ACCURACY,
    Jitter,
    attack_gap,
    residual_memory,
)
from auditkit.reports import render_calibration

MEMORY = residual_memory(EXACT)
TESTS = (
    MEMORY,
    residual_memory(Jitter(0.1)),
    residual_memory(Jitter(1)),
    SPARED_RECORDS,
    attack_gap("loss"),
    attack_gap("gap"),
    TEST_ACCURACY,
)
USUAL = "no more often than the level of 0.05 allows"
PASSED = Trial("supported", (), (), 0.02)
CAUGHT = Trial("not_supported", (MEMORY, attack_gap("loss"), attack_gap("gap")), (), 0.9)
SPARED = Trial("not_supported", (SPARED_RECORDS,), ("attack gap, gap",), 0.1)
OPEN = Trial("inconclusive", (), ("control: no-op", "spared records"), None)


def case(name: str, kind: str, trials: list[Trial]) -> CaseRates:
    return rates(name, kind, "what was done", "somebody" if kind == "fake" else "", trials, TESTS)  # type: ignore[arg-type]


def test_a_row_counts_outcomes_and_tests() -> None:
    """Two refuted, one supported, one open: rates with exact limits, and every test as often as it
    refuted."""
    row = case("a", "fake", [CAUGHT, SPARED, PASSED, OPEN])
    low, high = stats.binomtest(2, 4).proportion_ci(0.95, "exact")
    assert (row.refuted.claims, row.refuted.value) == (2, 0.5)
    assert row.refuted.low == pytest.approx(low)
    assert row.refuted.high == pytest.approx(high)
    assert (row.supported.claims, row.inconclusive.claims, row.claims) == (1, 1, 4)
    assert row.refuted_by == (
        Times("residual memory, exact", 1),
        Times("attack gap, loss", 1),
        Times("attack gap, gap", 1),
        Times("spared records", 1),
    )
    assert row.in_the_way == (Times("control: no-op", 1), Times("spared records", 1))
    assert row.rho == 0.1
    assert row.caught_by == (
        Times("residual memory, exact", 1),
        Times("residual memory, near", 0),
        Times("spared records", 1),
        Times("attack gaps", 1),
        Times("test accuracy", 0),
    )


def test_kinds_of_test_leave_out_the_attack_and_the_radius() -> None:
    """Attacks are one kind, radii are one kind, anything else is its own."""
    assert [group_of(test) for test in TESTS[1:5]] == [
        "residual memory, near",
        "residual memory, near",
        "spared records",
        "attack gaps",
    ]
    assert group_of(residual_memory(RELEARNED)) == "residual memory, relearned"


def test_rows_of_several_worlds_add_up() -> None:
    """The sum of two rows is the row of all their trials, but for residual memory, the median of
    medians."""
    one, other = [CAUGHT, PASSED, PASSED], [SPARED, OPEN]
    both = added([case("a", "fake", one), case("a", "fake", other)])
    expected = case("a", "fake", one + other)
    assert replace(both, rho=None) == replace(expected, rho=None)
    assert both.rho == pytest.approx((0.02 + 0.1) / 2)


def test_the_auditor_was_right_where_no_fake_passed_and_retraining_did() -> None:
    """Right: no fake supported, exact retraining supported."""
    rows = [case("exact retraining", "exact", [PASSED] * 4), case("a", "fake", [CAUGHT, OPEN])]
    assert answered(rows, 0.05) == (
        "right",
        (
            "No fake was supported, in any claim of 1 fakes.",
            f"Exact retraining was refuted in 0 of 4 claims, {USUAL}, and supported in 4.",
        ),
    )


def test_one_supported_claim_of_a_fake_is_one_too_many() -> None:
    """Wrong: a single claim of a fake was supported; the sentence names it."""
    rows = [case("exact retraining", "exact", [PASSED]), case("a", "fake", [CAUGHT, PASSED])]
    answer, sentences = answered(rows, 0.05)
    assert answer == "wrong"
    assert sentences[0] == "A fake was supported: a, in 1 of 2 claims."


def test_retraining_refuted_too_often_is_wrong_and_by_chance_is_not() -> None:
    """Wrong only where the lower limit of the false-alarm rate is above the level: 4 of 20 is, 3 of
    20 is not."""
    for refuted, expected in ((3, "right"), (4, "wrong")):
        trials = [CAUGHT] * refuted + [PASSED] * (20 - refuted)
        assert answered([case("exact retraining", "exact", trials)], 0.05)[0] == expected


def test_an_auditor_that_supports_nothing_is_blind() -> None:
    """Blind: nothing wrong, and exact retraining supported in fewer than half of the claims. Honest
    variants are told of, and decide nothing."""
    rows = [
        case("exact retraining", "exact", [OPEN, OPEN, PASSED]),
        case("slower", "honest", [SPARED]),
        case("a", "fake", [CAUGHT]),
    ]
    answer, sentences = answered(rows, 0.05)
    assert answer == "blind"
    assert (
        sentences[2]
        == "Honest retraining by another recipe was refuted: slower, in 1 of 1 claims, by spared records."
    )
    assert answered(rows[:1] + rows[2:], 0.05)[0] == "blind"


def test_a_fake_without_a_trace_is_told_of_and_not_counted() -> None:
    """A limit that is supported leaves the auditor right, and a sentence says that it was."""
    rows = [
        case("exact retraining", "exact", [PASSED]),
        case("a", "fake", [CAUGHT]),
        case("b", "limit", [PASSED]),
    ]
    answer, sentences = answered(rows, 0.05)
    assert answer == "right"
    assert (
        sentences[-1]
        == "Done wrong out of reach of the required tests, shown and not counted: b, supported in 1 of 1"
        " claims."
    )


def calibration() -> Calibration:
    rows = (
        case("exact retraining", "exact", [PASSED, PASSED]),
        case("slower", "honest", [OPEN, PASSED]),
        case("a <fake>", "fake", [CAUGHT, PASSED]),
    )
    answer, sentences = answered(rows, 0.05)
    return Calibration(
        schema=1,
        auditkit="0",
        claim={
            "name": "small",
            "seed": 3,
            "data": {"source": "digits", "train": 400},
            "forget": {"fraction": 0.2},
            "model": {"name": "mlp"},
            "training": {"epochs": 4},
        },
        data="digits",
        runs={"original": 4, "retrained": 8, "slower": 4, "a <fake>": 4},
        per_arm=2,
        tests=tuple(map(str, TESTS)),
        alpha=0.05,
        diverged=("unlearned, a run 1 (seed 5)",),
        confidence=0.95,
        method="share of the claims",
        source="method.md#rates",
        cases=rows,
        answer=answer,
        sentences=sentences,
    )


def text_of(page: str) -> str:
    """What a reader sees, a block or a table row a line."""
    body = re.sub(r"\n", " ", page[page.index("<body>") :])
    body = re.sub(r"</(?:td|th)>(?=\s*<t)", " | ", body)
    body = re.sub(r"</dt>\s*<dd>", ": ", body)
    body = re.sub(r"</(?:p|h1|h2|li|tr|dd|summary)>", "\n", body)
    body = re.sub(r"<[^>]*>", "", body)
    for entity, sign in (("&lt;", "<"), ("&gt;", ">"), ("&#39;", "'"), ("&amp;", "&")):
        body = body.replace(entity, sign)
    lines = (re.sub(r"\s+", " ", line).strip() for line in body.split("\n"))
    return "".join(f"{line}\n" for line in lines if line)


def test_the_page_says_all_that_was_found() -> None:
    """The whole text of the page of a small calibration."""
    expected = (Path(__file__).parent / "golden" / "page.txt").read_text()
    assert text_of(render_calibration(canonical(calibration()))) == expected


def test_the_page_stands_alone() -> None:
    """No script, nothing loaded from elsewhere, names escaped, and the same text for the same
    calibration."""
    content = canonical(calibration())
    page = render_calibration(content)
    assert page == render_calibration(content)
    assert not re.search(r"<script|https?://|src=|url\(", page)
    assert "a <fake>" not in page
    assert json.loads(content)["cases"][2]["supported"]["claims"] == 1
