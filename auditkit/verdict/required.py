"""The tests that a claim must pass, each as a finding.

The tests themselves are in `auditkit.statistics`; `memory` and `differences` put them as questions, with their numbers.
"""

import numpy as np

from auditkit.claims import Criteria
from auditkit.evidence.values import Finding, Skipped
from auditkit.statistics.arms import Arm, Arms
from auditkit.verdict.differences import PRIVACY_TEST, accuracy_finding, gap_finding
from auditkit.verdict.memory import residual_finding, spared_finding


def queries(criteria: Criteria) -> list[str]:
    """How every record is asked about: as it is, near it at each radius, and of models that are reminded of others."""
    relearned = ["relearned"] if "relearned" in criteria.recoveries else []
    return ["exact", *(f"jitter {share:g}" for share in criteria.jitter), *relearned]


def required_tests(criteria: Criteria, *, private: bool = False) -> list[str]:
    """The names of the tests that support needs, in the order of `required_findings`, then that of a claim of
    differential privacy where there is one: what is locked."""
    return [
        *(f"residual memory, {query}" for query in queries(criteria)),
        "spared records",
        *(f"attack gap, {attack}" for attack in criteria.attacks),
        "test accuracy",
        *([PRIVACY_TEST] if private else []),
    ]


def required_findings(
    arms: Arms, criteria: Criteria, test_records: int, seed: int, share: float = 1.0
) -> list[Finding]:
    """Every required test on these arms. Results are not yet judged: see `auditkit.verdict.judge`.

    test_records: how many test records there are; seed: of the spared-records null. share: of alpha, that this look
    spends (see `auditkit.statistics.sequential`); 1 where it is the only one.
    """
    here = criteria.at(share)
    findings: list[Finding] = [residual_finding(arms, query, here) for query in queries(criteria)]
    findings.append(spared_finding(arms, criteria, seed, share))
    findings += [gap_finding(arms, attack, here) for attack in criteria.attacks]
    findings.append(accuracy_finding(arms, here, test_records))
    if reason := copied(arms.unlearned):
        return [Skipped(finding.name, finding.question, reason) for finding in findings]
    return findings


def copied(U: Arm) -> str | None:
    """Why the runs of an arm are not the independent runs that every test takes them for, None if they
    may be: copies answer alike whatever they are asked, while two runs may well predict the same labels."""
    answers = [part for m in U.margins.values() for part in (m.forget, m.control)]
    if len(np.unique(np.hstack([*answers, U.accuracy[:, None]]), axis=0)) == len(U.accuracy):
        return None
    return (
        "some unlearned runs answer exactly alike: they are copies of one run and not independent, or their "
        "answers are too coarse to tell runs apart"
    )
