"""The attack battery: one paper, one file, one function `score`, one line in ATTACKS.

Every score is float64 (records,) and higher means more likely a member. An attack that cannot be
mounted on the signals it is given raises `NotApplicable` with the reason.
"""

from collections.abc import Callable
from dataclasses import dataclass

from auditkit.attacks import (
    attack_p,
    attack_r,
    boundary,
    confidence,
    difficulty_calibration,
    entropy,
    gap,
    gradient_norm,
    hinge,
    label_stability,
    lira,
    loss,
    modified_entropy,
    quantile_regression,
    rmia,
    shokri,
    u_lira,
)
from auditkit.attacks.errors import NotApplicable
from auditkit.attacks.families import FAMILIES, Family
from auditkit.attacks.per_class import per_class
from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Floats

__all__ = ["ATTACKS", "FAMILIES", "Attack", "Family", "NotApplicable"]


@dataclass(frozen=True)
class Attack:
    """A membership-inference attack.

    title     its name in a report
    paper     where it was published
    family    a name in FAMILIES: what it goes by, and its place in a report
    score     (signals, target run) -> float64 (records,), higher = more likely a member; NaN where
              the target was not asked what the attack needs
    observes  what must be measured for it with the model in hand, a name in
              `auditkit.probes.OBSERVATIONS`; None where the model's answers are enough
    """

    title: str
    paper: str
    family: str
    score: Callable[[Signals, int], Floats]
    observes: str | None = None

    def __post_init__(self) -> None:
        # At import: an attack of an unknown family would have no row in the report.
        if self.family not in FAMILIES:
            known = ", ".join(FAMILIES)
            raise ValueError(f"the family of {self.title} must be among {known}, got {self.family!r}")

    @property
    def judges_by_others(self) -> bool:
        """Whether it judges each run by the others, see `Family`."""
        return FAMILIES[self.family].judges_by_others


CARLINI = "Carlini et al. 2022"
CHOQUETTE = "Choquette-Choo et al. 2021"
SHOKRI = "Shokri et al. 2017"
SONG = "Song & Mittal 2021"
YE = "Ye et al. 2022"
YEOM = "Yeom et al. 2018"
ZARIFZADEH = "Zarifzadeh et al. 2024"

# Within a family the rows of a report stand in this order. Names of the lines are what a claim
# lists. fmt: off
ATTACKS: dict[str, Attack] = {
    "loss": Attack("Loss", YEOM, "population", loss.score),
    "loss-per-class": Attack("Loss, threshold per class", SONG, "population", per_class(loss.score)),
    "confidence": Attack("Confidence", SONG, "population", confidence.score),
    "confidence-per-class": Attack(
        "Confidence, threshold per class", SONG, "population", per_class(confidence.score)
    ),
    "entropy": Attack("Entropy", SHOKRI, "population", entropy.score),
    "entropy-per-class": Attack("Entropy, threshold per class", SONG, "population", per_class(entropy.score)),
    "modified-entropy": Attack("Modified entropy", SONG, "population", modified_entropy.score),
    "modified-entropy-per-class": Attack(
        "Modified entropy, threshold per class", SONG, "population", per_class(modified_entropy.score)
    ),
    "hinge": Attack("Hinge", CARLINI, "population", hinge.score),
    "hinge-per-class": Attack("Hinge, threshold per class", SONG, "population", per_class(hinge.score)),
    "attack-p": Attack("Attack-P", YE, "population", attack_p.score),
    "attack-p-per-class": Attack("Attack-P, per class", YE, "population", attack_p.score_per_class),
    "quantile-regression": Attack(
        "Quantile regression", "Bertran et al. 2023", "population", quantile_regression.score
    ),
    "lira-online": Attack("LiRA online", CARLINI, "reference models", lira.online(lira.shrunk)),
    "lira-online-per-example": Attack(
        "LiRA online, variance per example", CARLINI, "reference models", lira.online(lira.per_example)
    ),
    "lira-online-pooled": Attack(
        "LiRA online, variance pooled", CARLINI, "reference models", lira.online(lira.pooled)
    ),
    "lira-offline": Attack("LiRA offline", CARLINI, "reference models", lira.offline(lira.shrunk)),
    "lira-offline-per-example": Attack(
        "LiRA offline, variance per example", CARLINI, "reference models", lira.offline(lira.per_example)
    ),
    "lira-offline-pooled": Attack(
        "LiRA offline, variance pooled", CARLINI, "reference models", lira.offline(lira.pooled)
    ),
    "lira-offline-two-sided": Attack(
        "LiRA offline, two-sided", CARLINI, "reference models", lira.two_sided(lira.shrunk)
    ),
    "rmia-online": Attack("RMIA online", ZARIFZADEH, "reference models", rmia.online(1.0)),
    "rmia-offline": Attack("RMIA offline", ZARIFZADEH, "reference models", rmia.offline(1.0)),
    "attack-r": Attack("Attack-R", YE, "reference models", attack_r.score),
    "difficulty-calibration": Attack(
        "Difficulty calibration", "Watson et al. 2022", "reference models", difficulty_calibration.score
    ),
    "shokri-rf": Attack("Shadow models, random forest", SHOKRI, "shadow models", shokri.with_model("rf")),
    "shokri-gb": Attack("Shadow models, gradient boosting", SHOKRI, "shadow models", shokri.with_model("gb")),
    "shokri-nn": Attack("Shadow models, neural network", SHOKRI, "shadow models", shokri.with_model("nn")),
    "shokri-lr": Attack(
        "Shadow models, logistic regression", SHOKRI, "shadow models", shokri.with_model("lr")
    ),
    "shokri-svm": Attack(
        "Shadow models, support vector machine", SHOKRI, "shadow models", shokri.with_model("svm")
    ),
    "gap": Attack("Gap (prediction correct)", YEOM, "label only", gap.score),
    "label-stability-noise": Attack(
        "Label stability under noise",
        CHOQUETTE,
        "label only",
        label_stability.score_noise,
        "label stability, noise",
    ),
    "label-stability-shifts": Attack(
        "Label stability under shifts",
        CHOQUETTE,
        "label only",
        label_stability.score_shifts,
        "label stability, shifts",
    ),
    "boundary": Attack("Boundary distance", CHOQUETTE, "label only", boundary.score, "boundary distance"),
    "gradient-norm": Attack(
        "Gradient norm", "Nasr et al. 2019", "white box", gradient_norm.score, "gradient norm"
    ),
    "u-lira": Attack("U-LiRA", "Hayes et al. 2024", "unlearning", u_lira.score),
}
# fmt: on
