"""What the decision is computed from: one value per run, arm by arm."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from auditkit.core.ids import ArmKind, Query, World
from auditkit.statistics.margins import Floats, Ints, Margins
from auditkit.statistics.residual import Memory, memory
from auditkit.statistics.scores import Scores, combined_scores

LEAST_HALF = 4
"""Runs that half an arm must have to be judged by itself."""


@dataclass(frozen=True, eq=False)
class Arm:
    """One arm, as one value per run.

    Attributes:
        margins: query -> the hinge margins of its runs.
        scores: attack -> its scores of the runs.
        accuracy: float64 (runs,), on the test set.
    """

    margins: Mapping[Query, Margins]
    scores: Mapping[str, Scores]
    accuracy: Floats

    def map(self, f: Callable[[Floats], Floats]) -> "Arm":
        """The arm with every array, (runs, ...), replaced by what `f` makes of it, run by run."""
        return combined(f, self)

    def take(self, runs: Ints) -> "Arm":
        """Some of the runs, in the order asked for."""
        return self.map(lambda values: values[runs])

    def asked(self, queries: Collection[Query]) -> "Arm":
        """The arm with the margins of these queries alone."""
        if set(self.margins) <= set(queries):
            return self
        return replace(self, margins={q: m for q, m in self.margins.items() if q in queries})


def combined(f: Callable[..., Floats], *arms: Arm) -> Arm:
    """One arm made of several, run by run.

    Args:
        f: makes an array (runs, ...) from one such array of each arm. The same for every kind of
            array, so that run k of the result is the same run everywhere.
        arms: one or more.

    Returns:
        The arm, with those queries and attacks that all of the arms have.
    """
    first = arms[0]
    queries = [q for q in first.margins if all(q in arm.margins for arm in arms)]
    attacks = [name for name in first.scores if all(name in arm.scores for arm in arms)]
    margins = {}
    for query in queries:
        parts = [arm.margins[query] for arm in arms]
        margins[query] = Margins(f(*(m.forget for m in parts)), f(*(m.control for m in parts)))
    scores = {name: combined_scores(f, *(arm.scores[name] for arm in arms)) for name in attacks}
    return Arm(margins, scores, f(*(arm.accuracy for arm in arms)))


def joined(*arms: Arm) -> Arm:
    """The runs of several arms, one after the other."""
    return combined(lambda *parts: np.concatenate(parts), *arms)


def common_queries(*arms: Arm) -> list[Arm]:
    """The arms with the margins of those queries alone that all of them were asked."""
    common = set.intersection(*(set(arm.margins) for arm in arms))
    return [arm.asked(common) for arm in arms]


@dataclass(frozen=True, eq=False)
class Arms:
    """The arms of an audit, equally many runs each, but that `unlearned` may be a single run. Run k
    of `unlearned` was made from run k of `original`, unless it is a single one; `honest` is
    retrained once more, independently of `retrained`.

    Attributes:
        skipped: attack -> why it could not be mounted; such an attack has no scores in any arm.
        parts: forget records that belong together, of one class or of one person, as positions
            among the forget records.
        placebo: run k was made from run k of `honest` by the procedure that made the unlearned
            runs, with stand-ins for the forget records; None where the procedure cannot be run.
        variant: retrained by another recipe of the auditor's, for a control; None where there is
            none.
        stress: the arms of the stress world, without attacks; None where it was not gone into.
    """

    original: Arm
    unlearned: Arm
    retrained: Arm
    honest: Arm
    skipped: Mapping[str, str]
    parts: Sequence[Ints] = ()
    placebo: Arm | None = None
    variant: Arm | None = None
    stress: "Arms | None" = None

    @property
    def reference(self) -> Arm:
        """What unlearned runs would be like had the forget records never been in: the placebo;
        retrained runs, which know nothing of the procedure's own drift, where there is none."""
        return self.retrained if self.placebo is None else self.placebo

    @property
    def judged(self) -> tuple[Arm, Arm, Arm, Arm, Arm]:
        """The arms that every test of memory looks at."""
        return self.original, self.unlearned, self.retrained, self.honest, self.reference

    def memory(self, query: Query) -> Memory:
        """The memory that is left of the forget records, asked about in this way."""
        arms = (self.original, self.unlearned, self.retrained, self.reference)
        return memory(*(arm.margins[query] for arm in arms))

    def claiming(self, arm: Arm) -> "Arms":
        """This audit of other runs in the place of the unlearned ones, without a placebo."""
        return replace(self, unlearned=arm, placebo=None, stress=None)

    def passed_off(self, kind: ArmKind) -> "Arms":
        """This audit of one of its own trained arms, passed off as the unlearned one in every
        world: of a procedure that returns such runs, and whose placebo are the retrained ones."""
        stress = self.stress and self.stress.passed_off(kind)
        return replace(self.claiming(getattr(self, kind)), stress=stress)

    @property
    def variant_halves(self) -> "Arms | None":
        """The variant runs as an audit of their own: one half as the unlearned runs, the other as
        their placebo, beside as many of the other arms. None where those are too few."""
        half = len(self.variant.accuracy) // 2 if self.variant else 0
        if self.variant is None or half < LEAST_HALF:
            return None
        one, other = np.arange(half), np.arange(half, 2 * half)
        return Arms(
            self.original.take(one),
            self.variant.take(one),
            self.retrained.take(one),
            self.honest.take(one),
            self.skipped,
            self.parts,
            self.variant.take(other),
        )

    def of_world(self, world: World) -> "Arms | None":
        """The arms of a world; None where there are none."""
        return self.stress if world == "stress" else self

    def shuffled(self, seed: int) -> "Arms":
        """This audit with the labels of the unlearned runs and of those they are compared with
        exchanged in half of the runs, chosen at random: no difference between the two is left on
        average."""
        n = len(self.retrained.accuracy)
        swapped = np.zeros(n, dtype=bool)
        swapped[np.random.default_rng(seed).permutation(n)[: n // 2]] = True

        def mixed(a: Floats, b: Floats) -> Floats:
            """The runs of `a` where they are swapped, those of `b` elsewhere."""
            return np.where(swapped.reshape(-1, *[1] * (a.ndim - 1)), a, b)

        unlearned = combined(mixed, self.reference, self.unlearned)
        reference = combined(mixed, self.unlearned, self.reference)
        stress = self.stress and self.stress.shuffled(seed)
        if self.placebo is None:
            return replace(self, unlearned=unlearned, retrained=reference, stress=stress)
        return replace(self, unlearned=unlearned, placebo=reference, stress=stress)
