"""The audit of a DP claim in one run: the measured lower bound of epsilon beside the claimed one.

Steinke, Nasr & Jagielski, "Privacy Auditing with One (1) Training Run" (NeurIPS 2023): canaries are
trained on or left out by the toss of a coin, the attacker says of some of them which, and
differential privacy limits how often they can be right. If they are right more often, the claim is
false. If not, nothing is proved: a better attacker might have been. *An audit of this kind can
refute a claim; it cannot support one.* The proof that a mechanism is private is the accountant's,
and holds if the code does what the accountant assumes; this is what the audit tests.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from auditkit.claims.privacy import Privacy
from auditkit.core.errors import AuditError
from auditkit.dp.canaries import Canaries, canary_scores, draw_canaries
from auditkit.dp.dp_sgd import train_privately
from auditkit.models.architectures import Build, answer
from auditkit.statistics.epsilon import Bound
from auditkit.statistics.margins import Ints
from auditkit.statistics.one_run import one_run_epsilon, one_run_p, right_guesses
from auditkit.training import run_seed


@dataclass(frozen=True)
class DpAuditResult:
    """What the audit of a DP claim found.

    epsilon, delta: as claimed. noise_multiplier: that the training used. accounted: the epsilon at
    delta that Opacus's accountant works out from that noise; infinity without noise. bound: the
    true epsilon at delta is at least this, at `confidence`. ceiling: the bound had every guess been
    right; a bound near it means that no more could have been seen. canaries, guesses, right: how
    many there were, how many of them were guessed to be in or out, and how many of the guesses were
    right. p: the p-value of the claim. accuracy: on test records, of the model audited; it has
    learnt wrong labels too, so the model without canaries is better.
    """

    epsilon: float
    delta: float
    noise_multiplier: float
    accounted: float
    bound: float
    ceiling: float
    confidence: float
    canaries: int
    guesses: int
    right: int
    p: float
    accuracy: float

    @property
    def refuted(self) -> bool:
        """Whether the claim is false at this confidence. If it is not refuted, it is not thereby
        supported."""
        return self.bound > self.epsilon

    @property
    def words(self) -> str:
        """The finding in a few sentences."""
        claimed = f"({self.epsilon:g}, {self.delta:g})-differential privacy"
        guessed = (
            f"The attacker was right about {self.right} of {self.guesses} canaries: epsilon is at least"
            f" {self.bound:.2f} at {self.confidence:.0%} confidence (had they been right about all:"
            f" {self.ceiling:.2f})."
        )
        if self.refuted:
            verdict = f"That is above the claim of {claimed} (p = {self.p:.2g})."
        else:
            verdict = (
                f"That is not above the claim of {claimed}. It does not support it either: a lower bound"
                " cannot, since a better attacker might show more."
            )
        return f"{guessed} {verdict} {self._vouched}"

    @property
    def _vouched(self) -> str:
        """What the accountant says, in words."""
        if math.isinf(self.accounted):
            return "Without noise, the accountant vouches for no epsilon at all."
        enough = (
            "if the code does what it assumes" if self.accounted <= self.epsilon else "more than is claimed"
        )
        return (
            f"From the noise that was added, the accountant vouches for epsilon = {self.accounted:.2f},"
            f" {enough}."
        )


def audit_privacy(
    build: Build,
    *,
    x_train: npt.NDArray[np.float32],
    y_train: Ints,
    x_own: npt.NDArray[np.float32],
    y_own: Ints,
    x_test: npt.NDArray[np.float32],
    y_test: Ints,
    classes: int,
    privacy: Privacy,
    seed: int,
    alpha: float = 0.05,
) -> DpAuditResult:
    """Train one model as claimed, canaries among its records, and say how much it gives away.

    Args:
        build: Builds one model.
        x_train: float32 (records, *shape), the records to train on.
        y_train: int64 (records,), their labels.
        x_own: float32 (records, *shape), the attacker's own, at least privacy.canaries.
        y_own: int64 (records,), their true labels.
        x_test: float32 (records, *shape), where accuracy is read.
        y_test: int64 (records,), their labels.
        classes: How many there are.
        privacy: What is claimed, and how the model is trained.
        seed: Everything random depends on it.
        alpha: The chance that a true claim is refuted is at most this.

    Returns:
        The measured lower bound of epsilon beside the claimed one.

    Raises:
        AuditError: If the model answers with anything but finite numbers.
        UsageError: As `train_privately`.
    """
    canaries = draw_canaries(y_own, classes, privacy.canaries, run_seed(seed, "canaries", 0))
    x_canary = x_own[canaries.rows]
    trained = train_privately(
        build,
        np.concatenate([x_train, x_canary[canaries.included]]),
        np.concatenate([y_train, canaries.labels[canaries.included]]),
        privacy,
        batches=privacy.batches(len(x_train)),
        seed=seed,
    )
    logits = answer(trained.model, torch.from_numpy(x_canary))
    if not np.isfinite(logits).all():
        raise AuditError(
            "a privately trained model must answer with finite logits, found others; lower"
            f" privacy.learning_rate = {privacy.learning_rate:g} or the noise"
        )
    right, bound = measured(logits, canaries, privacy, alpha=alpha, seed=seed)
    return DpAuditResult(
        epsilon=privacy.epsilon,
        delta=privacy.delta,
        noise_multiplier=trained.noise_multiplier,
        accounted=trained.epsilon,
        bound=bound.epsilon,
        ceiling=bound.ceiling,
        confidence=bound.confidence,
        canaries=privacy.canaries,
        guesses=privacy.guesses,
        right=right,
        p=one_run_p(privacy.canaries, privacy.guesses, right, privacy.epsilon, privacy.delta),
        accuracy=float(
            np.mean(answer(trained.model, torch.from_numpy(np.array(x_test))).argmax(axis=1) == y_test)
        ),
    )


def measured(
    logits: npt.NDArray[np.floating], canaries: Canaries, privacy: Privacy, *, alpha: float, seed: int
) -> tuple[int, Bound]:
    """How many of the guesses are right, and the epsilon they prove at the claim's delta.

    Args:
        logits: (m, classes), the model's answers on the canaries.
        canaries: As they were drawn.
        privacy: What is claimed; it says how many guesses there are.
        alpha: One less the confidence of the bound.
        seed: Puts canaries with equal scores in order.
    """
    m, r = privacy.canaries, privacy.guesses
    ties = run_seed(seed, "canary ties", 0)
    right = right_guesses(canary_scores(logits, canaries), canaries.included, r, seed=ties)
    return right, one_run_epsilon(m, r, right, privacy.delta, alpha)
