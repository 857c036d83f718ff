"""Arms of made-up runs: Gaussian margins whose true residual memory is known."""

import numpy as np

from auditkit.core.ids import EXACT, Jitter, Query
from auditkit.signals.arms import Arm, Arms
from auditkit.statistics.margins import Floats, Margins
from auditkit.statistics.residual import Memory, memory
from auditkit.statistics.scores import Scores

NEAR = Jitter(0.1)
QUERIES: tuple[Query, ...] = (EXACT, NEAR)
ATTACKS = ("loss", "gap")


def simulated_arm(
    rng: np.random.Generator, forget: Floats, control: Floats, runs: int, *, noise: float, accuracy: float
) -> Arm:
    """An arm whose runs have these expected margins on forget and control records, with independent
    noise."""
    margins: dict[Query, Margins] = {
        query: Margins(
            forget + noise * rng.normal(size=(runs, len(forget))),
            control + noise * rng.normal(size=(runs, len(control))),
        )
        for query in QUERIES
    }
    return Arm(margins, scores_of(margins[EXACT]), accuracy + 0.003 * rng.normal(size=runs))


def scores_of(exact: Margins) -> dict[str, Scores]:
    """Two attacks that look at nothing but the margin: by its size, and by whether it is
    positive."""
    right = Scores((exact.forget > 0).astype(np.float64), (exact.control > 0).astype(np.float64))
    return {"loss": Scores(exact.forget, exact.control), "gap": right}


def simulated_arms(
    seed: int,
    *,
    n: int = 12,
    forget: int = 40,
    control: int = 80,
    gap: float = 3.0,
    share: float = 0.0,
    spared: int = 0,
    noise: float = 1.0,
    accuracy: float = 0.9,
) -> Arms:
    """Four arms of n runs. Training on a forget record raises its margin by |N(0, 1)| gap;
    unlearning leaves `share` of that, and all of it on the first `spared` records; `accuracy` is
    the unlearned runs'."""
    rng = np.random.default_rng(seed)
    f, c = rng.normal(0.5, 2, forget), rng.normal(0.5, 2, control)
    remembered = gap * np.abs(rng.normal(size=forget))
    left = np.full(forget, share)
    left[:spared] = 1

    def arm(expected: Floats, accuracy: float = 0.9) -> Arm:
        return simulated_arm(rng, expected, c, n, noise=noise, accuracy=accuracy)

    return Arms(arm(f + remembered), arm(f + left * remembered, accuracy), arm(f), arm(f), {})


def arms_with_placebo(
    seed: int,
    *,
    n: int = 12,
    forget: int = 40,
    control: int = 80,
    gap: float = 3.0,
    share: float = 0.0,
    spared: int = 0,
    lift: float = 0.0,
    brings: float = 0.0,
    recipe: float = 0.0,
    temperature: float = 1.0,
    offset: float = 0.0,
    visible: float = 1.0,
) -> Arms:
    """Six arms of n runs, of a procedure with a drift of its own. Training on a forget record
    raises its margin by (.5 to 1.5) gap, on a share `visible` of them, the first; unlearning leaves
    `share` of that, and all of it on the first `spared`. Whatever the procedure makes answers
    `offset` + `temperature` times as it would, and is raised by a share `lift` of that same memory,
    whether or not the records were in: such a drift looks like memory. The placebo brings a share
    `brings` of the memory along; `recipe` is the lift of the variant."""
    rng = np.random.default_rng(seed)
    f, c = rng.normal(0.5, 2, forget), rng.normal(0.5, 2, control)
    shown = np.arange(forget) < visible * forget
    remembered = np.where(shown, gap * rng.uniform(0.5, 1.5, forget), 0.0)
    left = np.full(forget, share)
    left[:spared] = 1

    def arm(raised: Floats | float, drifts: bool = False) -> Arm:
        a, b = (offset, temperature) if drifts else (0.0, 1.0)
        margins = f + raised * remembered
        return simulated_arm(rng, a + b * margins, a + b * c, n, noise=1.0, accuracy=0.9)

    return Arms(
        original=arm(1),
        unlearned=arm(lift + left, drifts=True),
        retrained=arm(0),
        honest=arm(0),
        skipped={},
        placebo=arm(lift + brings, drifts=True),
        variant=arm(recipe, drifts=True),
    )


def linear_arms(
    seed: int, *, n: int, forget: int, control: int, gap: float, share: float
) -> tuple[Margins, Margins, Margins]:
    """(original, unlearned, retrained) in which the clip cuts nothing off, so that the true
    residual memory is exactly `share`: forget margins lie well inside those of control records."""
    rng = np.random.default_rng(seed)
    f, c = rng.normal(0, 1, forget), rng.normal(0, 40, control)
    remembered = gap * rng.uniform(0.2, 1, forget)

    def arm(expected: Floats) -> Margins:
        return Margins(expected + rng.normal(size=(n, forget)), c + rng.normal(size=(n, control)))

    return arm(f + remembered), arm(f + share * remembered), arm(f)


def put_right(values: Floats, control: Floats, reference: Floats) -> Floats:
    """Calibrated margins run by run and record by record, after docs/method.md: what tests compare
    with."""
    size = float(np.median(abs(reference)))
    near = np.array([1 / (1 + (m / size) ** 2) for m in reference])
    found = []
    for run, own in zip(values, control, strict=True):
        b, a = np.polyfit(reference, own, 1, w=np.sqrt(near))  # np.polyfit squares its weights
        straight = [(h - a) / b for h in run]
        found.append([h / np.sqrt(1 + (h / size) ** 2) for h in straight])
    return np.array(found)


def memory_of(arms: Arms, query: Query = EXACT) -> Memory:
    """The memory of the forget records, as they are asked about."""
    O, U, R = (arm.margins[query] for arm in (arms.original, arms.unlearned, arms.retrained))
    return memory(O, U, R)
