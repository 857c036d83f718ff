"""Shadow-model attack: a classifier that learnt on the attacker's own models what members look like.

Shokri, Stronati, Song & Shmatikov, "Membership Inference Attacks Against Machine Learning Models"
(S&P 2017). The attack model is the random forest of ART's `MembershipInferenceBlackBox` on the
prediction vector and the label, fitted on our shadow runs: each is trained on a random half of the
attacker's own population, so members and non-members balance. The log-probabilities are its features,
as probabilities near 0 and 1 would be told apart only by their rounding.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from auditkit.attacks.shadows import shadow_examples
from auditkit.signals import Signals, log_softmax
from auditkit.statistics.margins import Floats


def score(signals: Signals, target: int) -> Floats:
    """The share of the attack model's trees that call the record a member, in [0, 1]."""
    features = log_softmax(signals.logits[target])
    inferred = _attack_model(signals).infer(None, signals.labels, pred=features, probabilities=True)
    return np.asarray(inferred, dtype=np.float64).ravel()


@lru_cache(maxsize=1)
def _attack_model(signals: Signals) -> Any:
    """ART's attack, fitted on the shadow runs of these signals; the same for every target run."""
    from art.attacks.inference.membership_inference import MembershipInferenceBlackBox
    from art.estimators.classification import BlackBoxClassifierNeuralNetwork

    shadows, own, member = shadow_examples(signals)
    classes = signals.logits.shape[-1]
    estimator = BlackBoxClassifierNeuralNetwork(lambda x: x, input_shape=(classes,), nb_classes=classes)
    attack = MembershipInferenceBlackBox(estimator, attack_model_type="rf", scaler_type=None)
    attack.attack_model.set_params(random_state=signals.seed % 2**32, min_samples_leaf=5, n_jobs=1)
    features = log_softmax(signals.logits[np.ix_(shadows, own)])
    labels = np.broadcast_to(signals.labels[own], member.shape)
    attack.fit(y=labels[member], pred=features[member], test_y=labels[~member], test_pred=features[~member])
    return attack
