"""The attacker's own runs: what they were trained on, and what is learnt from them."""

from collections.abc import Callable
from hashlib import blake2b
from typing import Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from auditkit.attacks.errors import NotApplicable
from auditkit.core.ids import SHADOW
from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Ints

T = TypeVar("T")
P = ParamSpec("P")


def once(learn: Callable[Concatenate[Signals, P], T]) -> Callable[Concatenate[Signals, P], T]:
    """`learn`, done once for all target runs of the same signals, and for each choice of its other
    arguments.

    What was learnt is dropped with the signals and does not keep them: their logits may be a large
    file.
    """
    known: WeakKeyDictionary[Signals, dict[object, T]] = WeakKeyDictionary()

    def learnt(signals: Signals, /, *args: P.args, **kwargs: P.kwargs) -> T:
        choices = known.setdefault(signals, {})
        key = args, tuple(sorted(kwargs.items()))
        if key not in choices:
            choices[key] = learn(signals, *args, **kwargs)
        return choices[key]

    return learnt


@once
def halves(signals: Signals) -> Ints:
    """In which of two halves each record is, 0 or 1, as if by tossing a coin: (records,).

    The coin is a hash of the seed and the record's id, so that a record stays in its half whichever
    other records there are and in whatever order.
    """
    digests = (blake2b(f"{signals.seed}:{i}".encode(), digest_size=1).digest()[0] for i in signals.ids)
    return np.fromiter((digest % 2 for digest in digests), np.int64, len(signals.ids))


def shadow_examples(signals: Signals) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
    """(shadow runs, the attacker's own records, which run was trained on which: (runs, records)).

    The attacker's records are those that some shadow run was trained on. NotApplicable where there
    are no shadow runs, or none that missed a record another one saw.
    """
    runs = signals.runs_of(SHADOW)
    own = np.flatnonzero(signals.member.any(axis=0, where=(signals.arms == str(SHADOW))[:, None]))
    member = signals.member[np.ix_(runs, own)]
    if member.all():
        raise NotApplicable(
            "the attack learns from shadow runs, some trained on a record and some not; there are "
            f"{len(runs)} shadow runs"
        )
    return runs, own, member
