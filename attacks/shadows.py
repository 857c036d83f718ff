"""The attacker's own runs: what they were trained on, and what is learnt from them."""

from collections.abc import Callable
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from auditkit.attacks.errors import NotApplicable
from auditkit.signals import Signals
from auditkit.statistics.margins import Ints

T = TypeVar("T")


def once(learn: Callable[[Signals], T]) -> Callable[[Signals], T]:
    """`learn`, done once for all target runs of the same signals.

    What was learnt is dropped with the signals and does not keep them: their logits may be a large file.
    """
    known: WeakKeyDictionary[Signals, T] = WeakKeyDictionary()

    def learnt(signals: Signals) -> T:
        if signals not in known:
            known[signals] = learn(signals)
        return known[signals]

    return learnt


def shadow_examples(signals: Signals) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
    """(shadow runs, the attacker's own records, which run was trained on which: (runs, records)).

    The attacker's records are those that some shadow run was trained on. NotApplicable where there are
    no shadow runs, or none that missed a record another one saw.
    """
    runs = signals.runs_of("shadow")
    own = np.flatnonzero(signals.member.any(axis=0, where=(signals.arms == "shadow")[:, None]))
    member = signals.member[np.ix_(runs, own)]
    if member.all():
        raise NotApplicable(
            "the attack learns from shadow runs, some trained on a record and some not; there are "
            f"{len(runs)} shadow runs"
        )
    return runs, own, member
