from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from auditkit.attacks import NotApplicable, boundary, gradient_norm, label_stability
from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Floats
from tests.attacks.synthetic_signals import RECORDS, synthetic_signals

ATTACKS: dict[str, tuple[Callable[[Signals, int], Floats], int]] = {
    "gradient norm": (gradient_norm.score, -1),
    "label stability, noise": (label_stability.score_noise, 1),
    "label stability, shifts": (label_stability.score_shifts, 1),
    "boundary distance": (boundary.score, 1),
}
SIGNALS = replace(synthetic_signals(), observed={})
RUNS = len(SIGNALS.arms)
VALUES = np.random.default_rng(0).random((RUNS, RECORDS))
VALUES[:, 5:9] = np.nan
VALUES[3] = np.nan
OBSERVED = replace(SIGNALS, observed={name: k + VALUES for k, name in enumerate(ATTACKS)})

each = pytest.mark.parametrize("name", ATTACKS)


@each
def test_the_score_is_what_was_observed(name: str) -> None:
    """Each score is the target's own observation, signed so that members are high, NaN where it was
    not asked."""
    score, sign = ATTACKS[name]
    found = score(OBSERVED, 1)
    assert np.array_equal(found, sign * OBSERVED.observed[name][1], equal_nan=True)
    assert np.isnan(found[5:9]).all()
    assert found.dtype == np.float64


@each
def test_without_an_observation_there_is_no_attack(name: str) -> None:
    """Where nothing was measured, for any run or for this one, the reason names what is missing."""
    score, _ = ATTACKS[name]
    for signals, target in ((SIGNALS, 0), (OBSERVED, 3)):
        with pytest.raises(NotApplicable, match=name):
            score(signals, target)
