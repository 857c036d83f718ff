"""Everything that a released checkpoint may be refused for."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from auditkit.claims.claim import Claim
from auditkit.claims.read import parse_claim
from auditkit.core.errors import UsageError
from auditkit.core.progress import NullReporter
from auditkit.data import load
from auditkit.study.checkpoint import load_checkpoint
from auditkit.study.checks import claim_problems
from auditkit.study.study import prepare
from auditkit.training import initialise
from tests.study.released import claim_of


class Hostile:
    """Runs code where it is unpickled."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("ran"),))


def problems_of(claim: Claim, folder: Path) -> list[str]:
    released, problems = load_checkpoint(claim, load("digits"), folder)
    assert (released is None) == bool(problems)
    return problems


def test_a_checkpoint_that_holds_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pickle that would run something is refused, and nothing runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.pt").write_bytes(pickle.dumps(Hostile()))
    torch.save({"0.weight": Hostile()}, tmp_path / "model.pth")
    for name in ("model.pt", "model.pth"):
        [problem] = problems_of(claim_of(release={"weights": name}), tmp_path)
        assert (
            f"release.weights = '{name}': must hold weights that can be read without running code" in problem
        )
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    """Weights that do not fit, are not finite, are none at all or not there are said before
    anything is trained."""
    study = prepare(claim_of().model_copy(update={"release": None}), tmp_path, [], NullReporter())
    weights = initialise(study.build, 0).state_dict()
    path = tmp_path / "model.safetensors"

    def written(state: dict[str, torch.Tensor]) -> str:
        safetensors.torch.save_file(state, path)
        [problem] = problems_of(claim_of(), tmp_path)
        return problem

    narrow = {**weights, "1.weight": weights["1.weight"][:32].clone()}
    assert "1.weight: (32, 64) in the file, (64, 64) in the model; name the architecture" in written(narrow)
    assert "3.bias: absent in the file" in written({k: v for k, v in weights.items() if k != "3.bias"})
    assert "NaN or infinity in 1.bias" in written({**weights, "1.bias": torch.full((64,), torch.nan)})
    path.write_bytes(b"nothing of the kind")
    assert "must hold weights that can be read" in problems_of(claim_of(), tmp_path)[0]
    path.unlink()
    assert "No such file" in problems_of(claim_of(), tmp_path)[0]
    torch.save([1], tmp_path / "model.pt")
    assert "found list" in problems_of(claim_of(release={"weights": "model.pt"}), tmp_path)[0]


def test_what_a_released_model_cannot_be_claimed_with(tmp_path: Path) -> None:
    """A procedure beside it, a swapped world and too few runs are told all at once, with the file
    that is missing."""
    claim = claim_of(procedure={"name": "fnn"}, runs={"per_arm": 3, "shadow": 0, "swap": True})
    with pytest.raises(UsageError) as error:
        prepare(claim, tmp_path, [], NullReporter())
    text = "\n".join(error.value.problems)
    assert "found both; remove one of them, or name the procedure that the model was made by" in text
    assert "runs.swap takes a procedure" in text
    assert "runs.per_arm must be at least 4 beside a single model" in text
    assert "No such file" in text


def test_margins_of_one_run_are_only_those_that_the_claim_leaves_open() -> None:
    """What a claim about one model says of its margins stands; of a procedure nothing changes."""
    said = claim_of(criteria={"residual_memory": 0.3}).criteria
    assert (said.residual_memory, said.attack_gap, said.accuracy) == (0.3, 0.1, 0.03)
    procedure, _ = parse_claim({})
    assert (procedure.kind, procedure.criteria.residual_memory) == ("procedure", 0.2)
    assert claim_problems(claim_of(), Path()) == []


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    """Only the endings of formats that can be read safely are taken."""
    (tmp_path / "model.bin").write_bytes(b"")
    [problem] = problems_of(claim_of(release={"weights": "model.bin"}), tmp_path)
    assert problem.endswith(
        "must be a .safetensors, .pt or .pth file, found '.bin'; save the state_dict as one"
    )
