"""The user's own model, named in a claim."""

import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.func import stack_module_state

from auditkit.core.errors import UsageError
from auditkit.core.progress import NullReporter
from auditkit.core.user_code import resolve
from auditkit.models.architectures import MODELS, builder
from auditkit.study.checks import claim_problems
from auditkit.study.study import prepare
from tests.study.own_code import MODEL, claim_of


def test_a_claim_with_hooks_of_its_own_is_accepted(folder: Path) -> None:
    """The user's own data and model are those of the study, wherever the folder lies."""
    study = prepare(claim_of(), folder, [], NullReporter())
    assert (study.data.name, study.data.x.shape, study.data.licence) == ("data", (300, 4), "ours")
    assert study.data.origin == "the function load_data of data.py"
    assert study.data.groups[:4].tolist() == ["0", "0", "1", "1"]
    model = pickle.loads(pickle.dumps(study.build))()
    assert model(torch.zeros(2, 4)).shape == (2, 3)
    assert model.hidden.out_features == 5
    assert "train" not in asdict(study.recipe)


def test_models_of_a_users_own_class_can_be_stacked(folder: Path) -> None:
    """A user's file is run once, so that its models are of one class and can be trained as one
    stack."""
    build = builder(claim_of().model, folder, (4,), 3)
    weights, _ = stack_module_state([build(), build()])
    assert weights["head.weight"].shape == (2, 3, 5)


def test_a_file_that_was_changed_is_run_again(folder: Path) -> None:
    """What counts is the file as it is when it is resolved, not when it was first read."""
    before = builder(claim_of().model, folder, (4,), 3)()
    (folder / "model.py").write_text(MODEL.replace("nn.Linear(4, width)", "nn.Linear(4, width, bias=False)"))
    after = builder(claim_of().model, folder, (4,), 3)()
    assert len(list(before.parameters())) == len(list(after.parameters())) + 1


def test_a_users_file_may_define_dataclasses(folder: Path) -> None:
    """A module read from its file works like an imported one: dataclasses find themselves."""
    (folder / "train.py").write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\n\n"
        "@dataclass\nclass Step:\n    size: float = 1.0\n\n"
        "def train(model, data, seed, step: Step = Step()):\n    return model\n"
    )
    assert claim_problems(claim_of(), folder) == []


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("raise RuntimeError('no GPU here')", "found RuntimeError: no GPU here"),
        ("raise SystemExit(0)", "found SystemExit: 0"),
        ("return [1]", "found no torch.nn.Module but list"),
        ("return nn.Flatten()", "found a model with nothing to train"),
        ("return nn.Linear(4, 2)", "found for two records logits of shape (2, 2)"),
        ("return nn.Linear(4, 3).to(torch.float64)", "found RuntimeError: mat1 and mat2"),
        ("return nn.Linear(5, 3)", "found RuntimeError: mat1 and mat2 shapes cannot be multiplied"),
        (
            "m = nn.Linear(4, 3); nn.init.constant_(m.weight, float('nan')); return m",
            "found the logits [nan, nan, nan]",
        ),
        (
            "m = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)); m[1].train = lambda mode: m[1]; return m",
            "found RuntimeError: scoring changed the model",
        ),
    ],
)
def test_a_model_that_cannot_be_used_is_one_problem(folder: Path, body: str, found: str) -> None:
    """A model that fails, or answers in another shape or without finite numbers, is refused before
    training."""
    (folder / "model.py").write_text(
        f"import torch\nfrom torch import nn\n\ndef build_model():\n    {body}\n"
    )
    with pytest.raises(UsageError) as refused:
        prepare(claim_of(model={"name": "./model.py:build_model"}), folder, [], NullReporter())
    (problem,) = refused.value.problems
    assert problem.startswith(
        "model.name = './model.py:build_model' must build a model that answers records of shape (4,) with one"
        " finite logit for each of 3 classes; found "
    )
    assert found in problem
    assert problem.endswith("; mend it, or name another")


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        (
            {"name": "vgg"},
            (
                "model.name must be one of mlp, cnn, resnet, vit, or 'package.module:function' or"
                " './file.py:function'"
            ),
        ),
        ({"name": "./none.py:build_model"}, "it could not be imported: FileNotFoundError"),
        ({"name": "./model.py:none"}, "it could not be imported: AttributeError"),
        ({"name": "./model.py:nn"}, "it must be a function, found module"),
        ({"name": "math:pi"}, "it must be a function, found float"),
        (
            {"options": {"hiden": [3]}},
            "model.options.hiden: not an option of this model; its options: hidden",
        ),
        ({"options": {"hidden": []}}, "model.options.hidden: value should have at least 1 item"),
        (
            {"options": {"hidden": [64, 0]}},
            "model.options.hidden.1: input should be greater than or equal to 1",
        ),
        (
            {"options": {"hidden": ["64"]}},
            "model.options.hidden.0: input should be a valid integer, found '64'",
        ),
        ({"name": "cnn", "options": {"dropout": [0.5]}}, "model.options.dropout.1: field required"),
        (
            {"name": "./model.py:build_model", "options": {"width": "wide"}},
            "model.options.width: input should be a valid integer, found 'wide'",
        ),
    ],
)
def test_a_model_or_option_that_is_not_there_is_one_problem(
    folder: Path, model: dict[str, Any], problem: str
) -> None:
    """Names and options are judged before any data is read, the user's own by their signature."""
    (found,) = claim_problems(claim_of(model=model), folder)
    assert problem in found
    with pytest.raises(UsageError) as refused:
        prepare(claim_of(model=model), folder, [], NullReporter())
    assert list(refused.value.problems) == [found]


def test_a_function_of_an_importable_module_is_found(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """ "package.module:function" names what Python can import; a file is named by its path."""
    (folder / "auditkit_hook_of_this_test.py").write_text(MODEL)
    monkeypatch.syspath_prepend(folder)
    build = resolve("auditkit_hook_of_this_test:build_model", Path("elsewhere"), MODELS, "model.name")
    assert isinstance(build(), nn.Module)


def test_annotations_that_cannot_be_read_are_a_problem(folder: Path) -> None:
    """An annotation that names nothing is told as a problem with the options."""
    (folder / "model.py").write_text("def build_model(width: 'Missing' = 3):\n    pass\n")
    (problem,) = claim_problems(claim_of(), folder)
    assert problem.startswith("model.options: the function's parameters could not be read: NameError")
