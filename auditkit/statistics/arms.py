"""What the decision is computed from: one value per run, arm by arm."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from auditkit.statistics.margins import Floats, Ints, Margins
from auditkit.statistics.roc import auc, placements


@dataclass(frozen=True, eq=False)
class Scores:
    """An attack's scores for one arm. forget: (runs, forget records); control: (runs, control
    records). NaN for a record that was not asked about; a record is asked about in every run or in
    none."""

    forget: Floats
    control: Floats

    def take(self, runs: Ints) -> "Scores":
        """The scores of some of the runs, in the order asked for."""
        return _scores(lambda part: part[runs], self)

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
    """One arm. margins: query ("exact", "jitter 0.1", ...) -> margins. scores: attack -> scores.
    accuracy: (runs,), on the test set."""

    margins: Mapping[str, Margins]
    scores: Mapping[str, Scores]
    accuracy: Floats

    def take(self, runs: Ints) -> "Arm":
        """Some of the runs, in the order asked for."""
        return Arm(
            {query: margins.take(runs) for query, margins in self.margins.items()},
            {attack: scores.take(runs) for attack, scores in self.scores.items()},
            self.accuracy[runs],
        )


@dataclass(frozen=True, eq=False)
class Arms:
    """The arms of an audit, equally many runs each, but that `unlearned` may be a single run. Run k
    of `unlearned` was made from run k of `original`, unless it is a single one; `honest` is
    retrained once more, independently of `retrained`. skipped: attack -> why it could not be
    mounted; such an attack has no scores in any arm. parts: forget records that belong together, of
    one class or of one person, as positions among the forget records."""

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
        return replace(
            self,
            unlearned=_mixed(self.retrained, self.unlearned, swapped),
            retrained=_mixed(self.unlearned, self.retrained, swapped),
        )


def _mixed(one: Arm, other: Arm, from_one: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Arm:
    """The runs of `one` where from_one says so, those of `other` elsewhere."""

    def mix(a: Floats, b: Floats) -> Floats:
        return np.where(from_one.reshape(-1, *[1] * (a.ndim - 1)), a, b)

    margins = {
        query: Margins(mix(a.forget, b.forget), mix(a.control, b.control))
        for query, a, b in ((q, one.margins[q], other.margins[q]) for q in one.margins)
    }
    scores = {
        name: _scores(mix, a, b) for name, a, b in ((n, one.scores[n], other.scores[n]) for n in one.scores)
    }
    return Arm(margins, scores, mix(one.accuracy, other.accuracy))
