"""Whole audits of answers that were handed in as arrays."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditkit.claims.claim import Claim
from auditkit.claims.read import parse_claim
from auditkit.core.errors import UsageError
from auditkit.predictions import audit_predictions
from auditkit.signals.predictions_file import load_predictions

FORGET, CONTROL, REST = 60, 120, 150
SETS = np.repeat(["retain", "forget", "control", "test", "population"], [REST, FORGET, CONTROL, REST, REST])
CLASSES, N = 4, 10
Arrays = dict[str, Any]


def answers(
    rng: np.random.Generator,
    runs: int,
    base: np.ndarray[Any, Any],
    labels: np.ndarray[Any, Any],
    memory: float,
) -> np.ndarray[Any, Any]:
    """Logits whose own class stands out, by `memory` more on forget records."""
    logits = base + 0.7 * rng.normal(size=(runs, *base.shape))
    own = np.arange(len(labels))
    logits[:, own, labels] += 1.0 + memory * (SETS == "forget") + 4.0 * (SETS == "retain")
    return logits.astype(np.float32)


def arrays(seed: int = 0, *, unlearned: int = N, memory: float = 0.0, **changes: Any) -> Arrays:
    """What a claimant hands in; memory: what is left of the forget records in the unlearned runs
    (originals: 3)."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, len(SETS))
    base = rng.normal(0, 2, (len(SETS), CLASSES))
    made = {
        arm: answers(rng, runs, base, labels, left)
        for arm, runs, left in (
            ("original", N, 3.0),
            ("unlearned", unlearned, memory),
            ("retrained", N, 0.0),
            ("honest", N, 0.0),
        )
    }
    given = {"labels": labels, "ids": np.arange(len(SETS)), "sets": SETS, **made, **changes}
    return {name: value for name, value in given.items() if value is not None}


def near(given: Arrays) -> Arrays:
    """Answers near the records of every arm: two draws, like the answers on the records
    themselves."""
    beside = np.concatenate([np.flatnonzero(SETS == "forget"), np.flatnonzero(SETS == "control")])
    rng = np.random.default_rng(9)
    return {
        f"near/0.3/{arm}": (
            given[arm][:, None, beside]
            + 0.1 * rng.normal(size=(len(given[arm]), 2, FORGET + CONTROL, CLASSES))
        )
        for arm in ("original", "unlearned", "retrained", "honest")
    }


def claim_of(**said: Any) -> Claim:
    claim, problems = parse_claim({"name": "answers", "predictions": {"file": "p.npz"}, **said})
    assert problems == []
    return claim


def audited(folder: Path, given: Arrays, **said: Any) -> Any:
    np.savez(folder / "p.npz", **given)
    return audit_predictions(claim_of(**said), folder / "out", folder=folder)


def test_answers_are_audited_where_torch_is_never_imported(tmp_path: Path) -> None:
    """`auditkit audit` on arrays imports neither torch nor what brings it along, supports honest
    answers, and names what was not handed in as unchecked in place of requiring it."""
    given = arrays()
    np.savez(tmp_path / "p.npz", **given, **near(given))
    (tmp_path / "claim.toml").write_text(
        'name = "answers"\n[predictions]\nfile = "p.npz"\n[criteria]\nattack_gap = 0.06\n'
    )
    program = (
        "import sys\nfrom auditkit.cli.main import main\ntry:\n    main(['audit', 'claim.toml', '--out',"
        " 'out'])\nfinally:\n    print([m for m in ('torch', 'art', 'opacus') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    evidence = json.loads((tmp_path / "out" / "evidence.json").read_bytes())
    assert evidence["verdict"]["outcome"] == "supported"
    assert evidence["scope"]["kind"] == "predictions"
    assert "torch" not in evidence["environment"]
    assert evidence["data"]["near_duplicates"] is None
    names = [finding["name"] for finding in evidence["findings"]]
    assert names[:3] == ["residual memory, exact", "residual memory, jitter 0.3", "spared records"]
    assert not [name for name in names if "lira" in name or "label-stability" in name or "shokri" in name]
    unchecked = {item["what"] for item in evidence["not_checked"]}
    assert {"how the models were trained", "near-duplicates", "what the weights hold"} <= unchecked
    assert {
        "attack: LiRA online",
        "attack: Label stability under noise",
        "attack: Quantile regression",
    } <= unchecked
    lock = json.loads((tmp_path / "out" / "lock.json").read_bytes())
    assert lock["required_tests"] == names
    assert "p.npz" in (tmp_path / "out" / "report.html").read_text()


def test_one_unlearned_run_is_judged_as_one_run(tmp_path: Path) -> None:
    """The answers of a single model go by prediction intervals and their margins, and the scope
    says what that leaves open; with shadow runs the attacks that learn from them are required;
    without answers near the records that is said."""
    given = arrays(unlearned=1, memory=3.0)
    given |= {arm: given[arm][:6] for arm in ("original", "retrained", "honest")}
    member = np.random.default_rng(5).random((4, len(SETS))) < 0.5
    given |= {"shadow": given["honest"][:4] + 3.0 * member[..., None], "shadow/member": member}
    evidence = audited(tmp_path, given)
    assert evidence.verdict.outcome == "not_supported"
    assert evidence.verdict.margin == 0.5
    assert evidence.controls[0].meaning.startswith("each of the further retrained runs in turn")
    assert evidence.scope.cannot[-1].startswith("That another run would have come out alike")
    required = {finding.name for finding in evidence.findings}
    assert {"attack gap, lira-online", "attack gap, rmia-online", "attack gap, attack-r"} <= required
    assert not [name for name in required if "jitter" in name]
    assert evidence.not_checked[0].what == "residual memory near the records"


def test_without_an_honest_arm_the_retrained_runs_are_divided(tmp_path: Path) -> None:
    """Every other retrained run stands for the honest control; originals are cut to as many, and
    the notes say so."""
    np.savez(tmp_path / "p.npz", **arrays(honest=None, unlearned=1))
    given = load_predictions(tmp_path / "p.npz", 0)
    arms = {arm: len(given.signals.runs_of(arm)) for arm in ("original", "unlearned", "retrained", "honest")}
    assert arms == {"original": 5, "unlearned": 1, "retrained": 5, "honest": 5}
    rows = np.load(tmp_path / "p.npz")["retrained"]
    np.testing.assert_array_equal(given.signals.logits[given.signals.arms == "honest"], rows[1::2])
    assert given.notes[1] == "Of 10 runs of the arm original, 5 are used: all arms need as many."


def test_everything_wrong_with_the_arrays_is_told_at_once(tmp_path: Path) -> None:
    """Shapes, NaN, repeated ids, odd sets, missing arms, copies and misspelt names come in one
    error, nothing is written."""
    given = arrays(retrained=None, unlearned=2)
    given["ids"][1] = given["ids"][0]
    given["original"][2, 3, 1] = np.nan
    given["honest"] = given["honest"][..., :3]
    given["orignal"] = given["original"]
    given["sets"] = np.where(SETS == "control", "kontrol", SETS)
    given["shadow"] = given["original"]
    np.savez(tmp_path / "p.npz", **given)
    with pytest.raises(UsageError) as error:
        audit_predictions(claim_of(model={"name": "mlp"}), tmp_path / "out", folder=tmp_path)
    assert list(error.value.problems) == [
        "model: a claim about answers trains nothing, found [model]; remove it, or [predictions]",
        "p.npz: orignal: not an array of this file; did you mean 'original'?",
        "p.npz: must hold retrained, which is missing; add what is missing",
        "p.npz: ids: must be unique, found 1 repeated: 0",
        "p.npz: sets: must be among retain, forget, control, test, population, found kontrol",
        "p.npz: sets: at least 20 record(s) must be control, found 0",
        "p.npz: original: must be finite as float32, found NaN or infinity in 1 of 10 runs",
        "p.npz: honest: must be logits of shape (runs, 630, 4), found (10, 630, 3)",
        "p.npz: shadow: must be finite as float32, found NaN or infinity in 1 of 10 runs",
        "p.npz: unlearned: must be one run, or at least 3, found 2",
        (
            "p.npz: shadow and shadow/member: must be handed in together, found one of them; add the other,"
            " or leave it out"
        ),
    ]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"labels": np.zeros((3, 2))}, "labels: must be integers, one a record"),
        ({"labels": np.full(630, 4)}, "labels: must be 0 .. 3, a logit each, found 4 .. 4"),
        ({"ids": np.arange(5)}, "ids: must be strings or integers, one a record, found int64 of shape (5,)"),
        ({"sets": np.zeros(630)}, "sets: must be strings, one a record, found float64"),
        ({"honest": None, "retrained": np.zeros((4, 630, 4))}, "retrained: must be at least 6 runs, found 4"),
        ({"original": np.zeros((10, 630))}, "original: must be logits of shape (runs, 630, 4), found (10, 630)"),
        ({"near/0.3/original": np.zeros((10, 1, 180, 4))}, "must hold near/0.3/unlearned, near/0.3/retrained, near/0.3/honest"),
        ({"near/far/original": np.zeros((10, 1, 180, 4))}, "near/far: must name a positive share"),
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit_are_refused(tmp_path: Path, changes: Arrays, problem: str) -> None:
    """Each of these is refused with what it must be and what was found."""
    np.savez(tmp_path / "p.npz", **arrays(**changes))
    with pytest.raises(UsageError) as error:
        load_predictions(tmp_path / "p.npz", 0)
    assert problem in "\n".join(error.value.problems)


def test_copies_are_refused(tmp_path: Path) -> None:
    """Reference runs handed in twice, and an unlearned run that is a retrained one, are no runs of
    their own."""
    given = arrays()
    given["retrained"][3] = given["retrained"][1]
    given["unlearned"][0] = given["honest"][2]
    np.savez(tmp_path / "p.npz", **given)
    with pytest.raises(UsageError) as error:
        load_predictions(tmp_path / "p.npz", 0)
    assert list(error.value.problems) == [
        (
            "p.npz: retrained run 3: must be a run of its own, found the answers of retrained run 1; hand in"
            " another"
        ),
        (
            "p.npz: unlearned run 0: must be a run of its own, found the answers of honest run 2; hand in"
            " another"
        ),
    ]


def test_files_that_are_no_arrays_are_refused(tmp_path: Path) -> None:
    """No file, no archive and pickled objects are refused, and nothing is unpickled."""
    path = tmp_path / "p.npz"
    with pytest.raises(UsageError, match="No such file"):
        load_predictions(path, 0)
    path.write_bytes(b"no archive")
    with pytest.raises(UsageError, match="plain arrays"):
        load_predictions(path, 0)
    np.savez(path, labels=np.array([object()]))
    with pytest.raises(UsageError, match="plain arrays"):
        load_predictions(path, 0)


def test_criteria_that_need_more_than_was_handed_in_are_refused(tmp_path: Path) -> None:
    """Jitter without answers near the records, and recoveries without models, are told before
    anything is computed."""
    np.savez(tmp_path / "p.npz", **arrays())
    said = claim_of(criteria={"jitter": [0.3], "recoveries": ["probe"], "attacks": ["loss", "lozz"]})
    with pytest.raises(UsageError) as error:
        audit_predictions(said, tmp_path / "out", folder=tmp_path)
    text = "\n".join(error.value.problems)
    assert "found lozz" in text
    assert "criteria.recoveries: they take models in hand" in text
    assert "criteria.jitter: answers near the records must be handed in for each, found none for 0.3" in text
