"""Unlearning procedures: one function `unlearn(models, retain, forget, *, seeds) -> models` each,
one line in UNLEARNERS. They are given all runs of a stack at once, so that gradient steps can be
taken as one computation. A procedure that also asks for `recipe` is given the training recipe of
the claim; every other keyword it names is an option that a claim may set."""

from collections.abc import Callable
from functools import partial

from torch import nn

from auditkit.training.records import Records
from auditkit.unlearning import (
    bad_teacher,
    fine_tune,
    fnn,
    gradient_ascent,
    last_layers,
    neggrad_plus,
    noop,
    random_labels,
    retrain,
    salun,
    scrub,
    sisa,
    ssd,
)

__all__ = ["OTHER_STATES", "UNLEARNERS", "Records"]

UNLEARNERS: dict[str, Callable[..., list[nn.Module]]] = {
    "bad-teacher": bad_teacher.unlearn,
    "cf-k": last_layers.cf_k,
    "eu-k": last_layers.eu_k,
    "fine-tune": fine_tune.unlearn,
    "fnn": fnn.unlearn,
    **{name: partial(fnn.unlearn, **options) for name, options in fnn.PRESETS.items()},
    "gradient-ascent": gradient_ascent.unlearn,
    "neggrad-plus": neggrad_plus.unlearn,
    "noop": noop.unlearn,
    "random-labels": random_labels.unlearn,
    "retrain": retrain.unlearn,
    "salun": salun.unlearn,
    "scrub": scrub.unlearn,
    "sisa": sisa.unlearn,
    "ssd": ssd.unlearn,
}
"""name in a claim -> procedure"""

OTHER_STATES: dict[str, tuple[str, ...]] = {
    "fnn": fnn.STATES,
    **{name: fnn.states_of(options) for name, options in fnn.PRESETS.items()},
}
"""Procedures whose models can be seen in several states (their option `state`, by default the
last): a report shows all of them beside the one that the claim is about."""
