import tracemalloc
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from auditkit.attacks.errors import NotApplicable
from auditkit.attacks.references import Moments, moments, outside, references, require
from auditkit.core.ids import SHADOW
from auditkit.signals.signals import Signals, create_logits, open_logits, phi
from auditkit.statistics.margins import Floats, Ints
from tests.attacks.reference_signals import margin_signals, random_halves, random_signals


def naive(signals: Signals, runs: Ints, inside: bool) -> Moments:
    """The moments of phi, record by record, by numpy's own mean and variance."""
    found = []
    for i in range(len(signals.labels)):
        x = np.array(
            [phi(signals.logits[r], signals.labels)[i] for r in runs if signals.member[r, i] == inside]
        )
        found.append((len(x), x.mean(), x.var() * len(x)) if len(x) else (0, np.nan, 0.0))
    n, mean, m2 = np.array(found).T
    return Moments(n, mean, m2)


def same(a: Moments, b: Moments) -> bool:
    return (
        np.array_equal(a.n, b.n)
        and np.allclose(a.mean, b.mean, rtol=1e-12, atol=1e-12, equal_nan=True)
        and np.allclose(a.m2, b.m2, rtol=1e-9, atol=1e-9)
    )


def test_moments_by_numpy() -> None:
    """Number, mean and sum of squares of either side are those of the runs that are in, or out,
    taken one by one."""
    signals, _ = random_signals(records=30, outside=5, shadows=7)
    inside, out = moments(phi)(signals, 0)
    shadows = signals.runs_of(SHADOW)
    assert same(inside, naive(signals, shadows, True))
    assert same(out, naive(signals, shadows, False))
    assert (inside.n + out.n == 7).all()
    assert np.isnan(inside.mean[30:]).all()


@pytest.mark.parametrize("left_out", [(1,), (4,), (2, 5), (0, 3), (1, 2)])
def test_runs_that_are_left_out(left_out: tuple[int, ...]) -> None:
    """A shadow run that is left out is as if it had never been there; another arm's run changes
    nothing."""
    signals, _ = random_signals(records=30, outside=5, shadows=6)
    others = np.setdiff1d(signals.runs_of(SHADOW), left_out)
    inside, out = moments(phi)(signals, *left_out)
    assert same(inside, naive(signals, others, True))
    assert same(out, naive(signals, others, False))


def test_a_single_run_has_no_spread() -> None:
    """Where all but one run were left out, the sum of squares is exactly 0; where all were, there
    is no mean."""
    signals = margin_signals([[0.0], [0.1], [0.7], [0.3]], [[0], [1], [1], [0]])
    inside, out = moments(phi)(signals, 1)
    assert [inside.n, inside.m2] == [1, 0]
    assert inside.mean == pytest.approx(0.7)
    inside, out = moments(phi)(signals, 1, 2)
    assert [inside.n, inside.m2] == [0, 0]
    assert np.isnan(inside.mean)
    assert out.mean == pytest.approx(0.3)


def test_small_spread_about_a_large_mean() -> None:
    """A variance of 1 about a mean of a billion is found to six digits, where the mean square less
    the squared mean would have none."""
    signals, _ = random_signals(records=20, outside=0, shadows=50)

    def far(logits: npt.NDArray[np.floating], labels: Ints) -> Floats:
        return 1e9 + phi(logits, labels)

    for near, found in zip(moments(phi)(signals, 0), moments(far)(signals, 0), strict=True):
        assert found.m2 == pytest.approx(near.m2, rel=1e-6)


def test_the_sums_are_made_once() -> None:
    """However many targets are attacked, the signal of each shadow run is computed once."""
    signals, _ = random_signals(records=10, outside=0, shadows=5)
    asked = []

    def signal(logits: npt.NDArray[np.floating], labels: Ints) -> Floats:
        asked.append(1)
        return phi(logits, labels)

    of = moments(signal)
    for _ in range(3):
        of(signals, 0)
    assert len(asked) == 5


def test_memory_does_not_grow_with_runs(tmp_path: Path) -> None:
    """Twice as many shadow runs take no more memory, and all of it is a few rows."""
    records = 2_000

    def peak(runs: int) -> int:
        for row in create_logits(tmp_path / f"{runs}.npy", runs, records, 2):
            row[:, 0] = np.arange(records)
        member = random_halves(np.random.default_rng(0), runs, records)
        ids = np.arange(records).astype(str)
        logits = open_logits(tmp_path / f"{runs}.npy")
        labels = np.zeros(records, dtype=np.int64)
        signals = Signals(logits, member, labels, ids, np.array(["shadow"] * runs), 0)
        tracemalloc.start()
        try:
            moments(phi)(signals, 0)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, many = peak(16), peak(32)
    assert few < 40 * 8 * records
    assert many < few + 8 * records


def test_references_are_the_other_shadow_runs() -> None:
    """Against a shadow run the reference runs are the others, against any other run all of them."""
    signals, _ = random_signals(shadows=4)
    assert references(signals, 0).tolist() == [1, 2, 3, 4]
    assert references(signals, 2).tolist() == [1, 3, 4]


def test_outside_of_every_run() -> None:
    """Known non-members are the records that no run was trained on; without any there is nothing to
    learn from."""
    signals, _ = random_signals(records=20, outside=3)
    assert outside(signals).tolist() == [20, 21, 22]
    with pytest.raises(NotApplicable, match="no run was trained on; there are none"):
        outside(random_signals(records=20, outside=0)[0])


def test_too_few_reference_runs() -> None:
    """What an attack needs of reference runs must be there for some record at least, and the reason
    names both."""
    signals, _ = random_signals(shadows=2)
    inside, out = moments(phi)(signals, 0)
    require(signals, 0, 1, inside=inside, out=out)
    require(signals, 0, 2, out=out)  # the records outside
    with pytest.raises(NotApplicable) as found:
        require(signals, 0, 2, inside=inside, out=out)
    assert found.value.reason == (
        "the attack needs, for some record, shadow runs: 2 trained on it and 2 not trained on it; "
        "there are 2 shadow runs"
    )
