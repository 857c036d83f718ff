"""What a claim is refused for, and what it is told, before anything is trained."""

from pathlib import Path
from typing import Any

import pytest

from auditkit.claims.read import parse_claim, read_claim
from auditkit.core.errors import UsageError
from auditkit.core.progress import NullReporter
from auditkit.data import NearDuplicates, load
from auditkit.study.checks import claim_problems, data_problems, duplicate_warnings
from auditkit.study.lock import plain_claim
from auditkit.study.study import prepare
from auditkit.unlearning import UNLEARNERS

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_example_is_a_sound_claim(path: Path) -> None:
    """Every claim in examples/ is read without a problem, and is named like its file."""
    claim, problems = read_claim(path)
    assert problems == []
    assert claim_problems(claim, path.parent) == []
    assert claim.name == path.stem


def test_all_problems_of_a_claim_are_reported_at_once() -> None:
    """Misspelt keys, bad margins, an unknown attack, too few runs and impossible sets come
    together."""
    claim, problems = parse_claim(
        {
            "nmae": "x",
            "data": {"train": 1700},
            "forget": {"fraction": 0.9},
            "runs": {"per_arm": 4},
            "criteria": {"accuracy": -1, "attacks": ["lss"]},
            "model": {"name": "cnn", "options": {"dropout": [0.2, 1], "hidden": [3]}},
            "training": {"train": "./none.py:train", "augment": ["flip"]},
            "procedure": {"name": "fnn", "options": {"t": -1, "foo": 2}},
        }
    )
    with pytest.raises(UsageError) as refused:
        prepare(claim, Path(), problems, NullReporter())
    beginnings = [problem.split(" must ")[0].split(":")[0] for problem in refused.value.problems]
    assert beginnings == [
        "criteria.accuracy",
        "nmae",
        "model.options.dropout.1",
        "model.options.hidden",
        "training.train = './none.py",
        "procedure.options.t",
        "procedure.options.foo",
        "criteria.attacks, and criteria.reported,",
        "runs.per_arm",
        "train, control, test and population",
        "forget",
    ]


def test_an_attack_whose_runs_judge_each_other_may_be_reported_and_not_required() -> None:
    """U-LiRA under criteria.attacks is refused before anything is trained; under criteria.reported
    it is not."""
    claim, _ = parse_claim({"criteria": {"attacks": ["loss", "u-lira"], "reported": []}})
    (problem,) = claim_problems(claim, Path())
    assert problem.startswith("criteria.attacks must judge runs one by one, found u-lira,")
    claim, _ = parse_claim({"criteria": {"attacks": ["loss"], "reported": ["u-lira"]}})
    assert claim_problems(claim, Path()) == []


def test_too_few_runs_are_refused_with_the_number_that_would_do() -> None:
    """Four runs cannot decide at margin 0.2; the message says that 12 would."""
    claim, _ = parse_claim({"runs": {"per_arm": 4}})
    (problem,) = claim_problems(claim, Path())
    assert problem == (
        "runs.per_arm must give a true claim at least a 80% chance of support at margin 0.2 and planning "
        "SD 0.15; 4 runs give 16%; 12 runs would do"
    )
    enough, _ = parse_claim({"runs": {"per_arm": 12}})
    assert claim_problems(enough, Path()) == []
    almost, _ = parse_claim({"runs": {"per_arm": 11}})
    assert len(claim_problems(almost, Path())) == 1


@pytest.mark.parametrize(
    ("forget", "problem"),
    [
        ({}, "forget: what to forget must be said as exactly one"),
        ({"fraction": 0.1, "label": 3}, "found fraction and label"),
        ({"ids": []}, "forget.ids must name records, found none"),
        ({"fraction": 0.0001}, "forget must hold records, found 0"),
        ({"fraction": 0.6}, "forget must not be larger than retain"),
        ({"ids": ["digits-0001", "nobody"]}, "found 1 unknown: nobody"),
        ({"label": 11}, "label must be a class, 0..9, found 11"),
    ],
)
def test_what_to_forget_must_make_sense(forget: dict[str, Any], problem: str) -> None:
    """An empty, too large, ambiguous or unknown forget set is refused before training."""
    claim, problems = parse_claim({"forget": forget})
    with pytest.raises(UsageError, match=problem):
        prepare(claim, Path(), problems, NullReporter())


def test_shadow_runs_need_a_population() -> None:
    """Shadow runs without records of the attacker's own are refused with a remedy."""
    claim, _ = parse_claim({"data": {"population": 5}})
    (problem,) = data_problems(claim, load("digits"), Path())
    assert "raise it, or set runs.shadow = 0" in problem


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("fnnn", f"procedure.name must be one of {', '.join(UNLEARNERS)}, or"),
        ("./mine.py:unlearn", "could not be imported: FileNotFoundError"),
        ("no.such.module:unlearn", "could not be imported: ModuleNotFoundError"),
        ("math:pi", "must be a function, found float"),
    ],
)
def test_a_procedure_that_is_not_there_is_refused(tmp_path: Path, name: str, problem: str) -> None:
    """A procedure that cannot be found or called is one problem with the claim."""
    claim, _ = parse_claim({"procedure": {"name": name}})
    (found,) = claim_problems(claim, tmp_path)
    assert problem in found


def test_the_options_of_a_users_procedure_are_checked_by_its_annotations(tmp_path: Path) -> None:
    """A user's procedure gets the same refusals, from its own signature."""
    (tmp_path / "mine.py").write_text(
        "def unlearn(model, retain, forget, *, seed: int, strength: float = 1.0):\n    return model\n"
    )
    claim, _ = parse_claim(
        {"procedure": {"name": "./mine.py:unlearn", "options": {"strength": "much", "x": 1}}}
    )
    strength, unknown = claim_problems(claim, tmp_path)
    assert strength == ("procedure.options.strength: input should be a valid number, found 'much'")
    assert unknown == "procedure.options.x: not an option of this procedure; its options: strength"


def test_ids_leave_the_audit_only_as_a_commitment() -> None:
    """The claim that is written down does not name the records to forget."""
    claim, _ = parse_claim({"forget": {"ids": ["digits-0001", "digits-0002"]}})
    written = plain_claim(claim, b"key")
    assert written["forget"] == {
        "records": 2,
        "commitment": written["forget"]["commitment"],  # type: ignore[index]
    }
    assert "digits-0001" not in str(written)


def test_near_copies_are_said_in_words() -> None:
    """A warning says how many forget records have a near-copy, and what that means."""
    assert duplicate_warnings(NearDuplicates(0, 0, (), 0.1, 1.0), 90) == []
    (warning,) = duplicate_warnings(NearDuplicates(7, 2, (), 0.1, 1.0), 90)
    assert warning.startswith(
        "7 of 90 forget records have a near-copy left in retain (2 of them an exact copy)."
    )


BATCH_NORM = """
from torch import nn

def build_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 10))
"""


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"model": {"name": "./own.py:build_model"}}, "model must be one that Opacus can train privately"),
        (
            {"training": {"train": "./own.py:build_model"}},
            "privacy is claimed of training that auditkit repeats",
        ),
        (
            {"privacy": {"epsilon": 3.8}},
            "privacy.guesses must be able to prove more than the claimed epsilon = 3.8",
        ),
        (
            {"privacy": {"canaries": 600}},
            "privacy.canaries must be records of the population, found 600 of 540",
        ),
        ({"privacy": {"epsilon": 0.01, "epochs": 10**7}}, "privacy"),
    ],
)
def test_a_claim_of_differential_privacy_that_cannot_be_audited_is_refused(
    changes: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    """Before anything is trained: models and training that Opacus cannot repeat, and canaries that
    could refute nothing."""
    (tmp_path / "own.py").write_text(BATCH_NORM)
    data = {"train": 900, "control": 100, "test": 250, "population": 540}
    claim, problems = parse_claim({"data": data, "privacy": {}, **changes})
    with pytest.raises(UsageError) as refused:
        prepare(claim, tmp_path, problems, NullReporter())
    assert any(found.startswith(problem) for found in refused.value.problems), refused.value.problems
