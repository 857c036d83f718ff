"""What the decision is computed from: one value per run, arm by arm."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from auditkit.core.ids import Query
from auditkit.statistics.margins import Floats, Ints, Margins
from auditkit.statistics.scores import Scores, combined_scores


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
    """

    original: Arm
    unlearned: Arm
    retrained: Arm
    honest: Arm
    skipped: Mapping[str, str]
    parts: Sequence[Ints] = ()

    def claiming(self, arm: Arm) -> "Arms":
        """This audit of another arm in the place of the unlearned one."""
        return replace(self, unlearned=arm)

    def shuffled(self, seed: int) -> "Arms":
        """This audit with the labels "unlearned" and "retrained" exchanged in half of the runs,
        chosen at random: no difference between the two is left on average."""
        n = len(self.retrained.accuracy)
        swapped = np.zeros(n, dtype=bool)
        swapped[np.random.default_rng(seed).permutation(n)[: n // 2]] = True

        def mixed(a: Floats, b: Floats) -> Floats:
            """The runs of `a` where they are swapped, those of `b` elsewhere."""
            return np.where(swapped.reshape(-1, *[1] * (a.ndim - 1)), a, b)

        return replace(
            self,
            unlearned=combined(mixed, self.retrained, self.unlearned),
            retrained=combined(mixed, self.unlearned, self.retrained),
        )
