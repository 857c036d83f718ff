"""What would count as forgotten: margins, levels and attacks. Policy; locked before the first model
is trained."""

from typing import Annotated

from pydantic import Field

from auditkit.claims.part import Part, Positive, Probability
from auditkit.core.ids import Recovery

STANDARD = (
    "loss",
    "loss-per-class",
    "entropy",
    "entropy-per-class",
    "modified-entropy",
    "modified-entropy-per-class",
    "hinge",
    "hinge-per-class",
    "attack-p-per-class",
    "quantile-regression",
    "lira-online",
    "lira-offline",
    "rmia-online",
    "rmia-offline",
    "attack-r",
    "difficulty-calibration",
    "shokri-lr",
    "gap",
    "label-stability-noise",
)
"""What a claim that says nothing else is held to: every kind that needs no more than the threat
model that is the default gives. Confidence and Attack-P rank as the loss does; of variants the best
stands for all."""


REPORTED = ("label-stability-shifts", "gradient-norm", "u-lira")
"""What is mounted besides and held against nobody. Shifts need images and gradients the weights.
U-LiRA compares with the very arms that are judged: its gap counts memory twice, and its error is
not that between runs."""

ONE_RUN_MARGINS = {"residual_memory": 0.5, "attack_gap": 0.1, "accuracy": 0.03}
"""Margins of a claim about one run that says nothing of them. With the margins of a procedure claim
the noise of the one run would leave nearly every honest model undecided; see
docs/method.md#one-run-against-many."""

WITHOUT_STRESS = {"visible": 0.0}
"""Of a claim for which no stress world can be trained, about a finished model or about answers: how
few records are visible is said, and withholds no support, as nothing could mend it."""


class Criteria(Part):
    """What would count as forgotten; locked before the first model is trained.

    alpha: level of each test. residual_memory: margin on rho. stress_memory: the same in the
    stress world, where nearly every record counts and runs vary little. visible: the least share
    of the forget records whose influence must be visible, in the plain or in the stress world, for
    support: of the others nothing can be said. attack_gap: margin on the difference of each
    attack's AUC to the placebo, or to retrained runs where there is none. accuracy: how much lower
    than retrained the test accuracy may be. jitter: radii of the jittered queries, as shares of
    the median nearest-neighbour distance; a filter that answers for the forget records escapes
    only if it reaches further than the largest. With the default it then answers for nearly every
    record there is. attacks: names in `auditkit.attacks.ATTACKS`. reported: further ones that are
    mounted and reported, and required of nobody. recoveries: names in
    `auditkit.probes.RECOVERIES`, ways to make a model show what its weights still hold; that of
    relearned models is a required test, the others are reported. planning_sd: the standard
    deviation of the residual memory of one retrained run that the number of runs is planned with.
    """

    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    residual_memory: Annotated[float, Field(gt=0, lt=1)] = 0.2
    stress_memory: Annotated[float, Field(gt=0, lt=1)] = 0.1
    visible: Annotated[float, Field(ge=0, le=1)] = 0.8
    attack_gap: Annotated[float, Field(gt=0, lt=0.5)] = 0.03
    accuracy: Probability = 0.01
    jitter: Annotated[tuple[Positive, ...], Field(min_length=1)] = (0.3, 1.0, 2.0)
    attacks: Annotated[tuple[str, ...], Field(min_length=1)] = STANDARD
    reported: tuple[str, ...] = REPORTED
    recoveries: tuple[Recovery, ...] = ("relearned", "probe", "rescaled")
    planning_sd: Positive = 0.15

    def at(self, share: float) -> "Criteria":
        """These criteria at a look that spends so much of alpha."""
        return self.model_copy(update={"alpha": share * self.alpha})

    @property
    def all_attacks(self) -> tuple[str, ...]:
        """Every attack that is mounted, required or not, each once."""
        return tuple(dict.fromkeys((*self.attacks, *self.reported)))
