"""What control margins tell of forget margins."""

import numpy as np

from auditkit.statistics.margins import Margins
from auditkit.statistics.shared_noise import own_margins, shared_noise


def test_shared_noise_is_what_control_records_tell() -> None:
    """Of margins that follow the control margins of their own run, nothing much is left; of
    independent ones, most."""
    rng = np.random.default_rng(0)
    factors, loads = rng.normal(size=(40, 2)), rng.normal(size=(2, 70))
    follow = factors @ loads + 0.05 * rng.normal(size=(40, 70))
    for noise, least, most in ((follow[:, :20], 0.0, 0.2), (rng.normal(size=(40, 20)), 0.7, 1.3)):
        runs = Margins(noise, follow[:, 20:])
        learnt = shared_noise(runs.take(np.arange(15)), runs.take(np.arange(15, 30)))
        rest = own_margins(runs.take(np.arange(30, 40)), learnt)
        assert least <= rest.var() / noise[30:].var() <= most


def test_control_records_that_do_not_vary_tell_nothing() -> None:
    """Where control margins are those of copies of one run, forget margins stay as they are,
    whatever rounding says."""
    rng = np.random.default_rng(0)
    arm = Margins(rng.normal(size=(6, 4)), np.full((6, 9), 0.1))
    assert np.array_equal(own_margins(arm, shared_noise(arm, arm)), arm.forget)
