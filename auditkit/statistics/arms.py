"""What the decision is computed from: one value per run, arm by arm."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from auditkit.statistics.margins import Floats, Ints, Margins
from auditkit.statistics.roc import auc, placements


@dataclass(frozen=True, eq=False)
class Scores:
    """An attack's scores for one arm. forget: (runs, forget records); control: (runs, control records). NaN for
    a record that was not asked about; a record is asked about in every run or in none."""

    forget: Floats
    control: Floats

    def asked(self) -> "Scores":
        """The scores of the records that were asked about."""
        return Scores(*(part[:, ~np.isnan(part).any(axis=0)] for part in (self.forget, self.control)))

    def auc(self) -> Floats:
        """(runs,): how well the attack tells forget from control records, in each run."""
        return np.array([auc(f, c) for f, c in zip(self.forget, self.control, strict=True)])

    def placements(self) -> tuple[Floats, Floats]:
        """((forget records,), (control records,)): each record's mean part in the AUC over runs."""
        parts = [placements(f, c) for f, c in zip(self.forget, self.control, strict=True)]
        return np.mean([f for f, _ in parts], axis=0), np.mean([c for _, c in parts], axis=0)


def record_error(one: Scores, other: Scores) -> float:
    """The standard error, over records, of the difference of two arms' mean AUCs on the same records
    (DeLong's paired variance). Runs that merely train differently rank single records differently, and
    with other records the difference would come out otherwise: this is by how much. A single record on
    one side adds nothing: it is then all there is.
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
        margins = {query: m.take(runs) for query, m in self.margins.items()}
        scores = {name: Scores(s.forget[runs], s.control[runs]) for name, s in self.scores.items()}
        return Arm(margins, scores, self.accuracy[runs])


@dataclass(frozen=True, eq=False)
class Arms:
    """The arms of an audit, equally many runs each, but that `unlearned` may be a single run. Run k of `unlearned`
    was made from run k of `original`, unless it is a single one; `honest` is retrained once more, independently of `retrained`. skipped: attack -> why it
    could not be mounted; such an attack has no scores in any arm."""

    original: Arm
    unlearned: Arm
    retrained: Arm
    honest: Arm
    skipped: Mapping[str, str]

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
        name: Scores(mix(a.forget, b.forget), mix(a.control, b.control))
        for name, a, b in ((n, one.scores[n], other.scores[n]) for n in one.scores)
    }
    return Arm(margins, scores, mix(one.accuracy, other.accuracy))
