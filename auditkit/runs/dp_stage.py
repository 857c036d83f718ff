"""The audit of a study's DP claim, as a stage of the main path."""

import math

import numpy as np

from auditkit.core.progress import Reporter
from auditkit.dp.one_run_audit import audit_privacy
from auditkit.engine.plan import Plan, threads
from auditkit.evidence.schema import Number, PrivacySummary
from auditkit.reports.method_page import METHOD
from auditkit.study.study import Study

LOWER_BOUND = (
    "one-run lower bound of epsilon from the guesses about canaries (Steinke, Nasr & Jagielski 2023), their"
    " number fixed in the claim"
)


def run_dp_audit(study: Study, plan: Plan, tell: Reporter) -> PrivacySummary:
    """Train one model with Opacus and the settings of the claim's privacy part, which need not be
    those of the compared arms, canaries among its records, and see what it gives away. Always on
    the CPU, and on as many threads as the plan has for a run, so that the result is the same
    wherever the rest is computed."""
    claim, sets, data = study.claim, study.sets, study.data
    assert claim.privacy is not None
    trained = np.concatenate([sets.retain, sets.forget])
    tell.say("training privately, and guessing at canaries ...")
    with threads(plan.threads):
        found = audit_privacy(
            study.build,
            x_train=data.x[trained],
            y_train=data.y[trained],
            x_own=data.x[sets.population],
            y_own=data.y[sets.population],
            x_test=data.x[sets.test],
            y_test=data.y[sets.test],
            classes=data.n_classes,
            privacy=claim.privacy,
            seed=claim.seed,
            alpha=claim.criteria.alpha,
        )
    bound = Number(
        value=found.bound,
        low=found.bound,
        high=None,
        confidence=found.confidence,
        n_runs=1,
        n_records=found.canaries,
        method=LOWER_BOUND,
        source=f"{METHOD}#differential-privacy",
    )
    return PrivacySummary(
        epsilon=found.epsilon,
        delta=found.delta,
        noise_multiplier=found.noise_multiplier,
        accounted=found.accounted if math.isfinite(found.accounted) else None,
        bound=bound,
        ceiling=found.ceiling,
        canaries=found.canaries,
        guesses=found.guesses,
        right=found.right,
        p=found.p,
        test_accuracy=found.accuracy,
        words=found.words,
    )
