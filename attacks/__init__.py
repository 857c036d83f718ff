"""The attack battery: one paper, one file, one function `score`, one line in ATTACKS.

Every score is float64 (records,) and higher means more likely a member. An attack that cannot be
mounted on the signals it is given raises `NotApplicable` with the reason.
"""

from collections.abc import Callable
from dataclasses import dataclass

from auditkit.attacks import confidence, entropy, gap, loss, modified_entropy, shokri
from auditkit.attacks.errors import NotApplicable
from auditkit.attacks.per_class import per_class
from auditkit.signals import Signals
from auditkit.statistics.margins import Floats

__all__ = ["ATTACKS", "Attack", "NotApplicable"]


@dataclass(frozen=True)
class Attack:
    """A membership-inference attack. title: its name in a report. paper: where it was published.
    score: (signals, target run) -> float64 (records,), higher = more likely a member."""

    title: str
    paper: str
    score: Callable[[Signals, int], Floats]


YEOM = "Yeom et al. 2018"
SONG = "Song & Mittal 2021"

ATTACKS: dict[str, Attack] = {
    "gap": Attack("Gap (prediction correct)", YEOM, gap.score),
    "loss": Attack("Loss", YEOM, loss.score),
    "loss-per-class": Attack("Loss, threshold per class", SONG, per_class(loss.score)),
    "confidence": Attack("Confidence", SONG, confidence.score),
    "confidence-per-class": Attack("Confidence, threshold per class", SONG, per_class(confidence.score)),
    "entropy": Attack("Entropy", "Shokri et al. 2017", entropy.score),
    "entropy-per-class": Attack("Entropy, threshold per class", SONG, per_class(entropy.score)),
    "modified-entropy": Attack("Modified entropy", SONG, modified_entropy.score),
    "modified-entropy-per-class": Attack(
        "Modified entropy, threshold per class", SONG, per_class(modified_entropy.score)
    ),
    "shokri": Attack("Shadow models", "Shokri et al. 2017", shokri.score),
}
