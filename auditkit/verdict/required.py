"""The tests that a claim must pass, each as a finding.

The tests themselves are in `auditkit.statistics`; `memory` and `differences` put them as questions,
with their numbers.
"""

import numpy as np

from auditkit.claims.criteria import Criteria
from auditkit.claims.required import queries
from auditkit.evidence.schema import Finding, Findings, Skipped
from auditkit.signals.arms import Arm, Arms
from auditkit.verdict.difference_tests import accuracy_finding, gap_finding
from auditkit.verdict.memory_tests import residual_finding, spared_finding


def required_findings(
    arms: Arms, criteria: Criteria, test_records: int, seed: int, share: float = 1.0
) -> Findings:
    """Every required test on some arms.

    Args:
        arms: what is judged, run by run.
        criteria: margins and level of every test.
        test_records: how many test records the accuracies are over.
        seed: of the null of the spared-records test.
        share: of alpha, that this look spends (see `auditkit.statistics.sequential`); 1 where it is
            the only one.

    Returns:
        The findings, not yet judged: see `auditkit.verdict.decision.judge`.
    """
    at_look = criteria.at(share)
    findings: list[Finding] = [residual_finding(arms, query, at_look) for query in queries(criteria)]
    findings.append(spared_finding(arms, criteria, seed, share))
    findings += [gap_finding(arms, attack, at_look) for attack in criteria.attacks]
    findings.append(accuracy_finding(arms, at_look, test_records))
    if reason := duplicate_runs_reason(arms.unlearned):
        findings = [Skipped(f.test, f.question, reason, f.number) for f in findings]
    return {finding.test: finding for finding in findings}


def duplicate_runs_reason(U: Arm) -> str | None:
    """Why the runs of an arm are not the independent runs that every test takes them for, None if
    they may be: copies answer alike whatever they are asked, while two runs may well predict the
    same labels."""
    answers = [part for m in U.margins.values() for part in (m.forget, m.control)]
    if len(np.unique(np.hstack([*answers, U.accuracy[:, None]]), axis=0)) == len(U.accuracy):
        return None
    return (
        "some unlearned runs answer exactly alike: they are copies of one run and not independent, or their "
        "answers are too coarse to tell runs apart"
    )
