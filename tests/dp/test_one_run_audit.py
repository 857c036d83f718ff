import math
from functools import partial

import numpy as np
import pytest

from auditkit.claims.privacy import Privacy, privacy_problems
from auditkit.core.errors import AuditError
from auditkit.dp.canaries import draw_canaries
from auditkit.dp.one_run_audit import DpAuditResult, audit_privacy, measured
from auditkit.models.architectures import mlp
from auditkit.statistics.one_run import one_run_epsilon, one_run_p

SMALL = Privacy(epsilon=1.0, epochs=80, batch_size=40, learning_rate=0.02, canaries=120, guesses=60)


def small_audit(privacy: Privacy, seed: int) -> DpAuditResult:
    """Four clusters in 20 dimensions: 60 training records, 130 of the attacker's own, 50 to
    test."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, 240)
    x = (rng.normal(size=(4, 20))[y] + rng.normal(size=(240, 20))).astype(np.float32)
    x.flags.writeable = False  # as records are that a worker shares
    return audit_privacy(
        partial(mlp, (20,), 4, hidden=(64,)),
        x_train=x[:60],
        y_train=y[:60],
        x_own=x[60:190],
        y_own=y[60:190],
        x_test=x[190:],
        y_test=y[190:],
        classes=4,
        privacy=privacy,
        seed=seed,
    )


@pytest.mark.parametrize("seed", [0, 1])
def test_a_run_with_the_noise_switched_off_is_refuted_and_an_honest_one_is_not(seed: int) -> None:
    """Of two runs that claim the same epsilon, the audit refutes the one that added no noise."""
    broken = small_audit(SMALL.model_copy(update={"noise_multiplier": 0.0}), seed)
    assert broken.refuted
    assert broken.p < 0.05
    assert broken.accounted == math.inf
    assert "above the claim" in broken.words
    honest = small_audit(SMALL, seed)
    assert not honest.refuted
    assert 0.98 < honest.accounted <= 1
    assert "does not support it either" in honest.words


def test_an_audit_repeats() -> None:
    """The same seed gives the same finding, to the last bit."""
    privacy = SMALL.model_copy(update={"epochs": 3, "noise_multiplier": 1.0})
    assert small_audit(privacy, 5) == small_audit(privacy, 5)
    assert small_audit(privacy, 5) != small_audit(privacy, 6)


def refuted(privacy: Privacy, odds_of_truth: float, seed: int) -> bool:
    """Whether a mechanism is refuted that answers each coin truly with these odds, and else by its
    opposite.

    That is randomized response, the worst log(odds_of_truth)-DP mechanism there is.
    """
    canaries = draw_canaries(np.arange(200) % 4, 4, privacy.canaries, seed)
    rng = np.random.default_rng([seed, 1])
    truly = rng.random(privacy.canaries) < odds_of_truth / (1 + odds_of_truth)
    logits = rng.normal(size=(privacy.canaries, 4)) * 1e-3
    logits[np.arange(privacy.canaries), canaries.labels] = np.where(truly == canaries.included, 1.0, -1.0)
    _, bound = measured(logits, canaries, privacy, alpha=0.05, seed=seed)
    return bound.epsilon > privacy.epsilon


@pytest.mark.parametrize("epsilon", [1e-9, 1.0, 2.0])
def test_a_true_claim_is_refuted_in_at_most_one_of_twenty_audits(epsilon: float) -> None:
    """For scores that know nothing, and for the worst mechanism of the claimed epsilon."""
    privacy = Privacy(epsilon=epsilon, delta=1e-6, canaries=150, guesses=80)
    alarms = sum(refuted(privacy, math.exp(epsilon), seed) for seed in range(400))
    # At most 5 %: 33 or more of 400 have a probability below .4 %.
    assert alarms <= 32


def test_a_mechanism_that_tells_more_than_claimed_is_refuted() -> None:
    """Randomized response of epsilon 4 is not taken for one of epsilon 2."""
    privacy = Privacy(epsilon=2.0, canaries=200, guesses=120)
    assert sum(refuted(privacy, math.exp(4), seed) for seed in range(50)) >= 45


def test_logits_are_judged_by_the_number_of_right_guesses() -> None:
    """Perfect scores give every guess right, and the bound of that number."""
    privacy = Privacy(canaries=100, guesses=40)
    canaries = draw_canaries(np.arange(200) % 4, 4, 100, 0)
    logits = np.zeros((100, 4))
    logits[np.arange(100), canaries.labels] = np.where(canaries.included, 3.0, -3.0)
    right, bound = measured(logits, canaries, privacy, alpha=0.05, seed=0)
    assert right == 40
    assert bound == one_run_epsilon(100, 40, 40, 1e-5, 0.05)
    assert bound.epsilon == bound.ceiling


def test_a_claim_is_refuted_exactly_where_its_p_value_is_below_alpha() -> None:
    """Bound above the claim and p below alpha say the same."""
    for right in range(150, 201, 5):
        bound = one_run_epsilon(500, 200, right, 1e-5, 0.05).epsilon
        assert (bound > 2) == (one_run_p(500, 200, right, 2, 1e-5) < 0.05)


@pytest.mark.parametrize(
    ("right", "accounted", "expected"),
    [
        (
            200,
            math.inf,
            ["That is above the claim of (2, 1e-05)-differential privacy", "vouches for no epsilon at all"],
        ),
        (
            200,
            1.99,
            [
                "That is above the claim of (2, 1e-05)-differential privacy",
                "vouches for epsilon = 1.99, if the code does",
            ],
        ),
        (110, 1.99, ["It does not support it either", "vouches for epsilon = 1.99, if the code does"]),
        (110, 7.0, ["It does not support it either", "vouches for epsilon = 7.00, more than is claimed"]),
    ],
)
def test_words_say_what_was_found_and_never_that_a_claim_is_supported(
    right: int, accounted: float, expected: list[str]
) -> None:
    """Bound and accountant are told apart, and the bound can only refute."""
    bound = one_run_epsilon(500, 200, right, 1e-5, 0.05)
    p = one_run_p(500, 200, right, 2, 1e-5)
    found = DpAuditResult(
        2.0, 1e-5, 1.0, accounted, bound.epsilon, bound.ceiling, 0.95, 500, 200, right, p, 0.8
    )
    assert all(part in found.words for part in expected)
    assert found.words.startswith(f"The attacker was right about {right} of 200 canaries")


def test_answers_that_are_no_numbers_stop_the_audit() -> None:
    """A training that diverged is an error, not a finding."""
    with pytest.raises(AuditError, match="finite logits"):
        small_audit(SMALL.model_copy(update={"learning_rate": 1e30, "epochs": 2, "noise_multiplier": 1.0}), 0)


def test_what_the_claim_can_prove_is_as_documented() -> None:
    """200 right guesses of 500 canaries prove 4.2, 100 prove 3.5; batches are those of the expected
    records."""
    assert one_run_epsilon(500, 200, 200, 1e-5, 0.05).epsilon == pytest.approx(4.18, abs=0.005)
    assert one_run_epsilon(500, 100, 100, 1e-5, 0.05).epsilon == pytest.approx(3.48, abs=0.005)
    assert Privacy().batches(900) == 18
    assert Privacy(batch_size=5000).batches(900) == 1


@pytest.mark.parametrize(
    ("privacy", "expected"),
    [
        (Privacy(), []),
        (Privacy(canaries=600), ["privacy.canaries must be records of the population, found 600 of 500"]),
        (Privacy(guesses=502), ["privacy.guesses must be at most privacy.canaries, found 502 of 500"]),
        (Privacy(epsilon=4.5), ["privacy.guesses must be able to prove more than the claimed epsilon = 4.5"]),
        (Privacy(canaries=20, guesses=20), ["must be able to prove more than the claimed epsilon = 2"]),
        (Privacy(delta=0.01), ["must be able to prove more than the claimed epsilon = 2"]),
    ],
)
def test_a_claim_that_cannot_be_audited_is_told_why(privacy: Privacy, expected: list[str]) -> None:
    """Too few records, and guesses that could not refute the claim if all were right, are found
    beforehand."""
    problems = privacy_problems(privacy, population=500, alpha=0.05)
    assert len(problems) == len(expected)
    for found, part in zip(problems, expected, strict=True):
        assert part in found
