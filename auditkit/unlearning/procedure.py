"""An entry of the table of procedures: the function, and what its readers must know of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn


def _anything_goes(model: nn.Module, options: Mapping[str, Any]) -> list[str]:
    del model, options
    return []


@dataclass(frozen=True)
class Procedure:
    """An unlearning procedure, as `auditkit.unlearning.UNLEARNERS` names it.

    function: `unlearn(models, retain, forget, *, seeds) -> models`. One that also names `recipe` is
    given the training recipe of the claim; every other keyword is an option that a claim may set,
    checked against its annotation. states: those in which its models can be seen, of a procedure
    that has several: the values of its option `state`, its default last. A report shows all of them
    beside the one that the claim is about. problems: (a model as it is built, before training;
    every option, as set or by default) -> what stands between the two, each as rule, value and
    remedy; asked before anything is trained.
    """

    function: Callable[..., list[nn.Module]]
    states: tuple[str, ...] = ()
    problems: Callable[[nn.Module, Mapping[str, Any]], list[str]] = _anything_goes
