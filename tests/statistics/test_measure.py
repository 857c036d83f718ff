import numpy as np
import numpy.typing as npt
import pytest

from auditkit.attacks.battery import run_battery
from auditkit.signals.measurements import (
    COMPARED,
    SetIndices,
    accuracy,
    build_arm,
    build_arms,
    bundle_arrays,
    jittered_margins,
)
from auditkit.signals.signals import Signals
from auditkit.statistics.agreement import Agreement
from auditkit.statistics.margins import Floats, hinge
from auditkit.statistics.roc import auc

RUNS, RECORDS, CLASSES, DRAWS = 3, 20, 4, 2
PLACES = SetIndices(*(np.arange(a, a + 4) for a in range(0, RECORDS, 4)))


Jittered = dict[str, npt.NDArray[np.float32]]
"""arm -> logits of jittered queries: (runs, draws, forget then control records, classes)."""


def example() -> tuple[Signals, Jittered]:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4 * RUNS, RECORDS, CLASSES)).astype(np.float32)
    arms = np.repeat(np.array(COMPARED), RUNS)
    ids = np.array([f"r{i}" for i in range(RECORDS)])
    labels = rng.integers(0, CLASSES, RECORDS)
    signals = Signals(logits, np.zeros((4 * RUNS, RECORDS), dtype=bool), labels, ids, arms, 0)
    return signals, {arm: rng.normal(size=(RUNS, DRAWS, 8, CLASSES)).astype(np.float32) for arm in COMPARED}


def near(signals: Signals, jittered: Jittered) -> dict[str, dict[str, Floats]]:
    labels = signals.labels[np.concatenate([PLACES.forget, PLACES.control])]
    return {arm: {"jitter 0.1": jittered_margins(logits, labels)} for arm, logits in jittered.items()}


def test_accuracy_is_the_share_of_right_answers() -> None:
    """Accuracy counts, run by run, the asked records whose label has the highest logit."""
    signals, _ = example()
    records = np.array([3, 1, 17])
    right = [
        [signals.logits[run][i].argmax() == signals.labels[i] for i in records]
        for run in signals.runs_of("unlearned")
    ]
    assert accuracy(signals, "unlearned", records).tolist() == pytest.approx([sum(r) / 3 for r in right])


def test_a_near_margin_is_the_mean_over_the_jittered_copies() -> None:
    """A record's jittered margin is the mean over draws of z_y - max of the others."""
    signals, jittered = example()
    labels = signals.labels[:8]
    found = jittered_margins(jittered["honest"], labels)
    for k in range(RUNS):
        for i, y in enumerate(labels):
            draws = [z[y] - max(np.delete(z, y)) for z in jittered["honest"][k, :, i].astype(np.float64)]
            assert found[k, i] == pytest.approx(np.mean(draws))


def test_an_arm_holds_the_margins_of_its_own_places() -> None:
    """Exact margins are those of the arm's own runs on the forget and control places; jittered
    ones, given for both together, are parted."""
    signals, jittered = example()
    beside = near(signals, jittered)["retrained"]
    arm = build_arm(signals, "retrained", beside, PLACES, {})
    h = hinge(signals.logits[signals.runs_of("retrained")], signals.labels)
    assert np.array_equal(arm.margins["exact"].forget, h[:, 4:8])
    assert np.array_equal(arm.margins["exact"].control, h[:, 8:12])
    assert np.array_equal(arm.margins["jitter 0.1"].forget, beside["jitter 0.1"][:, :4])
    assert np.array_equal(arm.margins["jitter 0.1"].control, beside["jitter 0.1"][:, 4:])
    assert arm.accuracy.tolist() == accuracy(signals, "retrained", PLACES.test).tolist()


def test_one_run_at_a_time_is_all_runs_at_once_to_the_last_bit() -> None:
    """Margins and accuracies, and how they lie in memory, are those of the same arithmetic on all
    runs together."""
    signals, jittered = example()
    beside = near(signals, jittered)
    split = np.concatenate([PLACES.forget, PLACES.control])
    for name in COMPARED:
        arm = build_arm(signals, name, beside[name], PLACES, {})
        logits = signals.logits[signals.runs_of(name)]
        exact = hinge(logits, signals.labels)
        mean = hinge(jittered[name], signals.labels[split]).mean(axis=1)
        right = logits[:, PLACES.test].argmax(axis=-1) == signals.labels[PLACES.test]
        for found, expected in (
            (arm.margins["exact"].forget, exact[:, PLACES.forget]),
            (arm.margins["exact"].control, exact[:, PLACES.control]),
            (arm.margins["jitter 0.1"].forget, mean[:, :4]),
            (arm.margins["jitter 0.1"].control, mean[:, 4:]),
            (arm.accuracy, right.mean(axis=1)),
        ):
            assert np.array_equal(found, expected)
            assert found.strides == expected.strides  # a sum over records depends on it in its last bits


def test_every_compared_arm_is_measured_from_its_own_runs() -> None:
    """Each arm has the AUCs, margins and accuracies of the runs that bear its name."""
    signals, jittered = example()
    scores, skipped = run_battery(signals, ["loss", "shokri-rf"], PLACES.forget, PLACES.control)
    arms = build_arms(signals, near(signals, jittered), PLACES, scores, skipped)
    assert list(arms.skipped) == ["shokri-rf"]
    for name in COMPARED:
        arm = getattr(arms, name)
        by_arm = scores["loss"][name]
        assert arm.scores["loss"].auc().tolist() == [
            auc(f, c) for f, c in zip(by_arm.forget, by_arm.control, strict=True)
        ]
        assert list(arm.scores) == ["loss"]
        assert np.array_equal(arm.accuracy, accuracy(signals, name, PLACES.test))
        exact = hinge(signals.logits[signals.arms == name], signals.labels)
        assert np.array_equal(arm.margins["exact"].forget, exact[:, PLACES.forget])
        assert np.array_equal(
            arm.margins["jitter 0.1"].forget, near(signals, jittered)[name]["jitter 0.1"][:, :4]
        )


def test_what_is_kept_holds_scores_and_margins_of_forget_and_control_only() -> None:
    """The arrays kept for `verify` are margins, scores, accuracies and salted ids: never logits,
    never other records."""
    signals, jittered = example()
    scores, skipped = run_battery(signals, ["loss"], PLACES.forget, PLACES.control)
    arms = build_arms(signals, near(signals, jittered), PLACES, scores, skipped)
    found = {"unlearned": Agreement(np.array([0, 1, 1, 0]), np.ones(4, dtype=np.int64), 1)}
    kept = bundle_arrays(arms, scores, found, signals.ids, PLACES)
    assert kept["forget_ids"].tolist() == ["r4", "r5", "r6", "r7"]
    values: dict[str, Floats] = {
        k: np.asarray(v, dtype=np.float64) for k, v in kept.items() if "ids" not in k
    }
    assert {k.split("/")[0] for k in values} == set(COMPARED)
    assert values.pop("unlearned/found by/forget").tolist() == [0, 1, 1, 0]
    assert all(v.shape in ((RUNS,), (RUNS, 4)) for v in values.values())
    assert np.array_equal(values["honest/attack/loss/forget"], scores["loss"]["honest"].forget)
