"""The table of required tests, the policy that asks for them, and their identities agree."""

from typing import get_args

import pytest

from auditkit.claims.criteria import Criteria
from auditkit.claims.required import required_tests
from auditkit.core.ids import DIFFERENTIAL_PRIVACY, TestKind
from auditkit.verdict.required_findings import TESTS, Terms
from tests.statistics.simulated_arms import ATTACKS, simulated_arms

COMPARING = [kind for kind in get_args(TestKind) if kind != DIFFERENTIAL_PRIVACY.kind]
CRITERIA = Criteria(attacks=ATTACKS, jitter=(0.1,), recoveries=())


def test_every_kind_of_test_that_compares_arms_can_be_made() -> None:
    """TESTS has every kind but that of differential privacy, which looks at a model of its own."""
    assert list(TESTS) == COMPARING


def test_every_kind_of_test_is_required_of_some_claim() -> None:
    """No kind is left that the policy never asks for, and none is asked for that is no kind."""
    assert {test.kind for test in required_tests(Criteria(), private=True)} == set(get_args(TestKind))


@pytest.mark.parametrize("kind", COMPARING)
def test_a_finding_says_which_test_it_is_of(kind: TestKind) -> None:
    """What the table makes for a test carries that test's identity, so that nothing is looked up
    under another's name."""
    arms, terms = simulated_arms(3, n=6), Terms(CRITERIA, 250, 0)
    of_kind = [test for test in required_tests(CRITERIA) if test.kind == kind]
    assert of_kind
    assert [TESTS[kind](test, arms, terms).test for test in of_kind] == of_kind
