"""The estimators of residual memory that `research/estimators/compare.py` compares, in one literal table.

An estimator is four choices: what is asked (`query`), how a run is put on the scale of the
retrained runs (`calibrate`), how calibrated margins are squashed (`squash`), and how records are
weighed (`weigh`). All are cross-fitted alike: the choices are fitted to the runs of a fold's other
originals and retrained runs, and give one number, the projection, for each run left out.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from auditkit.statistics.margins import Floats, Margins
from research.estimators.parts import (
    Change,
    Weigh,
    algebraic,
    alike,
    as_it_is,
    clipped,
    control_variate,
    direction,
    forward_line,
    huber_line,
    intercept,
    isotonic,
    line,
    median_scale,
    near_line,
    over_spread,
    quantile_map,
    ranks,
    sign_of_gap,
    signs,
    soft_line,
    tanh,
    through_origin,
)


@dataclass(frozen=True)
class Estimator:
    """The four choices; by default the estimator as it was before this comparison."""

    query: str = "exact"
    calibrate: Change = line
    squash: Change = clipped
    weigh: Weigh = over_spread

    def fit(self, O: Margins, R: Margins) -> Callable[[Margins], Floats]:
        """What gives the projection of runs, learnt from the runs of other folds: (runs, forget
        records + 1), whose sum it is; the last column is what control records add."""
        reference = R.control.mean(axis=0)

        def scaled(arm: Margins) -> Margins:
            return self.squash(self.calibrate(arm, reference), reference)

        v_forget, v_control = self.weigh(scaled(O), scaled(R))

        def project(arm: Margins) -> Floats:
            own = scaled(arm)
            return np.column_stack([own.forget * v_forget, own.control @ v_control])

        return project


BEFORE = Estimator()

# From here on, one thing is changed at a time: first from the estimator before, then from the one
# after.
smooth = partial(algebraic, q=0.5)
near = partial(soft_line, q=0.5)
AFTER = Estimator(calibrate=near, squash=smooth, weigh=control_variate)

ESTIMATORS: dict[str, Estimator] = {
    "before: line, clip .6, w/s² half shrunk": BEFORE,
    **{f"clip {q:g}": replace(BEFORE, squash=partial(clipped, q=q)) for q in (0.4, 0.5, 0.8, 0.9, 0.95)},
    "no clip": replace(BEFORE, squash=as_it_is),
    **{f"tanh {q:g}": replace(BEFORE, squash=partial(tanh, q=q)) for q in (0.4, 0.5, 0.6)},
    **{
        f"h/√(L²+h²), L at {q:g}": replace(BEFORE, squash=partial(algebraic, q=q))
        for q in (0.3, 0.4, 0.5, 0.6)
    },
    "sign": replace(BEFORE, calibrate=as_it_is, squash=signs),
    "ranks": replace(BEFORE, calibrate=as_it_is, squash=ranks),
    "normal scores": replace(BEFORE, calibrate=as_it_is, squash=partial(ranks, normal=True)),
    "φ for h": replace(BEFORE, query="phi"),
    "not calibrated": replace(BEFORE, calibrate=as_it_is),
    "shift alone": replace(BEFORE, calibrate=intercept),
    "scale alone": replace(BEFORE, calibrate=through_origin),
    "scale alone, medians": replace(BEFORE, calibrate=median_scale),
    "Huber's line": replace(BEFORE, calibrate=huber_line),
    "line near the boundary": replace(BEFORE, calibrate=partial(near_line, q=0.6)),
    "weighted line": replace(BEFORE, calibrate=near),
    "line of reference on run": replace(BEFORE, calibrate=forward_line),
    "isotonic": replace(BEFORE, calibrate=isotonic),
    "quantile map": replace(BEFORE, calibrate=quantile_map),
    "control and population": replace(BEFORE, query="wide"),
    **{f"shrunk {x:g}": replace(BEFORE, weigh=partial(over_spread, shrink=x)) for x in (0, 0.25, 0.75, 1)},
    "positive weights": replace(BEFORE, weigh=partial(over_spread, positive=True)),
    "weights of visible records": replace(BEFORE, weigh=partial(over_spread, visible=0.7)),
    "uniform": replace(BEFORE, weigh=alike),
    "sign of the gap": replace(BEFORE, weigh=sign_of_gap),
    **{
        f"Fisher's direction, {x:g} own": replace(BEFORE, weigh=partial(direction, own=x))
        for x in (0.1, 0.25, 0.5, 0.75)
    },
    "Fisher's, with control, 0.5 own": replace(BEFORE, weigh=partial(direction, own=0.5, control=True)),
    **{
        f"control variates, {k} components": replace(BEFORE, weigh=partial(control_variate, components=k))
        for k in (1, 2, 4, 8)
    },
    "control variates": replace(BEFORE, weigh=control_variate),
    "exact and jittered copies": replace(BEFORE, query="copies"),
    "after: weighted line, h/√(L²+h²), control variates": AFTER,
    "after, without control variates": replace(AFTER, weigh=over_spread),
    "after, plain line": replace(AFTER, calibrate=line),
    "after, scale alone": replace(AFTER, calibrate=through_origin),
    "after, no squash": replace(AFTER, squash=as_it_is),
    "after, clip .6": replace(AFTER, squash=clipped),
    "after, tanh .6": replace(AFTER, squash=partial(tanh, q=0.6)),
    "after, L at .4": replace(AFTER, squash=partial(algebraic, q=0.4)),
    **{f"after, ridge {x:g}": replace(AFTER, weigh=partial(control_variate, ridge=x)) for x in (0.5, 2, 4)},
    **{
        f"after, shrunk {x:g}": replace(AFTER, weigh=partial(control_variate, shrink=x))
        for x in (0.25, 0.75, 1)
    },
    "after, 8 components": replace(AFTER, weigh=partial(control_variate, components=8)),
    "after, Fisher's with control": replace(AFTER, weigh=partial(direction, own=0.5, control=True)),
    "after, control and population": replace(AFTER, query="wide"),
    "after, exact and jittered copies": replace(AFTER, query="copies"),
}
