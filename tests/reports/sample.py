"""Three complete audits, made up: one supported, one refuted, one whose control failed."""

from dataclasses import replace
from functools import cache

from auditkit.core.canonical import canonical
from auditkit.core.ids import HONEST, ORIGINAL, RELEARNED, UNLEARNED, residual_memory
from auditkit.evidence.schema import (
    Evidence,
    InterfaceSummary,
    Interval,
    Number,
    PrivacySummary,
    Skipped,
    Verdict,
)
from auditkit.reports import Rendered, render
from tests.reports.sample_controls import CONTROLS
from tests.reports.sample_parts import (
    ATTACKS,
    CLAIM,
    FINDINGS,
    FORGOT,
    LIKE_RETRAINED,
    STAYED,
    rho,
)
from tests.reports.sample_supported import SUPPORTED

__all__ = [
    "ALL",
    "ATTACKS",
    "CLAIM",
    "CONTROLS",
    "FINDINGS",
    "RUN",
    "SUPPORTED",
    "as_json",
    "rendered",
    "rho",
]


RUN: dict[str, object] = {
    "started": "2026-11-22T09:45:10+00:00",
    "finished": "2026-11-22T09:57:14+00:00",
    "seconds": 724.2,
    "peak_memory_bytes": 1_234_567_890,
    "command": "auditkit audit digits-fnn.toml",
    "auditkit": "0.1.0",
}


NOT_SUPPORTED = replace(
    SUPPORTED,
    findings=(
        replace(
            FINDINGS[0],
            number=rho(0.412),
            p_passed=0.99,
            p_refuted=0.0001,
            p_refuted_holm=0.0006,
            result="refuted",
            refuting=Interval(0.31, 0.514),
            explanation="The unlearned models still hold more memory than the margin allows.",
        ),
        *FINDINGS[1:],
    ),
    residual_memory=replace(
        SUPPORTED.residual_memory,
        per_run={
            ORIGINAL: STAYED,
            UNLEARNED: tuple(round(x + 0.382, 3) for x in FORGOT),
            HONEST: LIKE_RETRAINED,
        },
    ),
    states=(),
    verdict=Verdict(
        "not_supported",
        "Not supported: about 0.41 of the memory of the forget records is left.",
        ("Residual memory is refuted at margin 0.2 (Holm-corrected p = 0.0006).",),
        0.2,
        0.9,
        None,
    ),
)


INCONCLUSIVE = replace(
    SUPPORTED,
    exposure=None,
    interface=InterfaceSummary(("only the predicted class is answered",)),
    claim=CLAIM | {"name": "pipes | and <marks>", "auditor": None},
    controls=(
        CONTROLS[0],
        replace(CONTROLS[2], found="supported", outcome="supported", passed=False),
        replace(CONTROLS[3], rho=None),
    ),
    findings=(
        replace(
            FINDINGS[0], number=rho(None), result="undecided", explanation="No weight was left to compare."
        ),
        Skipped(
            residual_memory(RELEARNED),
            "Does the memory come back when half of it is taught again?",
            "needs the weights",
        ),
        replace(FINDINGS[7], result="undecided", refuting=Interval(0.001, 0.041)),
        FINDINGS[8],
    ),
    residual_memory=replace(
        SUPPORTED.residual_memory,
        recovered=(),
        per_class=(),
        per_run={UNLEARNED: ()},
    ),
    attacks=(replace(ATTACKS[0], points=(), near={}),),
    agreement=None,
    swap=(),
    privacy=PrivacySummary(
        2.0,
        1e-5,
        0.0,
        None,
        Number(3.7, 3.7, None, 0.95, 1, 500, "one-run lower bound", "Steinke et al. 2023"),
        4.18,
        500,
        200,
        199,
        0.0003,
        0.79,
        "Epsilon is at least 3.70. That is above the claim, which is refuted.",
    ),
    states=(),
    warnings=(),
    verdict=Verdict(
        "inconclusive",
        "Inconclusive: the audit failed, because it did not notice that the no-op control forgot nothing.",
        ("The no-op control came out as supported.", "One required test was skipped."),
        0.2,
        0.9,
        48,
        28,
        "It would take about 48 runs an arm to decide, 28 further ones, if the truth is what it now seems.",
    ),
)


ALL = {"supported": SUPPORTED, "not_supported": NOT_SUPPORTED, "inconclusive": INCONCLUSIVE}


@cache
def rendered(name: str) -> Rendered:
    """The documents of a sample, rendered once for all tests of a process."""
    return render(as_json(ALL[name]), RUN)


def as_json(evidence: Evidence) -> bytes:
    """The evidence as the bundle holds it."""
    return canonical(evidence)
