"""The user's own data and training, named in a claim, and data that does not suit a model."""

from pathlib import Path

import numpy as np
import pytest

from auditkit.core.errors import UsageError
from auditkit.core.progress import NullReporter
from auditkit.data import Dataset, make_dataset
from auditkit.data.user_data import load_own
from auditkit.study.checks import claim_problems, data_problems
from auditkit.study.study import prepare
from tests.study.own_code import claim_of


def test_groups_that_do_not_divide_are_a_problem() -> None:
    """An option that is sound by itself and fails in the builder is told with what the builder
    says."""
    claim = claim_of(model={"name": "resnet", "options": {"width": 12}})
    problem = data_problems(claim, flat(64), Path())[-1]
    assert "ValueError: num_channels (12) must be divisible by num_groups (8)" in problem


def flat(side: int = 8) -> Dataset:
    """Two classes of flat images."""
    x = np.random.default_rng(0).normal(size=(20, side))
    return make_dataset("flat", x, np.arange(20) % 2, licence="none", origin="this test")


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
