"""Unlearning procedures: one file a paper, one line each in UNLEARNERS.

A procedure is a function `unlearn(models, retain, forget, *, seeds) -> models`. It is given all
runs of a stack at once, so that gradient steps can be taken as one computation. What else must be
known of it (see `Procedure`) stands beside it in its file.
"""

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
from auditkit.unlearning.procedure import Procedure

__all__ = ["UNLEARNERS", "Procedure", "Records"]

UNLEARNERS: dict[str, Procedure] = {
    "bad-teacher": Procedure(bad_teacher.unlearn),
    "cf-k": Procedure(last_layers.cf_k),
    "eu-k": Procedure(last_layers.eu_k),
    "fine-tune": Procedure(fine_tune.unlearn),
    "fnn": fnn.procedure({}),
    **{name: fnn.procedure(options) for name, options in fnn.PRESETS.items()},
    "gradient-ascent": Procedure(gradient_ascent.unlearn),
    "neggrad-plus": Procedure(neggrad_plus.unlearn),
    "noop": Procedure(noop.unlearn),
    "random-labels": Procedure(random_labels.unlearn),
    "retrain": Procedure(retrain.unlearn),
    "salun": Procedure(salun.unlearn),
    "scrub": Procedure(scrub.unlearn),
    "sisa": Procedure(sisa.unlearn, problems=sisa.problems),
    "ssd": Procedure(ssd.unlearn),
}
"""name in a claim -> procedure"""
