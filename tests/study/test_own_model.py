"""The user's own model, data and training, named in a claim."""

import pickle
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import stack_module_state

from auditkit.claims.claim import Claim
from auditkit.claims.read import parse_claim
from auditkit.core.errors import UsageError
from auditkit.core.progress import NullReporter
from auditkit.core.user_code import option_problems, resolve
from auditkit.data import Dataset, make_dataset
from auditkit.data.user_data import load_own
from auditkit.models.architectures import MODELS, builder
from auditkit.study.checks import claim_problems, data_problems
from auditkit.study.study import prepare

MODEL = """
from dataclasses import dataclass

import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.hidden, self.head = nn.Linear(4, width), nn.Linear(width, 3)

    def forward(self, x):
        return self.head(self.hidden(x).relu())

def build_model(width: int = 8):
    return Net(width)
"""
DATA = """
import numpy as np

def load_data():
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3
    return {"x": rng.normal(size=(300, 4)) + y[:, None], "y": y, "groups": np.arange(300) // 2,
            "licence": "ours"}
"""
TRAIN = """
def train(model, data, seed):
    return model
"""
OWN: dict[str, Any] = {
    "data": {"source": "./data.py:load_data", "train": 120, "control": 40, "test": 40, "population": 40},
    "model": {"name": "./model.py:build_model", "options": {"width": 5}},
    "training": {"train": "./train.py:train"},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a claim's hooks."""
    for name, text in (("model", MODEL), ("data", DATA), ("train", TRAIN)):
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def claim_of(**changes: Any) -> Claim:
    claim, problems = parse_claim(OWN | changes)
    assert problems == []
    return claim


def flat(side: int = 8) -> Dataset:
    """Two classes of flat images."""
    x = np.random.default_rng(0).normal(size=(20, side))
    return make_dataset("flat", x, np.arange(20) % 2, licence="none", origin="this test")


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


def test_only_images_can_be_convolved_or_augmented() -> None:
    """Flat records of a length that is no square are refused by both image models and by
    augmentation."""
    for name in ("cnn", "resnet"):
        claim = claim_of(
            model={"name": name},
            training={"augment": ["shift"]},
            data={"train": 10, "control": 20, "test": 1, "population": 0},
        )
        augment, model = data_problems(claim, flat(65), Path())[-2:]
        assert (
            augment
            == "training.augment: images must be (channels, height, width), (height, width), or flat with a"
            " square number of pixels, found records of shape (65,); set it to []"
        )
        assert f"model.name = {name!r} must build" in model
        assert "ValueError: images must be (channels, height, width)" in model
        assert not [p for p in data_problems(claim, flat(64), Path()) if "images" in p]


def test_groups_that_do_not_divide_are_a_problem() -> None:
    """An option that is sound by itself and fails in the builder is told with what the builder
    says."""
    claim = claim_of(model={"name": "resnet", "options": {"width": 12}})
    problem = data_problems(claim, flat(64), Path())[-1]
    assert "ValueError: num_channels (12) must be divisible by num_groups (8)" in problem


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("raise OSError('disk')", "it failed: OSError: disk; mend it"),
        ("raise SystemExit(0)", "it failed: SystemExit: 0; mend it"),
        ("return 3", "it must return (x, y) or a mapping with x and y, found int; return one"),
        ("return 1, 2, 3", "it must return (x, y) or a mapping with x and y, found tuple; return one"),
        ("return {'x': [[1.0]]}", "it must return x and y, found x; add y"),
        ("return {'x': [[1.0]], 'y': [0], 'group': [1]}", "found group too; leave it out"),
        ("return [[1.0], [2.0, 3.0]], [0, 1]", "it failed: ValueError: setting an array element"),
        ("return [[1.0], [2.0]], [0, 2]", "labels out of range"),
        ("return [[1.0], [2.0]], [0, 1, 1]", "found 2 inputs and 3 labels"),
    ],
)
def test_data_that_cannot_be_used_is_one_problem(folder: Path, body: str, problem: str) -> None:
    """A loader that fails, or returns what is no data set, is refused together with the claim's
    other problems."""
    (folder / "data.py").write_text(f"def load_data():\n    {body}\n")
    with pytest.raises(UsageError) as refused:
        prepare(claim_of(), folder, ["another problem"], NullReporter())
    other, found = refused.value.problems
    assert other == "another problem"
    assert problem in found


def test_a_loader_may_return_a_pair_of_tensors(folder: Path) -> None:
    """(x, y) will do, as tensors or as arrays; ids and licence are then ours."""
    (folder / "data.py").write_text(
        "import torch\n\ndef load_data():\n    return torch.ones(4, 1, 2), torch.arange(4)\n"
    )
    data = load_own("./data.py:load_data", folder)
    assert (data.x.shape, data.y.tolist()) == ((4, 1, 2), [0, 1, 2, 3])
    assert (data.ids[0], data.licence) == ("record-000000", "not stated by the function")


def test_a_loader_that_is_not_there_is_one_problem(folder: Path) -> None:
    """A loader is named like every other function of the user's own."""
    with pytest.raises(UsageError, match=r"data.source = './none.py:load_data': it could not be imported"):
        prepare(claim_of(data={"source": "./none.py:load_data"}), folder, [], NullReporter())


@pytest.mark.parametrize(
    ("train", "problem"),
    [
        (
            "train",
            (
                "training.train must be 'package.module:function' or './file.py:function' for your own; found"
                " 'train'"
            ),
        ),
        (
            "./none.py:train",
            "training.train = './none.py:train': it could not be imported: FileNotFoundError",
        ),
        (
            "./model.py:build_model",
            "it must be train(model, data, seed), found: too many positional arguments",
        ),
    ],
)
def test_a_training_that_cannot_be_called_is_one_problem(folder: Path, train: str, problem: str) -> None:
    """The user's own training must be there and take a model, data and a seed."""
    (found,) = claim_problems(claim_of(training={"train": train}), folder)
    assert problem in found


def test_a_module_that_fails_or_exits_is_a_problem(folder: Path) -> None:
    """Whatever a user's file does while it is imported, auditkit says what and goes on to the other
    problems."""
    (folder / "model.py").write_text("import sys\nsys.exit(0)\n")
    (folder / "train.py").write_text("def train(:\n")
    model, train = claim_problems(claim_of(), folder)
    assert "it could not be imported: SystemExit: 0; mend it, or correct the name" in model
    assert "it could not be imported: SyntaxError" in train


def test_a_function_of_an_importable_module_is_found(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """ "package.module:function" names what Python can import; a file is named by its path."""
    (folder / "auditkit_hook_of_this_test.py").write_text(MODEL)
    monkeypatch.syspath_prepend(folder)
    build = resolve("auditkit_hook_of_this_test:build_model", Path("elsewhere"), MODELS, "model.name")
    assert isinstance(build(), nn.Module)


def odd(
    first: object, *, schema: int = 1, _x: float = 0.5, pair: tuple[int, int] = (1, 2), seed: int = 0
) -> None:
    """A function whose options bear names that pydantic keeps for itself."""


def anything(first: object, *, seed: int, **others: object) -> None:
    """A function that takes any option."""


@pytest.mark.parametrize(
    ("function", "options", "wrong"),
    [
        (odd, {"schema": 2, "_x": 1, "pair": [3, 4]}, []),
        (odd, {"schema": True}, ["schema"]),
        (odd, {"_x": "1"}, ["_x"]),
        (odd, {"pair": [3]}, ["pair.1"]),
        (odd, {"first": 1}, ["first"]),
        (odd, {"seed": 1}, ["seed"]),
        (anything, {"whatever": [1, {"a": 2}]}, []),
    ],
)
def test_options_are_judged_by_the_signature(
    function: Callable[..., None], options: dict[str, Any], wrong: list[str]
) -> None:
    """What can be given by name and is not the audit's own to give is an option, of exactly the
    annotated type."""
    problems = option_problems(function, options, "part", positional=1, keywords=("seed",))
    assert [problem.split(":")[0] for problem in problems] == [f"part.options.{name}" for name in wrong]


def test_annotations_that_cannot_be_read_are_a_problem(folder: Path) -> None:
    """An annotation that names nothing is told as a problem with the options."""
    (folder / "model.py").write_text("def build_model(width: 'Missing' = 3):\n    pass\n")
    (problem,) = claim_problems(claim_of(), folder)
    assert problem.startswith("model.options: the function's parameters could not be read: NameError")
