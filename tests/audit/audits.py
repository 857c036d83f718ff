"""Small whole audits: real digits, real training, real files. What the tests of them share."""

from pathlib import Path
from typing import Any

import pytest

from auditkit.claims.claim import Claim
from auditkit.claims.read import parse_claim
from auditkit.core.ids import EXACT, TestId, residual_memory
from auditkit.core.progress import NullReporter
from auditkit.engine.resources import Resources
from auditkit.evidence import report_files
from auditkit.evidence.schema import Evidence, Finding, Number
from auditkit.pipeline import audit
from auditkit.reports import PdfUnavailable

SMALL: dict[str, Any] = {
    "name": "small",
    "data": {"train": 400, "control": 120, "test": 150, "population": 200},
    "forget": {"fraction": 0.2},
    "model": {"options": {"hidden": [64]}},
    "training": {"epochs": 40},
    "runs": {"per_arm": 12, "shadow": 4},
    "criteria": {"attacks": ["gap", "loss", "lira-online"], "reported": [], "recoveries": []},
}
FEW: dict[str, Any] = {
    "runs": {"per_arm": 6, "shadow": 0},
    "criteria": {"attacks": ["loss"], "reported": [], "recoveries": [], "jitter": [0.3], "planning_sd": 0.05},
}
"""Half as many runs, asked less, where what is tested does not depend on it."""
IN_PROCESS = Resources(jobs=1, width=12, threads=1)
"""No processes to start, and nothing to measure: these would take most of the time."""


def claim_of(**changes: Any) -> Claim:
    """The small claim with some parts changed."""
    claim, problems = parse_claim(SMALL | changes)
    assert problems == []
    return claim


def audited(claim: Claim, out: Path, **keywords: Any) -> Evidence:
    """The evidence of an audit done in this process, without a PDF."""
    with pytest.MonkeyPatch.context() as patch:
        draw_no_pdf(patch)
        return audit(claim, out, **{"given": IN_PROCESS, **keywords})


def draw_no_pdf(patch: pytest.MonkeyPatch) -> None:
    """Leave the PDF out of bundles: to typeset it takes longer than to train, ask and decide."""

    def unavailable(*_: object) -> bytes:
        raise PdfUnavailable("not drawn in this test")

    patch.setattr(report_files, "pdf", unavailable)


def finding_of(evidence: Evidence, test: TestId) -> Finding:
    """What was found by a required test."""
    [finding] = [f for f in evidence.findings if f.test == test]
    return finding


def exact_memory(evidence: Evidence) -> Number:
    """Residual memory of the records as they are: the headline."""
    number = finding_of(evidence, residual_memory(EXACT)).number
    assert number is not None
    return number


class Listening(NullReporter):
    """Remembers what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)
