"""Arrays that are handed in: read, cut to equal arms, or refused with everything that is wrong."""

from pathlib import Path

import numpy as np
import pytest

from auditkit.core.errors import UsageError
from auditkit.core.ids import COMPARED, EXACT, HONEST, ORIGINAL, PLACEBO, RETRAINED, UNLEARNED, Jitter
from auditkit.signals.measurements import build_arms
from auditkit.signals.predictions_file import load_predictions
from tests.signals.submitted import SETS, Arrays, arrays, near


def test_without_an_honest_arm_the_retrained_runs_are_divided(tmp_path: Path) -> None:
    """Every other retrained run stands for the honest control; originals are cut to as many, and
    the notes say so."""
    np.savez(tmp_path / "p.npz", **arrays(honest=None, unlearned=1))
    given = load_predictions(tmp_path / "p.npz", 0)
    signals = given.measured.signals
    arms = {arm: len(signals.runs_of(arm)) for arm in (ORIGINAL, UNLEARNED, RETRAINED, HONEST)}
    assert arms == {ORIGINAL: 5, UNLEARNED: 1, RETRAINED: 5, HONEST: 5}
    rows = np.load(tmp_path / "p.npz")["retrained"]
    np.testing.assert_array_equal(signals.logits[signals.runs_of(HONEST)], rows[1::2])
    assert given.notes[1] == "Of 10 runs of the arm original, 5 are used: all arms need as many."


def test_a_placebo_that_is_handed_in_is_compared(tmp_path: Path) -> None:
    """All arms are cut to as many runs, it counts as trained on retain alone, and takes part
    in every query; without it there is none."""
    given = arrays()
    given["placebo"] = arrays(3)["honest"][:7]
    np.savez(tmp_path / "p.npz", **given, **near(given))
    with pytest.raises(UsageError, match=r"must hold near/0\.3/placebo"):
        load_predictions(tmp_path / "p.npz", 0)
    beside = given["placebo"][:, None, np.isin(SETS, ("forget", "control"))]
    np.savez(tmp_path / "p.npz", **given, **near(given), **{"near/0.3/placebo": beside})
    found = load_predictions(tmp_path / "p.npz", 0)
    measured, signals = found.measured, found.measured.signals
    assert measured.compared == (*COMPARED, PLACEBO)
    assert {len(signals.runs_of(arm)) for arm in measured.compared} == {7}
    assert signals.member[signals.runs_of(PLACEBO)].tolist() == [(SETS == "retain").tolist()] * 7
    arms = build_arms(measured, {}, {})
    assert arms.placebo is not None
    assert set(arms.placebo.margins) == {EXACT, Jitter(0.3)}
    assert "Of 10 runs of the arm original, 7 are used: all arms need as many." in found.notes
    np.savez(tmp_path / "p.npz", **arrays())
    assert load_predictions(tmp_path / "p.npz", 0).measured.compared == COMPARED


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"labels": np.zeros((3, 2))}, "labels: must be integers, one a record"),
        ({"labels": np.full(630, 4)}, "labels: must be 0 .. 3, a logit each, found 4 .. 4"),
        ({"ids": np.arange(5)}, "ids: must be strings or integers, one a record, found int64 of shape (5,)"),
        ({"sets": np.zeros(630)}, "sets: must be strings, one a record, found float64"),
        ({"honest": None, "retrained": np.zeros((4, 630, 4))}, "retrained: must be at least 6 runs, found 4"),
        (
            {"original": np.zeros((10, 630))},
            "original: must be logits of shape (runs, 630, 4), found (10, 630)",
        ),
        (
            {"near/0.3/original": np.zeros((10, 1, 180, 4))},
            "must hold near/0.3/unlearned, near/0.3/retrained, near/0.3/honest",
        ),
        ({"near/far/original": np.zeros((10, 1, 180, 4))}, "near/far: must name a positive share"),
    ],
)
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
