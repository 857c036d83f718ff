"""Made-up arms: what is true of them is known, or can be found by brute force."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

from auditkit.core.ids import EXACT, Jitter
from auditkit.signals.arms import Arm, Arms
from auditkit.statistics.margins import Floats, Margins
from auditkit.statistics.scores import Scores

Rng = np.random.Generator
PERSON = 4
"""Records of one person, where persons count."""


@dataclass(frozen=True, eq=False)
class World:
    """Records that stay the same, and how runs scatter about them.

    forget: (m,), control: (c,): the mean margins of retrained runs. memory: (m,), what training on
    a forget record adds. spread: (m + c,), the standard deviation of a run on each record. tails:
    degrees of freedom of the scatter (Student's t, scaled to `spread`), 0 for a normal one. slope,
    intercept: standard deviations of the line that a run puts all its margins through. shared: (m +
    c,), loadings of a normal effect that all records of a run have in common. drift: (m + c,), by
    how much the unlearned recipe moves each record, memory apart. temperature, offset: the line
    that it puts all its margins through. noisier: the unlearned runs' scatter, as a multiple.
    """

    forget: Floats
    control: Floats
    memory: Floats
    spread: Floats
    tails: int = 0
    slope: float = 0.0
    intercept: float = 0.0
    shared: Floats = field(default_factory=lambda: np.zeros(1))
    drift: Floats = field(default_factory=lambda: np.zeros(1))
    temperature: float = 1.0
    offset: float = 0.0
    noisier: float = 1.0
    person: float = 0.0

    def mean(self, share: float | Floats, *, recipe: bool = False) -> Floats:
        """(m + c,): the mean margins, before the run's line, of runs with this share of the memory.
        recipe: of runs made by the unlearned recipe. share: one for all records, or (m,).
        """
        expected = np.concatenate([self.forget + share * self.memory, self.control])
        return expected + (self.drift if recipe else 0.0)

    def runs(self, rng: Rng, n: int, share: float | Floats, *, recipe: bool = False) -> Margins:
        """The margins of n runs with this share of the memory."""
        shape = n, len(self.spread)
        scatter = (
            rng.standard_t(self.tails, shape) / np.sqrt(self.tails / (self.tails - 2))
            if self.tails
            else rng.normal(size=shape)
        )
        own = self.mean(share, recipe=recipe) + (self.noisier if recipe else 1.0) * self.spread * scatter
        own = own + self.shared * rng.normal(size=(n, 1))
        if self.person:
            people = rng.normal(size=(n, -(-len(self.spread) // PERSON)))
            own = own + self.person * np.repeat(people, PERSON, axis=1)[:, : len(self.spread)]
        slope = np.exp(self.slope * rng.normal(size=(n, 1)))
        margins = self.intercept * rng.normal(size=(n, 1)) + slope * own
        if recipe:
            margins = self.offset + self.temperature * margins
        return Margins(margins[:, : len(self.forget)], margins[:, len(self.forget) :])

    def arms(self, rng: Rng, n: int, share: float) -> tuple[Margins, Margins, Margins]:
        """(original, unlearned, retrained), the unlearned by the unlearned recipe."""
        return self.runs(rng, n, 1.0), self.runs(rng, n, share, recipe=True), self.runs(rng, n, 0.0)

    def auc(self, share: float, *, recipe: bool = False) -> float:
        """The expected AUC of the margin of a run on these records: exact where the scatter is
        normal, as the run's line does not change the order.
        """
        mean, m = self.mean(share, recipe=recipe), len(self.forget)
        variance = (np.square(self.noisier if recipe else 1.0)) * np.square(self.spread)
        shared = np.broadcast_to(self.shared, mean.shape)
        gap = np.subtract.outer(mean[:m], mean[m:])
        scale = np.sqrt(
            np.add.outer(variance[:m], variance[m:]) + np.square(np.subtract.outer(shared[:m], shared[m:]))
        )
        return float(stats.norm.cdf(gap / scale).mean())

    def expected(self, statistic: Callable[[Scores], Floats], share: float, runs: int = 20_000) -> float:
        """The mean over so many runs of what `statistic` makes of their margins as scores."""
        margins = self.runs(np.random.default_rng(99), runs, share, recipe=True)
        return float(statistic(scores(margins)).mean())


def scores(margins: Margins) -> Scores:
    """The margins as an attack's scores."""
    return Scores(margins.forget, margins.control)


def world(
    seed: int = 0,
    *,
    forget: int = 40,
    control: int = 80,
    gap: float = 2.0,
    carriers: int | None = None,
    far: float = 2.0,
) -> World:
    """Records as they are met: margins of N(0.5, far^2), memory |N(0, 1)| gap, scatter of about 1.
    carriers: how many forget records have any memory, by default all.
    """
    rng = np.random.default_rng(seed)
    memory = gap * np.abs(rng.normal(size=forget))
    memory[carriers if carriers is not None else forget :] = 0.0
    return World(
        rng.normal(0.5, 2, forget),
        rng.normal(0.5, far, control),
        memory,
        rng.uniform(0.6, 1.4, forget + control),
    )


def arms_of(rng: Rng, made: World, n: int, share: float, accuracy: float = 0.9, loss: float = 0.0) -> Arms:
    """Four arms, with one jittered query and two attacks; the test accuracy of the unlearned runs
    is lower by `loss`.
    """

    def arm(share: float, accuracy: float, *, recipe: bool = False) -> Arm:
        exact, near = (made.runs(rng, n, share, recipe=recipe) for _ in range(2))
        right = Scores((exact.forget > 0).astype(np.float64), (exact.control > 0).astype(np.float64))
        return Arm(
            {EXACT: exact, Jitter(0.1): near},
            {"loss": scores(exact), "gap": right},
            rng.binomial(250, accuracy, n) / 250,
        )

    return Arms(
        arm(1.0, accuracy),
        arm(share, accuracy - loss, recipe=True),
        arm(0.0, accuracy),
        arm(0.0, accuracy),
        {},
    )
