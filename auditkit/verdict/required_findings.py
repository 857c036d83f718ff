"""The tests that a claim must pass, each as a finding.

The tests themselves are in `auditkit.statistics`; `memory_tests` and `difference_tests` put them as
questions, with their numbers. A new one is a function there, a line in TESTS, its kind in
`auditkit.core.ids.TestKind`, and a line in `auditkit.claims.required`, which says when it is
required.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from auditkit.claims.criteria import Criteria
from auditkit.claims.required import required_tests
from auditkit.core.ids import TestId, TestKind
from auditkit.evidence.schema import Finding, Findings, Skipped
from auditkit.signals.arms import Arm, Arms
from auditkit.verdict.difference_tests import accuracy_finding, gap_finding
from auditkit.verdict.memory_tests import residual_finding, spared_finding, visible_finding


@dataclass(frozen=True)
class Terms:
    """What arms are judged by; see `required_findings`."""

    criteria: Criteria
    test_records: int
    seed: int
    share: float = 1.0

    @property
    def at_look(self) -> Criteria:
        """The criteria at the level of this look."""
        return self.criteria.at(self.share)


def _residual_memory(test: TestId, arms: Arms, terms: Terms) -> Finding:
    return residual_finding(arms, test, terms.at_look)


def _spared_records(test: TestId, arms: Arms, terms: Terms) -> Finding:
    return spared_finding(arms, test, terms.criteria, terms.seed, terms.share)


def _visible_records(test: TestId, arms: Arms, terms: Terms) -> Finding:
    del test
    return visible_finding(arms, terms.criteria)


def _attack_gap(test: TestId, arms: Arms, terms: Terms) -> Finding:
    return gap_finding(arms, cast(str, test.of), terms.at_look)


def _test_accuracy(test: TestId, arms: Arms, terms: Terms) -> Finding:
    del test
    return accuracy_finding(arms, terms.at_look, terms.test_records)


TESTS: Mapping[TestKind, Callable[[TestId, Arms, Terms], Finding]] = {
    "residual memory": _residual_memory,
    "spared records": _spared_records,
    "visible records": _visible_records,
    "attack gap": _attack_gap,
    "test accuracy": _test_accuracy,
}
"""How each kind of test that compares arms is made. That of differential privacy looks at a model
of its own, see `auditkit.verdict.difference_tests.privacy_finding`."""


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
        The findings, not yet judged: see `auditkit.verdict.judging.judge`. Those of the stress
        world are among them where the arms have one.
    """
    return findings_by(Terms(criteria, test_records, seed, share), arms)


def findings_by(terms: Terms, arms: Arms) -> Findings:
    """Every required test on some arms, by these terms; see `required_findings`."""
    tests = required_tests(terms.criteria, stress=arms.stress is not None)
    findings = [TESTS[test.kind](test, arms, terms) for test in tests]
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
