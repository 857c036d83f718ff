"""Shadow-model attack: a classifier that learnt on the attacker's own models what members look
like.

Shokri, Stronati, Song & Shmatikov, "Membership Inference Attacks Against Machine Learning Models"
(IEEE S&P 2017). The attack model is one of those of ART's `MembershipInferenceBlackBox`, on the
prediction vector and the label, fitted on the answers of our shadow runs: each was trained on a
random half of the attacker's records. The log-probabilities are its features, as probabilities near
0 and 1 would be told apart only by their rounding; the label's own stands first, the others follow
in falling order. In the order of the classes an attack model would have to learn for each class
anew which of the entries is the label's, and one that adds its inputs up, as logistic regression
does, never could.

The shadow runs may have been trained on the very records that are attacked. An attack model that
learnt on a record's answers could know the record by them, so each is scored by a model that learnt
on other records only: the records are parted in two halves by their ids, and a model fitted on
either scores the other. A target that is a shadow run itself is scored by models that learnt on
other runs only.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from auditkit.attacks.errors import NotApplicable
from auditkit.attacks.per_class import Score
from auditkit.attacks.shadows import halves, once, shadow_examples
from auditkit.core.ids import SHADOW
from auditkit.signals.signals import Signals, log_softmax
from auditkit.statistics.margins import Floats, Ints

Kind = Literal["rf", "gb", "nn", "lr", "svm"]
"""Random forest, gradient boosting, neural network, logistic regression, support vector machine."""

Features = npt.NDArray[np.float32]
"""Log-probabilities, (records, classes), float32 as ART wants them."""


@dataclass(frozen=True)
class AttackModel:
    """An attack model of ART.

    examples: how many answers it learns from at most, half of them of members, so that neither its
    time nor its memory grows with the number of runs. fit: (seed, labels and features of members,
    of non-members) -> what gives each (label, features) a number, float64 (records,), higher = more
    likely a member.
    """

    examples: int
    fit: Callable[[int, Ints, Features, Ints, Features], Callable[[Ints, Features], Floats]]


def with_model(kind: Kind) -> Score:
    """The attack with an attack model of this kind of ATTACK_MODELS. It gives the probability of
    membership, in [0, 1]; a support vector machine, the distance to the border, > 0 on the side of
    members.

    The attack raises NotApplicable where the shadow runs have no members or no non-members to learn
    from.
    """

    def score(signals: Signals, target: int) -> Floats:
        half, order = halves(signals), np.argsort(signals.ids)
        features = features_of(signals.logits[target], signals.labels)
        found = np.empty(len(half))
        for side in (0, 1):
            records = order[half[order] == side]
            if len(records):
                infer = _attack_model(signals, kind, 1 - side, _share(signals, target))
                found[records] = infer(signals.labels[records], features[records])
        return found

    return score


def features_of(logits: npt.NDArray[np.floating], labels: Ints) -> Features:
    """The log-probability of the label, then those of the other classes in falling order: float32
    (records, classes).

    Args:
        logits: (records, classes).
        labels: (records,).
    """
    log_p = log_softmax(logits)
    own = np.arange(len(labels)), labels
    right = log_p[own]
    log_p[own] = -np.inf
    others = np.sort(log_p, axis=1)[:, :0:-1]
    return np.column_stack([right, others]).astype(np.float32)


def _share(signals: Signals, target: int) -> int | None:
    """Which half of the shadow runs, the first (0) or the second (1), may be learnt from to attack
    this target: both (None), but not the half that the target is in."""
    shadows = signals.runs_of(SHADOW)
    place = np.flatnonzero(shadows == target)
    return int(2 * place[0] < len(shadows)) if len(place) else None


@once
def _attack_model(
    signals: Signals, kind: Kind, side: int, share: int | None
) -> Callable[[Ints, Features], Floats]:
    """The attack model fitted on the records of one half, and on one share of the shadow runs."""
    model = ATTACK_MODELS[kind]
    return model.fit(signals.seed % 2**32, *examples(signals, side, share, model.examples))


def examples(
    signals: Signals, side: int, share: int | None, most: int
) -> tuple[Ints, Features, Ints, Features]:
    """What an attack model learns from: as many answers about members as about others.

    Args:
        signals: of all runs.
        side: which of `halves` the records are in.
        share: which half of the shadow runs answer, see `_share`; None for all.
        most: how many answers in all, drawn evenly from the shadow runs, one run at a time; at
            least one of either kind from each.

    Returns:
        Labels and features of members, labels and features of non-members.

    Raises:
        NotApplicable: there are no such answers.
    """
    runs, own, member = shadow_examples(signals)
    rows = np.arange(len(runs))
    used = rows if share is None else rows[(2 * rows >= len(runs)) == share]
    # In the order of ids, so that the draws do not depend on the order of the records.
    columns = np.argsort(signals.ids[own])
    columns = columns[(halves(signals)[own[columns]] == side) & member[np.ix_(used, columns)].any(axis=0)]
    quota = max(most // (2 * max(len(used), 1)), 1)
    rng = np.random.default_rng(signals.seed)
    drawn: tuple[list[Ints], list[Ints]] = [], []
    answers: tuple[list[Features], list[Features]] = [], []
    for row in used:
        parts = [own[columns[member[row, columns] == inside]] for inside in (True, False)]
        count = min(quota, *map(len, parts))
        for records, known, part in zip(drawn, answers, parts, strict=True):
            records.append(rng.permutation(part)[:count])
            logits = signals.logits[runs[row]][records[-1]]
            known.append(features_of(logits, signals.labels[records[-1]]))
    if not sum(map(len, drawn[0])):
        raise NotApplicable(
            "the attack learns from records that one shadow run was trained on and another was not, and from "
            "others than it attacks; there are too few of them"
        )
    (inside, out), (seen, unseen) = map(np.concatenate, drawn), map(np.concatenate, answers)
    return signals.labels[inside], seen, signals.labels[out], unseen


def _art(classes: int, **arguments: object) -> Any:
    """ART's attack on a model that is known by its answers alone."""
    from art.attacks.inference.membership_inference import MembershipInferenceBlackBox
    from art.estimators.classification import BlackBoxClassifierNeuralNetwork

    estimator = BlackBoxClassifierNeuralNetwork(lambda x: x, input_shape=(classes,), nb_classes=classes)
    return MembershipInferenceBlackBox(estimator, **arguments)


def _fit(attack: Any, y: Ints, x: Features, test_y: Ints, test_x: Features) -> None:
    attack.fit(y=y, pred=x, test_y=test_y, test_pred=test_x)


def _infer(attack: Any, y: Ints, x: Features) -> Floats:
    found = attack.infer(None, y, pred=x, probabilities=True)
    return np.asarray(found, dtype=np.float64).ravel()


def _classifier(
    kind: Kind, scaler: str | None, **parameters: object
) -> Callable[[int, Ints, Features, Ints, Features], Callable[[Ints, Features], Floats]]:
    """An attack model of scikit-learn's, as ART has it but for these parameters."""

    def fit(seed: int, y: Ints, x: Features, test_y: Ints, test_x: Features) -> Callable[..., Floats]:
        attack = _art(x.shape[1], attack_model_type=kind, scaler_type=scaler)
        attack.attack_model.set_params(random_state=seed, **parameters)
        _fit(attack, y, x, test_y, test_x)
        return lambda labels, features: _infer(attack, labels, features)

    return fit


def _vector_machine(
    seed: int, y: Ints, x: Features, test_y: Ints, test_x: Features
) -> Callable[[Ints, Features], Floats]:
    """A support vector machine. ART's own asks for probabilities, by an option that scikit-learn
    1.11 will not have, and that costs five more fits to rank the same: the distance to the border
    stands in."""
    from sklearn.svm import SVC

    attack = _art(x.shape[1], attack_model_type="svm", scaler_type="standard")
    attack.attack_model = SVC(random_state=seed)
    _fit(attack, y, x, test_y, test_x)

    def infer(labels: Ints, features: Features) -> Floats:
        own_class = np.eye(features.shape[1], dtype=np.float32)[labels]
        columns = attack.scaler.transform(np.c_[features, own_class])
        return np.asarray(attack.attack_model.decision_function(columns), dtype=np.float64)

    return infer


def _network(
    seed: int, y: Ints, x: Features, test_y: Ints, test_x: Features
) -> Callable[[Ints, Features], Floats]:
    """ART's neural network, in fewer and larger steps than its 100 epochs, which would take
    minutes."""
    attack = _art(
        x.shape[1],
        attack_model_type="nn",
        scaler_type="standard",
        nn_model_epochs=10,
        nn_model_learning_rate=1e-3,
    )
    with _torch_seeded(seed):
        _fit(attack, y, x, test_y, test_x)

    def infer(labels: Ints, features: Features) -> Floats:
        with _torch_seeded(seed):  # its data loader draws a number even where it does not shuffle
            return _infer(attack, labels, features)

    return infer


@contextmanager
def _torch_seeded(seed: int) -> Iterator[None]:
    """torch's own random numbers started from a seed, and afterwards put back where they were."""
    import torch

    with torch.random.fork_rng(range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


ATTACK_MODELS: dict[Kind, AttackModel] = {
    "rf": AttackModel(20_000, _classifier("rf", None, min_samples_leaf=5, n_jobs=1)),
    "gb": AttackModel(20_000, _classifier("gb", None, subsample=0.5)),
    "nn": AttackModel(20_000, _network),
    "lr": AttackModel(20_000, _classifier("lr", "standard", max_iter=1_000)),
    "svm": AttackModel(4_000, _vector_machine),
}

score = with_model("rf")
"""The attack with a random forest: the probability of membership, in [0, 1]."""
