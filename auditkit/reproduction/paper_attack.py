"""The membership inference by which the paper judges its forgetting.

Hatua et al., arXiv:2410.22374, as in the author's public code; it comes from the starting kit of
the NeurIPS 2023 machine unlearning challenge. One number a record, its cross-entropy; an attack
model that is trained to tell the records to be forgotten from records never seen; its mean accuracy
over ten shuffled splits. 0.5 is chance.

It sees one network at a time and knows nothing of what its losses would be had it been trained
without the records, so on a network that generalises well it finds nothing, before unlearning too.
"""

import warnings
from typing import Literal

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit, cross_val_score
from sklearn.neural_network import MLPClassifier

AttackModel = Literal["perceptron", "logistic regression"]
"""perceptron: 500 hidden units, Adam at 0.001, at most 200 passes, as in the latest public code.
logistic regression: as in the starting kit, in about a hundredth of the time. It is a threshold on
the loss, where the perceptron may find a band: with 2,000 records a side their scores differ by
0.005 to 0.02, one to two standard deviations of the splits."""

SPLITS = 10


def attack_accuracy(
    members: npt.NDArray[np.floating],
    non_members: npt.NDArray[np.floating],
    model: AttackModel = "perceptron",
) -> float:
    """Mean accuracy over SPLITS stratified shuffle splits, nine tenths to train the attack on, one
    to test it.

    members, non_members: cross-entropy of each record, (records,), in nats; of the longer one, only
    the first so many are taken as the other has. At least ten records a side. Raises ValueError for
    fewer.
    """
    n = min(len(members), len(non_members))
    if n < SPLITS:
        raise ValueError(f"the paper's attack needs at least {SPLITS} records a side, got {n}")
    losses = np.concatenate([members[:n], non_members[:n]])[:, None]
    splits = StratifiedShuffleSplit(n_splits=SPLITS, random_state=0)
    with warnings.catch_warnings():
        # It may well stop at 200 passes before it has converged: that is the attack as published.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return float(cross_val_score(_attacker(model), losses, np.repeat([1, 0], n), cv=splits).mean())


def _attacker(model: AttackModel) -> MLPClassifier | LogisticRegression:
    if model == "logistic regression":
        return LogisticRegression()
    return MLPClassifier(
        hidden_layer_sizes=(500,), solver="adam", learning_rate_init=1e-3, max_iter=200, random_state=0
    )
