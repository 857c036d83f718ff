"""What `auditkit plan` says."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from auditkit.claims.criteria import Criteria
from auditkit.claims.read import parse_claim
from auditkit.cli.main import main
from auditkit.engine.plan import Plan
from auditkit.statistics.power import POWER, equivalence_power, one_sided_power
from auditkit.statistics.sequential import OperatingCharacteristic
from auditkit.study.power_forecast import PowerForecast, Sensitivity, courses_of, in_words, sharpness

SD = 2**0.5 * 0.15

FORESEEN = PowerForecast(
    claim="made up",
    lines=("112 runs: at most 20 each", "plan: one by one, about a minute"),
    plan=Plan(1, 1, "cpu"),
    cost=None,
    sd=0.15,
    margin=0.2,
    alpha=0.05,
    tests=25,
    supported=0.968,
    runs_needed=12,
    looks=(Sensitivity(8, 0.02, 0.2551, 0.7034), Sensitivity(20, 0.03, 0.136, 0.4402)),
    courses={
        "an honest claim": OperatingCharacteristic((8, 20), (0.281, 0.687), (0.0, 0.001), 16.63),
        "a no-op": OperatingCharacteristic((8, 20), (0.0, 0.0), (0.996, 0.004), 8.05),
    },
)


def test_a_plan_word_for_word() -> None:
    """What is foreseen is told in these lines."""
    assert (
        "\n".join(in_words(FORESEEN))
        == """\
112 runs: at most 20 each
plan: one by one, about a minute
power, if the residual memory of one run has a standard deviation of 0.15 as planned:
  an honest claim passes the test of residual memory, margin ±0.2, with probability 0.97; \
the other 24 required tests can only lower that
  for probability 0.8 at that margin, with one look: 12 runs an arm
  look at runs an arm                 level   told from none   refuted from
  8                                  0.0200            0.255          0.703
  20                                 0.0300            0.136          0.440
  (the smallest residual memory, with probability 0.8)
course, by the test of residual memory alone: the probability that the audit ends at a look
  truth                                runs        supported  not supported  runs, mean
  an honest claim                         8            0.281          0.000        16.6
                                         20            0.687          0.001
  a no-op                                 8            0.000          0.996         8.1
                                         20            0.000          0.004"""
    )


def test_a_look_sees_what_its_tests_would_find_with_the_stated_probability() -> None:
    """Memory told from none is found by the one-sided test at the look's level with probability .8,
    and memory that is refuted stands Holm's correction on either side of the margin as often."""
    seen = sharpness(8, 0.25, Criteria(), SD, 25)
    assert (seen.runs, seen.level) == (8, 0.0125)
    assert one_sided_power(8, SD, seen.told_from_none, 0.0125) == pytest.approx(POWER)
    assert one_sided_power(8, SD, seen.refuted - 0.2, 0.0125 / 50) == pytest.approx(POWER)


def test_an_audit_of_one_look_goes_as_its_power_says() -> None:
    """Without looks the audit ends at its runs, supported with the power of the equivalence
    test."""
    claim, _ = parse_claim({"runs": {"per_arm": 14}})
    honest = courses_of(claim, SD, 25)["an honest claim"]
    assert (honest.runs, honest.expected_runs) == ((14,), 14)
    assert honest.supported[0] == pytest.approx(equivalence_power(14, SD, 0.2, 0.05), abs=0.01)


def test_plan_is_one_document_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`auditkit plan --json` exits 0 with one JSON document that holds cost, looks and courses, and
    writes no bundle; a claim that cannot be audited exits 2 and says why."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUDITKIT_CACHE", str(tmp_path / "store"))
    Path("claim.toml").write_text(
        'name = "small"\n[training]\nepochs = 1\n[runs]\nper_arm = 16\nlooks = [8]\n'
    )
    done = CliRunner().invoke(main, ["plan", "claim.toml", "--json", "--width", "4", "--jobs", "1"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["cost"]["runs"] == 3 * 16 + 16
    assert found["cost"]["stacks"] == 3 * 4 + 4
    assert [look["runs"] for look in found["looks"]] == [8, 16]
    assert list(found["courses"]) == ["an honest claim", "half the memory left", "a no-op"]
    assert found["lines"][0].startswith("96 runs: at most 16 each of original")
    assert [p.name for p in tmp_path.iterdir()] == ["claim.toml"]
    Path("claim.toml").write_text('name = "small"\n[runs]\nper_arm = 8\n')
    done = CliRunner().invoke(main, ["plan", "claim.toml", "--width", "4"])
    assert done.exit_code == 2
    assert "12 runs would do" in done.stderr
