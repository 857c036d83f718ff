"""What a claim of differential privacy says, and whether it can be audited."""

from typing import Annotated

from pydantic import Field

from auditkit.claims.part import Count, Part, Positive
from auditkit.statistics.one_run import one_run_epsilon


class Privacy(Part):
    """The claim that training is (epsilon, delta)-differentially private, and how it is put to the
    test.

    Two training sets are neighbours if one has one record more. epsilon, delta: what is claimed.
    clipping_norm: the Euclidean norm that the gradient of one record is cut down to.
    noise_multiplier: the standard deviation of the noise on the sum of these gradients, as a
    multiple of clipping_norm, *as the training really uses it* (0: none at all); left out, it is
    the one that Opacus's accountant asks for, given epsilon, delta, the sampling rate and the
    number of steps. epochs, batch_size, learning_rate: of Adam on Poisson batches, which hold
    batch_size records on average; an epoch is as many of them as hold, on average, all records
    once.

    canaries: how many records of the attacker's own, with wrong labels, are put into training or
    left out, each by the toss of a coin. guesses: about how many of them the attacker says whether
    they were in; half of these are called in and half out. Both are fixed in the claim, since a
    number chosen after looking at the scores would invalidate the bound. More guesses can prove
    more, if the attacker is right about them: with 200 of 500 all right, epsilon = 4.2; with 100,
    3.5.
    """

    epsilon: Positive = 2.0
    delta: Annotated[float, Field(gt=0, lt=1)] = 1e-5
    clipping_norm: Positive = 5.0
    noise_multiplier: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    epochs: Count = 100
    batch_size: Count = 64
    learning_rate: Positive = 0.01
    canaries: Annotated[int, Field(ge=2)] = 500
    guesses: Annotated[int, Field(ge=2, multiple_of=2)] = 200

    def batches(self, train: int) -> int:
        """The batches of an epoch, the inverse of the sampling rate, when there are `train` records
        besides the canaries. It rests on the *expected* number of canaries trained on: the actual
        one is private."""
        return max(1, round((train + self.canaries / 2) / self.batch_size))


def privacy_problems(privacy: Privacy, population: int, alpha: float) -> list[str]:
    """Why such a claim cannot be audited, as rule, value and remedy; [] if it can.

    population: how many records of the attacker's own there are. alpha: 1 - confidence of the
    bound.
    """
    problems = []
    if privacy.canaries > population:
        problems.append(
            f"privacy.canaries must be records of the population, found {privacy.canaries} of {population};"
            " raise data.population, or lower canaries and guesses"
        )
    if privacy.guesses > privacy.canaries:
        problems.append(
            f"privacy.guesses must be at most privacy.canaries, found {privacy.guesses} of"
            f" {privacy.canaries}; lower guesses"
        )
        return problems
    best = one_run_epsilon(privacy.canaries, privacy.guesses, privacy.guesses, privacy.delta, alpha).ceiling
    if best <= privacy.epsilon:
        problems.append(
            f"privacy.guesses must be able to prove more than the claimed epsilon = {privacy.epsilon:g},"
            f" found that {privacy.guesses} right guesses about {privacy.canaries} canaries prove {best:.2f};"
            " raise guesses and canaries, or lower delta"
        )
    return problems
