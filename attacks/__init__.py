"""The attack battery: one paper, one file, one function `score`, one line in ATTACKS.

Every score is float64 (records,) and higher means more likely a member. An attack that cannot be
mounted on the signals it is given raises `NotApplicable` with the reason.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from auditkit.attacks import confidence, entropy, gap, loss, modified_entropy, shokri
from auditkit.attacks.errors import NotApplicable
from auditkit.attacks.per_class import per_class
from auditkit.signals import Signals
from auditkit.statistics.margins import Floats

__all__ = ["ATTACKS", "Attack", "NotApplicable"]


Family = Literal["population", "reference models", "shadow models", "label only", "white box", "unlearning"]
"""population: the target's answers, at most compared with those on other records. reference models: compared
with those of runs with and without the record. shadow models: judged by a classifier that learnt on such runs.
label only: the predicted label, asked often. white box: the weights. unlearning: both versions of the model."""


@dataclass(frozen=True)
class Attack:
    """A membership-inference attack. title: its name in a report. paper: where it was published. family: what
    it goes by, and so what the attacker must have. score: (signals, target run) -> float64 (records,),
    higher = more likely a member, NaN where the target was not asked what the attack needs."""

    title: str
    paper: str
    family: Family
    score: Callable[[Signals, int], Floats]


YEOM = "Yeom et al. 2018"
SONG = "Song & Mittal 2021"

ATTACKS: dict[str, Attack] = {
    "gap": Attack("Gap (prediction correct)", YEOM, "population", gap.score),
    "loss": Attack("Loss", YEOM, "population", loss.score),
    "loss-per-class": Attack("Loss, threshold per class", SONG, "population", per_class(loss.score)),
    "confidence": Attack("Confidence", SONG, "population", confidence.score),
    "confidence-per-class": Attack(
        "Confidence, threshold per class", SONG, "population", per_class(confidence.score)
    ),
    "entropy": Attack("Entropy", "Shokri et al. 2017", "population", entropy.score),
    "entropy-per-class": Attack("Entropy, threshold per class", SONG, "population", per_class(entropy.score)),
    "modified-entropy": Attack("Modified entropy", SONG, "population", modified_entropy.score),
    "modified-entropy-per-class": Attack(
        "Modified entropy, threshold per class", SONG, "population", per_class(modified_entropy.score)
    ),
    "shokri": Attack("Shadow models", "Shokri et al. 2017", "shadow models", shokri.score),
}
