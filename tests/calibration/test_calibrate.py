"""A small calibration from end to end: real digits, real training, real files."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from auditkit.calibration.calibrate import calibrate
from auditkit.calibration.gallery import GALLERY, HONEST_CASES, LIMITS
from auditkit.claims.claim import Claim
from auditkit.claims.read import parse_claim
from auditkit.cli.main import CALIBRATED, main
from auditkit.core.canonical import canonical
from auditkit.core.errors import UsageError
from auditkit.reports import render_calibration

SMALL: dict[str, Any] = {
    "name": "small",
    "data": {"train": 300, "control": 100, "test": 100, "population": 50},
    "forget": {"fraction": 0.2},
    "model": {"options": {"hidden": [32]}},
    "training": {"epochs": 25},
    "runs": {"per_arm": 6, "shadow": 4},
    "criteria": {
        "attacks": ["loss", "label-stability-noise"],
        "recoveries": [],
        "jitter": [0.3],
        "planning_sd": 0.05,
    },
}
FAKES = {name: GALLERY[name] for name in ("no-op", "lookup filter, exact", "others forgotten", "hard labels")}


def small() -> Claim:
    claim, problems = parse_claim(SMALL)
    assert problems == []
    return claim


def test_a_calibration_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every case is tried as often as asked, gross fakes are refuted by residual memory and honest
    retraining is not, the files say what was returned, and the same call finds the same."""
    monkeypatch.setenv("AUDITKIT_CACHE", str(tmp_path / "store"))
    found = calibrate(small(), tmp_path / "out", fakes=FAKES, claims=2, jobs=1)
    cases = {case.name: case for case in found.cases}
    assert list(cases) == ["exact retraining", *HONEST_CASES, *FAKES, *LIMITS]
    assert {case.claims for case in found.cases} == {2}
    assert found.runs == dict.fromkeys(("original", "retrained", "honest", *cases), 10)
    assert found.diverged == ()
    assert cases["exact retraining"].refuted.claims == 0
    for name in ("no-op", "others forgotten"):
        assert cases[name].refuted.claims == 2
        assert cases[name].refuted_by[0].test == "residual memory, exact"
        assert cases[name].rho == pytest.approx(1, abs=0.5)
    assert abs(cases["lookup filter, exact"].rho or 9) < 0.8

    content = (tmp_path / "out" / "calibration.json").read_bytes()
    assert content == canonical(found)
    assert (tmp_path / "out" / "calibration.html").read_text() == render_calibration(content)
    again = calibrate(small(), tmp_path / "out", fakes=FAKES, claims=2, jobs=1)
    assert canonical(again) == content


def test_a_claim_with_problems_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    """A misspelt key is a usage error, exit code 2, and nothing is written."""
    (tmp_path / "claim.toml").write_text("[runs]\nper_harm = 4\n")
    result = CliRunner().invoke(
        main, ["calibrate", str(tmp_path / "claim.toml"), "--out", str(tmp_path / "out"), "--json"]
    )
    assert result.exit_code == 2
    [problem] = json.loads(result.stdout)["error"]
    assert problem.startswith("runs.per_harm: not a key of a claim")
    assert not (tmp_path / "out").exists()


def test_no_other_files_are_overwritten(tmp_path: Path) -> None:
    """A directory that holds anything but an earlier table is refused, and so is a file."""
    (tmp_path / "evidence.json").write_text("{}")
    with pytest.raises(
        UsageError, match=r"must be empty, or hold an earlier table alone; found evidence\.json"
    ):
        calibrate(small(), tmp_path)
    with pytest.raises(UsageError, match="must be a directory for the table, found a file"):
        calibrate(small(), tmp_path / "evidence.json")


def test_every_answer_has_its_exit_code() -> None:
    """Right 0, wrong 1, blind 3: as for audits, 2 and 4 are for errors."""
    assert CALIBRATED == {"right": 0, "wrong": 1, "blind": 3}
