"""Shadow-model attack: a classifier that learnt on the attacker's own models what members look like.

Shokri, Stronati, Song & Shmatikov, "Membership Inference Attacks Against Machine Learning Models"
(S&P 2017). The attack model is the random forest of ART's `MembershipInferenceBlackBox` on the
prediction vector and the label, fitted on our shadow runs: each is trained on a random half of the
attacker's own population, so members and non-members balance. The log-probabilities are its features,
as probabilities near 0 and 1 would be told apart only by their rounding.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from auditkit.attacks.shadows import once, shadow_examples
from auditkit.signals import Signals, log_softmax
from auditkit.statistics.margins import Floats, Ints


def score(signals: Signals, target: int) -> Floats:
    """The share of the attack model's trees that call the record a member, in [0, 1]."""
    features = log_softmax(signals.logits[target])
    inferred = _attack_model(signals).infer(None, signals.labels, pred=features, probabilities=True)
    return np.asarray(inferred, dtype=np.float64).ravel()


@once
def _attack_model(signals: Signals) -> Any:
    """ART's attack, fitted on the shadow runs of these signals; the same for every target run."""
    from art.attacks.inference.membership_inference import MembershipInferenceBlackBox
    from art.estimators.classification import BlackBoxClassifierNeuralNetwork

    shadows, own, member = shadow_examples(signals)
    classes = signals.logits.shape[-1]
    estimator = BlackBoxClassifierNeuralNetwork(lambda x: x, input_shape=(classes,), nb_classes=classes)
    attack = MembershipInferenceBlackBox(estimator, attack_model_type="rf", scaler_type=None)
    attack.attack_model.set_params(random_state=signals.seed % 2**32, min_samples_leaf=5, n_jobs=1)
    labels, inside = _examples(signals, shadows, own, member)
    test_labels, outside = _examples(signals, shadows, own, ~member)
    attack.fit(y=labels, pred=inside, test_y=test_labels, test_pred=outside)
    return attack


def _examples(
    signals: Signals, shadows: Ints, own: Ints, chosen: npt.NDArray[np.bool_]
) -> tuple[Ints, npt.NDArray[np.float32]]:
    """Labels and features of the chosen answers: (examples,) and, float32 as ART wants them, (examples,
    classes). chosen: (shadow runs, own records)."""
    records = [own[row] for row in chosen]
    features = [
        log_softmax(signals.logits[run][asked]).astype(np.float32)
        for run, asked in zip(shadows, records, strict=True)
    ]
    return signals.labels[np.concatenate(records)], np.concatenate(features)
