"""The tests that a claim must pass, each as a finding.

The tests themselves are in `auditkit.statistics`; `memory` and `differences` put them as questions,
with their numbers.
"""

import numpy as np

from auditkit.claims.claim import Criteria
from auditkit.claims.required import queries
from auditkit.evidence.schema import Finding, Skipped
from auditkit.statistics.arms import Arm, Arms
from auditkit.verdict.difference_tests import accuracy_finding, gap_finding
from auditkit.verdict.memory_tests import residual_finding, spared_finding


def required_findings(
    arms: Arms, criteria: Criteria, test_records: int, seed: int, share: float = 1.0
) -> list[Finding]:
    """Every required test on these arms. Results are not yet judged: see `auditkit.verdict.decide`.

    test_records: how many test records there are; seed: of the spared-records null. share: of
    alpha, that this look spends (see `auditkit.statistics.sequential`); 1 where it is the only one.
    """
    here = criteria.at(share)
    findings: list[Finding] = [residual_finding(arms, query, here) for query in queries(criteria)]
    findings.append(spared_finding(arms, criteria, seed, share))
    findings += [gap_finding(arms, attack, here) for attack in criteria.attacks]
    findings.append(accuracy_finding(arms, here, test_records))
    if reason := duplicate_runs_reason(arms.unlearned):
        return [Skipped(finding.name, finding.question, reason) for finding in findings]
    return findings


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
