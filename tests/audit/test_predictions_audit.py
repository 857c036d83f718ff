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
from auditkit.core.ids import Jitter, attack_gap
from auditkit.evidence.schema import Evidence
from tests.audit.audits import audited
from tests.signals.submitted import SETS, Arrays, arrays, near


def claim_about_answers(**said: Any) -> Claim:
    claim, problems = parse_claim({"name": "answers", "predictions": {"file": "p.npz"}, **said})
    assert problems == []
    return claim


def audit_of(folder: Path, given: Arrays, **said: Any) -> Evidence:
    np.savez(folder / "p.npz", **given)
    return audited(claim_about_answers(**said), folder / "out", folder=folder)


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
    names = [finding["test"] for finding in evidence["findings"]]
    assert names[:3] == ["residual memory, exact", "residual memory, jitter 0.3", "spared records"]
    assert not [name for name in names if "lira" in name or "label-stability" in name or "shokri" in name]
    unchecked = {item["what"] for item in evidence["not_checked"]}
    assert {"how the models were trained", "near-duplicates", "what the weights hold"} <= unchecked
    assert "memory apart from drift" in unchecked  # no placebo was handed in
    assert {
        "attack: LiRA online",
        "attack: Label stability under noise",
        "attack: Quantile regression",
    } <= unchecked
    lock = json.loads((tmp_path / "out" / "lock.json").read_bytes())
    assert lock["required_tests"] == names
    assert "p.npz" in (tmp_path / "out" / "report.html").read_text()


def drifted(given: Arrays, arm: str) -> Any:
    """Answers near the records after a procedure that makes whatever it is applied to surer there
    of some, among them most of those that were to be forgotten."""
    beside = np.concatenate([np.flatnonzero(part == SETS) for part in ("forget", "control")])
    surer = np.random.default_rng(11).random(len(beside)) < np.where(SETS[beside] == "forget", 0.9, 0.1)
    logits = given[arm][:, None, beside].copy()
    logits[..., np.arange(len(beside)), given["labels"][beside]] += 2.0 * surer
    return logits


def test_a_placebo_keeps_drift_from_being_taken_for_memory(tmp_path: Path) -> None:
    """What a procedure does to any model refutes the answers without the placebo and not with it;
    what it leaves of the memory is refuted with it as well."""
    said: Arrays = {"criteria": {"attacks": ["loss"], "attack_gap": 0.2, "visible": 0}}
    outcomes = {}
    for name, memory, placebo in (("alone", 0, False), ("placebo", 0, True), ("kept", 2.0, True)):
        given = arrays(0, memory=memory)
        answers = given | near(given) | {"near/0.3/unlearned": drifted(given, "unlearned")}
        if placebo:  # made of the honest runs, and otherwise like them
            moved = given["honest"] + 0.1 * np.random.default_rng(5).normal(size=given["honest"].shape)
            answers |= {"placebo": moved, "near/0.3/placebo": drifted(given, "honest")}
        (tmp_path / name).mkdir()
        evidence = audit_of(tmp_path / name, answers, **said)
        outcomes[name] = evidence.verdict.outcome
        names = [control.name for control in evidence.controls if control.passed]
        assert ("placebo" in names) == placebo
    assert outcomes["alone"] == "not_supported"
    assert outcomes["placebo"] != "not_supported"
    assert outcomes["kept"] == "not_supported"


def test_one_unlearned_run_is_judged_as_one_run(tmp_path: Path) -> None:
    """The answers of a single model go by prediction intervals and their margins, and the scope
    says what that leaves open; with shadow runs the attacks that learn from them are required;
    without answers near the records that is said."""
    given = arrays(unlearned=1, memory=3.0)
    given |= {arm: given[arm][:6] for arm in ("original", "retrained", "honest")}
    member = np.random.default_rng(5).random((4, len(SETS))) < 0.5
    given |= {"shadow": given["honest"][:4] + 3.0 * member[..., None], "shadow/member": member}
    evidence = audit_of(tmp_path, given)
    assert evidence.verdict.outcome == "not_supported"
    assert evidence.verdict.margin == 0.5
    assert evidence.controls[0].meaning.startswith("each of the further retrained runs in turn")
    assert evidence.scope.cannot[-1].startswith("That another run would have come out alike")
    required = {finding.test for finding in evidence.findings}
    assert set(map(attack_gap, ("lira-online", "rmia-online", "attack-r"))) <= required
    assert not [test for test in required if isinstance(test.of, Jitter)]
    assert evidence.not_checked[0].what == "residual memory near the records"


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
        audited(claim_about_answers(model={"name": "mlp"}), tmp_path / "out", folder=tmp_path)
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


def test_criteria_that_need_more_than_was_handed_in_are_refused(tmp_path: Path) -> None:
    """Jitter without answers near the records, and recoveries without models, are told before
    anything is computed."""
    np.savez(tmp_path / "p.npz", **arrays())
    said = claim_about_answers(
        criteria={"jitter": [0.3], "recoveries": ["probe"], "attacks": ["loss", "lozz"]}
    )
    with pytest.raises(UsageError) as error:
        audited(said, tmp_path / "out", folder=tmp_path)
    text = "\n".join(error.value.problems)
    assert "found lozz" in text
    assert "criteria.recoveries: they take models in hand" in text
    assert "criteria.jitter: answers near the records must be handed in for each, found none for 0.3" in text
