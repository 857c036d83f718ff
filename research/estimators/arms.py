"""Arms drawn from the bank, what must not move rho, and what must: for
`research/estimators/compare.py`."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from auditkit.statistics.margins import Ints, Margins
from auditkit.statistics.residual import Memory, memory, rho
from research.estimators.bank import FEWER, OTHERS, USUAL, Setting
from research.estimators.table import BEFORE, Estimator

Measure = Callable[[Margins, Margins, Margins], Memory]
Change = Callable[[Margins, Margins], Margins]
"""(retrained runs, the originals) -> what is passed off as unlearned."""
Rows = list[dict[str, Any]]
RUNS = 20
"""Of each arm: auditkit's default."""
SHARES = (0.0, 0.1, 0.3, 0.5, 0.7, 1.0)
SCALES = (0.1, 0.3, 3.0, 10.0)


def mixed(R: Margins, O: Margins, share: float) -> Margins:
    """Margins that lie so far on the way from R to O, run by run."""
    runs = np.arange(min(R.runs, O.runs))
    R, O = R.take(runs), O.take(runs)
    return Margins(*((1 - share) * r + share * o for r, o in ((R.forget, O.forget), (R.control, O.control))))


def cross_fitted(estimator: Estimator, O: Margins, U: Margins, R: Margins) -> Memory:
    """`auditkit.statistics.residual.memory` by another estimator; what control records add is the
    last "record"."""
    left, gap = [], []
    for k in range(R.runs):
        others = np.delete(np.arange(R.runs), k)
        terms = estimator.fit(O.take(others), R.take(others))
        u, o, r = (terms(arm.take(np.array([k])))[0] for arm in (U, O, R))
        left.append(u - r)
        gap.append(o - r)
    return Memory(np.array(left), np.array(gap))


MEASURES: dict[str, Measure] = {"before": partial(cross_fitted, BEFORE), "after": memory}


def drawn(setting: Setting, seed: int, query: str = "exact") -> Iterator[tuple[Margins, Margins, Margins]]:
    """(original, unlearned, retrained) arms of RUNS runs each, again and again: no two runs the
    same."""
    O, R = setting.arms["original"][query], setting.arms["retrained"][query]
    rng = np.random.default_rng(seed)
    while True:
        r = rng.permutation(R.runs)[: 2 * RUNS]
        yield O.take(rng.permutation(O.runs)[:RUNS]), R.take(r[:RUNS]), R.take(r[RUNS:])


def swapped(U: Margins, O: Margins, runs: int) -> Margins:
    """U, with O's runs in the place of the first so many."""
    return Margins(
        *(np.concatenate([o[:runs], u[runs:]]) for o, u in ((O.forget, U.forget), (O.control, U.control)))
    )


def kept(U: Margins, O: Margins, records: Ints) -> Margins:
    """U, with O's margins on these forget records."""
    forget = U.forget.copy()
    forget[:, records] = O.forget[:, records]
    return Margins(forget, U.control)


def reading(measure: Measure, setting: Setting, change: Change) -> list[float]:
    """rho of what `change` makes of retrained runs and originals, over a few draws of arms."""
    arms = [next(drawn(setting, seed)) for seed in range(4)]
    return [float(rho(measure(O, change(U, O), R))) for O, U, R in arms]


def shares(measure: Measure, setting: Setting, make: Callable[[float], Change]) -> list[float]:
    """The mean rho at each of SHARES."""
    return [float(np.mean(reading(measure, setting, make(share)))) for share in SHARES]


def temperature(measure: Measure, setting: Setting) -> float:
    """The most that rho moves if all logits of the claimed arm are multiplied."""

    def hot(c: float) -> Change:
        return lambda U, O: Margins(c * U.forget, c * U.control)

    before = np.array(reading(measure, setting, hot(1.0)))
    return float(max(np.abs(reading(measure, setting, hot(c)) - before).max() for c in SCALES))


def other_originals(measure: Measure, setting: Setting) -> float:
    """rho of originals that are nobody's parents passed off as unlearned; the arms are half the
    bank's originals."""
    O, R = setting.arms["original"]["exact"], setting.arms["retrained"]["exact"]
    half = np.arange(O.runs // 2)
    return float(rho(measure(O.take(half), O.take(half + len(half)), R.take(half))))


def recipe(measure: Measure, setting: Setting, other: str) -> float:
    """rho of honest retraining by another recipe."""
    U = setting.arms[other]["exact"]
    runs = np.arange(U.runs)
    arms = [next(drawn(setting, seed)) for seed in range(4)]
    return float(np.mean([rho(measure(O.take(runs), U, R.take(runs))) for O, _, R in arms]))


def invariance(bank: Sequence[Setting]) -> Rows:
    """One row a data set, of the forget set USUAL."""
    return [
        {
            "data": setting.data,
            "shares": SHARES,
            **{name: invariance_of(measure, setting) for name, measure in MEASURES.items()},
        }
        for setting in bank
        if setting.forget == USUAL
    ]


def invariance_of(measure: Measure, setting: Setting) -> dict[str, Any]:
    """What must not move rho (temperature, recipes), and what must, in step with its share."""
    n = setting.arms["original"]["exact"].forget.shape[1]
    order = np.random.default_rng(0).permutation(n)
    return {
        "temperature": temperature(measure, setting),
        "other originals": other_originals(measure, setting),
        "interpolated": shares(measure, setting, lambda s: partial(mixed, share=s)),
        "runs": shares(measure, setting, lambda s: partial(swapped, runs=round(s * RUNS))),
        "records": shares(measure, setting, lambda s: partial(kept, records=order[: round(s * n)])),
        "recipes": {other: recipe(measure, setting, other) for other in (*OTHERS, FEWER)},
    }
