"""Unlearning procedures: one function `unlearn(model, retain, forget, *, seed)` each, one line in
UNLEARNERS. A procedure that also asks for `recipe` is given the training recipe of the claim; every
other keyword it names is an option that a claim may set."""

from collections.abc import Callable

from torch import nn

from auditkit.unlearning import fnn, noop, retrain
from auditkit.unlearning.records import Records

__all__ = ["OTHER_STATES", "UNLEARNERS", "Records"]

UNLEARNERS: dict[str, Callable[..., nn.Module]] = {
    "fnn": fnn.unlearn,
    "noop": noop.unlearn,
    "retrain": retrain.unlearn,
}
"""name in a claim -> procedure"""

OTHER_STATES: dict[str, tuple[str, ...]] = {"fnn": ("gate on", "gate off", "folded and repaired")}
"""Procedures whose models can be seen in several states (their option `state`): a report shows all of
them beside the one that the claim is about."""
