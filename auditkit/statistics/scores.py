"""What an attack gave on one arm, run by run."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from auditkit.statistics.margins import Floats
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
        """How well the attack tells forget from control records, in each run: (runs,).

        Examples:
            >>> Scores(np.array([[2.0, 3.0]]), np.array([[1.0, 2.0]])).auc().tolist()
            [0.875]
        """
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


def combined_scores(of: Callable[..., Floats], *given: Scores) -> Scores:
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

    Examples:
        >>> forget, control = np.array([[2.0, 3.0, 4.0]]), np.array([[1.0, 2.0, 5.0]])
        >>> record_error(Scores(forget, control), Scores(forget, control))
        0.0
    """
    differences = (a - b for a, b in zip(one.placements(), other.placements(), strict=True))
    return float(np.sqrt(sum(d.var(ddof=1) / len(d) for d in differences if len(d) > 1)))
