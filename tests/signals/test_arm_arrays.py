"""An arm in a file of arrays, and out of it."""

import io

import numpy as np
import pytest

from auditkit.core.ids import EXACT, RELEARNED, Jitter
from auditkit.evidence.run_record import npz
from auditkit.signals.arm_arrays import arm_arrays, arms_in
from auditkit.signals.arms import Arm
from auditkit.statistics.margins import Floats, Margins
from auditkit.statistics.scores import Scores


def made(seed: int) -> Arm:
    """Three runs under three queries, one of which has a radius of six digits, and two attacks; of
    one record there is no score."""
    rng = np.random.default_rng(seed)
    queries = (EXACT, Jitter(1 / 3), RELEARNED)
    margins = {q: Margins(rng.normal(size=(3, 5)), rng.normal(size=(3, 7))) for q in queries}
    scores = {a: Scores(rng.normal(size=(3, 5)), rng.normal(size=(3, 7))) for a in ("loss", "rmia-online")}
    scores["loss"].forget[:, 2] = np.nan
    return Arm(margins, scores, rng.random(3))


def assert_identical(one: Arm, other: Arm) -> None:
    """The same queries and attacks in the same order, and every value the same to the bit."""
    assert list(one.margins) == list(other.margins)
    assert list(one.scores) == list(other.scores)
    pairs = [(one.accuracy, other.accuracy)]
    pairs += [(m.forget, other.margins[q].forget) for q, m in one.margins.items()]
    pairs += [(m.control, other.margins[q].control) for q, m in one.margins.items()]
    pairs += [(s.forget, other.scores[a].forget) for a, s in one.scores.items()]
    pairs += [(s.control, other.scores[a].control) for a, s in one.scores.items()]
    assert all(a.dtype == b.dtype and a.shape == b.shape for a, b in pairs)
    assert all(a.tobytes() == b.tobytes() for a, b in pairs)


def test_an_arm_comes_back_from_its_arrays_to_the_bit() -> None:
    """Arrays of an arm, also through the bytes of a file, make the very same arm again."""
    arm = made(0)
    arrays = arm_arrays("unlearned", arm)
    with np.load(io.BytesIO(npz(arrays))) as file:
        read: dict[str, Floats] = {name: file[name] for name in file.files}
    for stored in ({name: np.asarray(a, dtype=np.float64) for name, a in arrays.items()}, read):
        assert list(arms_in(stored)) == ["unlearned"]
        assert_identical(arms_in(stored)["unlearned"], arm)


def test_arms_lie_beside_each_other_and_beside_other_arrays() -> None:
    """Several arms in one file are kept apart, also where one name begins like another, and other
    arrays are passed over."""
    arms = {"original": made(1), "unlearned": made(2), "unlearned, off": made(3), "swapped original": made(4)}
    arrays: dict[str, Floats] = {"unlearned/exposure/t/forget": np.zeros(5)}
    for name, arm in arms.items():
        arrays |= {k: np.asarray(a, dtype=np.float64) for k, a in arm_arrays(name, arm).items()}
    found = arms_in(arrays)
    assert list(found) == list(arms)
    for name, arm in arms.items():
        assert_identical(found[name], arm)


def test_the_arrays_of_an_arm_bear_these_names() -> None:
    """The written form is that of files which exist: it never changes."""
    assert list(arm_arrays("honest", made(0))) == [
        "honest/margin/exact/forget",
        "honest/margin/exact/control",
        "honest/margin/jitter 0.333333/forget",
        "honest/margin/jitter 0.333333/control",
        "honest/margin/relearned/forget",
        "honest/margin/relearned/control",
        "honest/accuracy/test",
        "honest/attack/loss/forget",
        "honest/attack/loss/control",
        "honest/attack/rmia-online/forget",
        "honest/attack/rmia-online/control",
    ]


def test_an_arm_of_which_a_part_is_missing_is_refused() -> None:
    """Margins of forget records without those of control records are no arm, nor is an unknown
    query."""
    arrays = {name: np.asarray(a, dtype=np.float64) for name, a in arm_arrays("honest", made(0)).items()}
    unknown = {**arrays, "honest/margin/near/forget": np.zeros(1), "honest/margin/near/control": np.zeros(1)}
    with pytest.raises(
        ValueError, match="a query must be exact, jitter <radius> or a recovery, found 'near'"
    ):
        arms_in(unknown)
    del arrays["honest/margin/exact/control"]
    with pytest.raises(KeyError, match="honest/margin/exact/control"):
        arms_in(arrays)
