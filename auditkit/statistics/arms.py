"""What the decision is computed from: one value per run, arm by arm."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from auditkit.core.ids import Query
from auditkit.statistics.margins import Floats, Ints, Margins
from auditkit.statistics.roc import auc, placements


@dataclass(frozen=True, eq=False)
class Scores:
    """An attack's scores for one arm. forget: (runs, forget records); control: (runs, control
    records). NaN for a record that was not asked about; a record is asked about in every run or in
    none."""

    forget: Floats
    control: Floats

    def asked(self) -> "Scores":
        """The scores of the records that were asked about."""
        return Scores(*(part[:, ~np.isnan(part).any(axis=0)] for part in (self.forget, self.control)))

    def auc(self) -> Floats:
        """(runs,): how well the attack tells forget from control records, in each run."""
        return self._aucs

    @cached_property
    def _aucs(self) -> Floats:
        return np.array([auc(f, c) for f, c in zip(self.forget, self.control, strict=True)])

    @cached_property
    def _placements(self) -> Floats:
        """(runs, forget then control records)."""
        parts = [placements(f, c) for f, c in zip(self.forget, self.control, strict=True)]
        return np.array([np.concatenate(part) for part in parts])

    def placements(self) -> tuple[Floats, Floats]:
        """((forget records,), (control records,)): each record's mean part in the AUC over runs."""
        forget, control = np.split(self._placements.mean(axis=0), [self.forget.shape[1]])
        return forget, control


def _scores(of: Callable[..., Floats], *given: Scores) -> Scores:
    """Scores put together from those given, run by run: `of` makes an array (runs, ...) from
    theirs. What all of them have already worked out run by run is not worked out again."""
    made = Scores(of(*(s.forget for s in given)), of(*(s.control for s in given)))
    for name in ("_aucs", "_placements"):
        if all(name in vars(s) for s in given):
            vars(made)[name] = of(*(vars(s)[name] for s in given))  # as cached_property keeps it
    return made


def record_error(one: Scores, other: Scores) -> float:
    """The standard error, over records, of the difference of two arms' mean AUCs on the same
    records (DeLong's paired variance). Runs that merely train differently rank single records
    differently, and with other records the difference would come out otherwise: this is by how
    much. A single record on one side adds nothing: it is then all there is.
    """
    differences = (a - b for a, b in zip(one.placements(), other.placements(), strict=True))
    return float(np.sqrt(sum(d.var(ddof=1) / len(d) for d in differences if len(d) > 1)))


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
    scores = {name: _scores(f, *(arm.scores[name] for arm in arms)) for name in attacks}
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
        """The same audit of another arm in the place of the unlearned one."""
        return replace(self, unlearned=arm)

    def shuffled(self, seed: int) -> "Arms":
        """The same audit with the labels "unlearned" and "retrained" exchanged in half of the runs,
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
