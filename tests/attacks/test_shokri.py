from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from auditkit.attacks import shokri
from auditkit.attacks.errors import NotApplicable
from auditkit.attacks.shadows import halves
from auditkit.core.ids import ORIGINAL, SHADOW
from auditkit.signals.signals import Signals, log_softmax
from auditkit.statistics.margins import Floats, Ints
from auditkit.statistics.roc import auc

RECORDS, TARGETS, SHADOWS, CLASSES = 240, 2, 6, 3

every_kind = pytest.mark.parametrize("kind", get_args(shokri.Kind))


def shadowed(seed: int = 0, bump: float = 2.5) -> Signals:
    """Two attacked runs and six shadow runs, each on a random half of the first 200 records; no run
    saw the rest. A member's own logit is higher by `bump`, and two others of its logits lie closer
    together."""
    rng = np.random.default_rng(seed)
    member = np.zeros((TARGETS + SHADOWS, RECORDS), dtype=bool)
    for run in member:
        run[rng.permutation(200)[:100]] = True
    labels = rng.integers(0, CLASSES, RECORDS)
    logits = rng.normal(size=(*member.shape, CLASSES))
    logits[:, np.arange(RECORDS), labels] += 1.0 + bump * member
    ids = np.array([f"r{i:03d}" for i in rng.permutation(RECORDS)])
    arms = np.array([str(ORIGINAL)] * TARGETS + [str(SHADOW)] * SHADOWS)
    return Signals(logits.astype(np.float32), member, labels, ids, arms, seed)


SIGNALS = shadowed()


def scores(kind: shokri.Kind, signals: Signals = SIGNALS, target: int = 0) -> Floats:
    return shokri.with_model(kind)(signals, target)


def own_first(log_p: list[float], label: int) -> list[float]:
    """The label's entry, then the others from the largest to the smallest, as float32 has them."""
    rest = sorted((value for k, value in enumerate(log_p) if k != label), reverse=True)
    return [float(np.float32(value)) for value in (log_p[label], *rest)]


@every_kind
def test_members_are_found_and_nobody_else(kind: shokri.Kind) -> None:
    """Every attack model ranks members above others, and finds nobody where members are no
    different."""
    found: list[float] = []
    nothing: list[float] = []
    for aucs, bump in ((found, 2.5), (nothing, 0.0)):
        s = shadowed(0, bump)
        for target in range(TARGETS):
            values = scores(kind, s, target)
            aucs.append(auc(values[s.member[target]], values[:200][~s.member[target, :200]]))
    assert np.mean(found) > (
        0.55 if kind == "lr" else 0.75
    )  # a line does not know which class is the label's
    assert np.mean(nothing) == pytest.approx(0.5, abs=0.09)


@every_kind
def test_scores_have_resolution(kind: shokri.Kind) -> None:
    """A score is a probability, or a distance to the border, that tells nearly all records
    apart."""
    found = scores(kind)
    assert found.shape == (RECORDS,)
    assert found.dtype == np.float64
    assert len(np.unique(found)) > 0.8 * RECORDS
    if kind == "svm":
        assert found.min() < 0 < found.max()
    else:
        assert ((found >= 0) & (found <= 1)).all()


@every_kind
def test_an_attack_model_is_repeatable_and_leaves_random_numbers_alone(kind: shokri.Kind) -> None:
    """Fitted anew after other random numbers were drawn the scores are the same, and the caller's
    generators stand where they stood."""
    first = scores(kind)
    np.random.seed(5)
    torch.manual_seed(6)
    before = np.random.get_state(), torch.get_rng_state()
    assert np.array_equal(scores(kind, shadowed()), first)
    after = np.random.get_state(), torch.get_rng_state()
    assert all(np.array_equal(a, b) for a, b in zip(before[0], after[0], strict=True))
    assert torch.equal(before[1], after[1])
    if kind in ("rf", "gb", "nn"):
        assert not np.array_equal(scores(kind, replace(SIGNALS, seed=9)), first)


@every_kind
def test_the_order_of_records_changes_nothing(kind: shokri.Kind) -> None:
    """Records in another order have the same scores in that order, to the last bit."""
    s = SIGNALS
    order = np.random.default_rng(2).permutation(RECORDS)
    other = replace(
        s, logits=s.logits[:, order], member=s.member[:, order], labels=s.labels[order], ids=s.ids[order]
    )
    assert np.array_equal(scores(kind, other), scores(kind)[order])


@pytest.mark.parametrize("kind", ["rf", "nn"])
def test_no_record_is_scored_by_what_was_learnt_of_it(kind: shokri.Kind) -> None:
    """Whatever the shadow runs answered on a record, and whichever of them saw it, its own score
    stays as it is, and that of others changes."""
    first, half = scores(kind), halves(SIGNALS)
    for side in (0, 1):
        own = np.flatnonzero((half == side) & SIGNALS.member.any(axis=0))
        logits, member = SIGNALS.logits.copy(), SIGNALS.member.copy()
        logits[np.ix_(SIGNALS.runs_of(SHADOW), own)] *= -2
        member[TARGETS:, own] = ~member[TARGETS:, own]
        found = scores(kind, replace(SIGNALS, logits=logits, member=member))
        assert np.array_equal(found[half == side], first[half == side])
        assert not np.array_equal(found[half != side], first[half != side])


def test_memorised_records_do_not_help() -> None:
    """Where a shadow member's answers bear a mark of their own, which tells nothing of other
    records, nobody is found."""
    s = shadowed(3, bump=0.0)
    rng = np.random.default_rng(0)
    mark = 6 * rng.normal(size=(RECORDS, CLASSES))
    logits = mark + np.where(s.member[..., None], 0.3, -0.3) * rng.choice([-1, 1], RECORDS)[:, None] * [
        1,
        -1,
        0,
    ]
    marked = replace(s, logits=logits.astype(np.float32))
    found = [scores("rf", marked, target)[:200] for target in range(TARGETS)]
    aucs = [auc(v[m], v[~m]) for v, m in zip(found, s.member[:TARGETS, :200], strict=True)]
    assert np.mean(aucs) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("share", [None, 0, 1])
@pytest.mark.parametrize("side", [0, 1])
def test_examples_are_answers_of_shadow_runs(side: int, share: int | None) -> None:
    """What is learnt from are answers of the shadow runs of that share on the attacker's records of
    that half, members and others as many."""
    s, half = SIGNALS, halves(SIGNALS)
    runs = {None: range(2, 8), 0: range(2, 5), 1: range(5, 8)}[share]
    labels, features, other_labels, other_features = shokri.examples(s, side, share, 10**6)
    assert features.dtype == np.float32
    assert len(labels) == len(features) == len(other_labels) == len(other_features)
    for inside, y, x in ((True, labels, features), (False, other_labels, other_features)):
        allowed = {
            (*own_first(log_softmax(s.logits[run])[i].tolist(), int(s.labels[i])), int(s.labels[i]))
            for run in runs
            for i in range(200)
            if half[i] == side and s.member[run, i] == inside and s.member[runs, i].any()
        }
        found = [(*row.tolist(), int(label)) for row, label in zip(x, y, strict=True)]
        assert set(found) <= allowed
        assert len(set(found)) == len(found) > 0.65 * len(allowed)


def test_no_more_examples_than_wanted() -> None:
    """At most so many examples are drawn, as many from every run and as many members as others."""
    labels, features, other_labels, _ = shokri.examples(SIGNALS, 0, None, 60)
    assert len(labels) == len(other_labels) == 30
    assert features.shape == (30, CLASSES)
    assert len(shokri.examples(SIGNALS, 0, None, 1)[0]) == SHADOWS


def test_a_shadow_run_is_attacked_with_others() -> None:
    """Which records a shadow run was trained on has no part in the scores of that run as a
    target."""
    for target in (TARGETS, TARGETS + SHADOWS - 1):
        member = SIGNALS.member.copy()
        member[target, :200] = ~member[target, :200]
        blind = replace(SIGNALS, member=member)
        assert np.array_equal(scores("lr", blind, target), scores("lr", SIGNALS, target))
        assert not np.array_equal(scores("lr", blind, 0), scores("lr", SIGNALS, 0))


@pytest.mark.parametrize(
    ("kind", "build"),
    [
        ("lr", lambda: LogisticRegression(max_iter=1_000)),
        ("rf", lambda: RandomForestClassifier(min_samples_leaf=5, random_state=0)),
        ("gb", lambda: GradientBoostingClassifier(subsample=0.5, random_state=0)),
    ],
)
def test_art_fits_what_it_is_said_to(kind: shokri.Kind, build: Callable[[], LogisticRegression]) -> None:
    """The scores are the probabilities of scikit-learn's own model on log-probabilities and one-hot
    labels of the other half."""
    half, found = halves(SIGNALS), scores(kind)
    for side in (0, 1):
        y, x, other_y, other_x = shokri.examples(SIGNALS, 1 - side, None, 20_000)

        def columns(features: shokri.Features, labels: Ints) -> Floats:
            return np.column_stack([features, labels[:, None] == np.arange(CLASSES)]).astype(np.float64)

        learnt = np.concatenate([columns(x, y), columns(other_x, other_y)])
        scaler = StandardScaler().fit(learnt) if kind == "lr" else None
        model = build()
        model.fit(scaler.transform(learnt) if scaler else learnt, np.repeat([1, 0], len(y)))
        asked = columns(shokri.features_of(SIGNALS.logits[0], SIGNALS.labels), SIGNALS.labels)[half == side]
        expected = model.predict_proba(scaler.transform(asked) if scaler else asked)[:, 1]
        assert found[half == side] == pytest.approx(expected, abs=1e-3)


def test_without_enough_to_learn_from_it_does_not_apply() -> None:
    """Without shadow runs, with one, or with the attacker's records all in one half, the attack
    says what it lacks."""
    nobody = replace(SIGNALS, arms=np.array(["original"] * 8))
    with pytest.raises(NotApplicable, match="there are 0 shadow runs"):
        scores("rf", nobody)
    with pytest.raises(NotApplicable, match="there are 1 shadow runs"):
        scores("rf", replace(SIGNALS, arms=np.array(["original"] * 7 + ["shadow"])))
    member = SIGNALS.member & (halves(SIGNALS) == 0)
    with pytest.raises(NotApplicable, match="there are too few of them"):
        scores("rf", replace(SIGNALS, member=member))
