import numpy as np
import pytest

from auditkit.attacks.battery import run_battery
from auditkit.measure import COMPARED, Places, accuracy, arm_of, arms_of, score_arrays
from auditkit.signals import Signals
from auditkit.statistics.margins import Floats, hinge
from auditkit.statistics.roc import auc

RUNS, RECORDS, CLASSES, DRAWS = 3, 20, 4, 2
PLACES = Places(*(np.arange(a, a + 4) for a in range(0, RECORDS, 4)))


def example() -> tuple[Signals, dict[str, dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]]]:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4 * RUNS, RECORDS, CLASSES)).astype(np.float32)
    arms = np.repeat(np.array(COMPARED), RUNS)
    ids = np.array([f"r{i}" for i in range(RECORDS)])
    labels = rng.integers(0, CLASSES, RECORDS)
    signals = Signals(logits, np.zeros((4 * RUNS, RECORDS), dtype=bool), labels, ids, arms, 0)
    near = {arm: rng.normal(size=(RUNS, DRAWS, 8, CLASSES)).astype(np.float32) for arm in COMPARED}
    answers = {arm: {"exact": logits[arms == arm], "jitter 0.1": near[arm]} for arm in COMPARED}
    return signals, answers


def test_accuracy_is_the_share_of_right_answers() -> None:
    """Accuracy counts, run by run, the asked records whose label has the highest logit."""
    signals, _ = example()
    records = np.array([3, 1, 17])
    right = [[z[i].argmax() == signals.labels[i] for i in records] for z in signals.logits]
    assert accuracy(signals.logits, signals.labels, records).tolist() == pytest.approx(
        [sum(r) / 3 for r in right]
    )


def test_an_arm_holds_the_margins_of_its_own_places() -> None:
    """Exact margins are those of the forget and control places; jittered ones are averaged over the draws."""
    signals, answers = example()
    near = answers["retrained"]["jitter 0.1"]
    arm = arm_of(signals.logits[:RUNS], {"jitter 0.1": near}, signals.labels, PLACES, {})
    h = hinge(signals.logits[:RUNS], signals.labels)
    assert np.array_equal(arm.margins["exact"].forget, h[:, 4:8])
    assert np.array_equal(arm.margins["exact"].control, h[:, 8:12])
    for k in range(RUNS):
        for i in range(4):
            for part, place in (
                (arm.margins["jitter 0.1"].forget, i),
                (arm.margins["jitter 0.1"].control, i + 4),
            ):
                y = signals.labels[4 + place]
                draws = [z[y] - max(np.delete(z, y)) for z in near[k, :, place].astype(np.float64)]
                assert part[k, i] == pytest.approx(np.mean(draws))


def test_every_compared_arm_is_measured_from_its_own_runs() -> None:
    """Each arm has the AUCs, margins and accuracies of the runs that bear its name."""
    signals, answers = example()
    scores, skipped = run_battery(signals, ["loss", "shokri"], PLACES.forget, PLACES.control)
    arms = arms_of(signals, answers, PLACES, scores, skipped)
    assert list(arms.skipped) == ["shokri"]
    for name in COMPARED:
        arm = getattr(arms, name)
        by_arm = scores["loss"][name]
        assert arm.scores["loss"].auc().tolist() == [
            auc(f, c) for f, c in zip(by_arm.forget, by_arm.control, strict=True)
        ]
        assert list(arm.scores) == ["loss"]
        assert np.array_equal(arm.accuracy, accuracy(answers[name]["exact"], signals.labels, PLACES.test))


def test_what_is_kept_holds_scores_and_margins_of_forget_and_control_only() -> None:
    """The arrays kept for `verify` are margins, scores, accuracies and salted ids: never logits, never other records."""
    signals, answers = example()
    scores, skipped = run_battery(signals, ["loss"], PLACES.forget, PLACES.control)
    kept = score_arrays(arms_of(signals, answers, PLACES, scores, skipped), scores, signals.ids, PLACES)
    assert kept["forget_ids"].tolist() == ["r4", "r5", "r6", "r7"]
    values: dict[str, Floats] = {
        k: np.asarray(v, dtype=np.float64) for k, v in kept.items() if "ids" not in k
    }
    assert {k.split("/")[0] for k in values} == set(COMPARED)
    assert all(v.shape in ((RUNS,), (RUNS, 4)) for v in values.values())
    assert np.array_equal(values["honest/attack/loss/forget"], scores["loss"]["honest"].forget)
