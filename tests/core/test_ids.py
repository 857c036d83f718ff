"""Identities and their written form."""

from typing import get_args

import pytest

from auditkit.attacks import ATTACKS
from auditkit.claims.criteria import Criteria
from auditkit.claims.required import queries, required_tests
from auditkit.core import ids
from auditkit.core.ids import (
    EXACT,
    ArmKey,
    ArmKind,
    Jitter,
    Query,
    Recovered,
    Recovery,
    TestId,
    TestKind,
    World,
    parse_query,
    question_part,
)
from auditkit.probes import RECOVERIES

RECOVERED: list[Query] = [Recovered(by) for by in get_args(Recovery)]
RADII = (1 / 3, 0.1, 0.30000000000000004, 1, 2.0, 4, 1e-7, 123456.789)
EVERY: list[Query] = [EXACT, *map(Jitter, RADII), *RECOVERED]


@pytest.mark.parametrize("query", EVERY, ids=str)
def test_a_query_is_read_from_what_is_written(query: Query) -> None:
    """Written and read again, a query is the one it was, in value, hash and written form."""
    read = parse_query(str(query))
    assert read == query
    assert hash(read) == hash(query)
    assert str(read) == str(query)


def test_queries_are_written_in_these_words() -> None:
    """The written form stands in files that exist: it never changes."""
    assert [str(query) for query in EVERY] == [
        "exact",
        "jitter 0.333333",
        "jitter 0.1",
        "jitter 0.3",
        "jitter 1",
        "jitter 2",
        "jitter 4",
        "jitter 1e-07",
        "jitter 123457",
        "relearned",
        "probe",
        "rescaled",
    ]
    assert all(type(query) in get_args(Query) for query in EVERY)
    assert {type(query) for query in EVERY} == set(get_args(Query))


def test_radii_that_are_written_alike_are_one_query() -> None:
    """A radius is what is written of it: a query from a file is found by one from a claim."""
    assert Jitter(1 / 3) == Jitter(0.333333) == parse_query("jitter 0.333333")
    assert {Jitter(0.1 + 0.2): 1}[Jitter(0.3)] == 1


@pytest.mark.parametrize("written", ["", "near", "jitter", "jitter wide", "Exact", "relearned 0.1"])
def test_what_is_no_query_is_refused(written: str) -> None:
    """Anything else is refused and not taken for a query."""
    with pytest.raises(ValueError, match=r"a query must be|could not convert"):
        parse_query(written)


def test_every_query_has_words_of_its_own_in_a_question() -> None:
    """Each kind of query, and each recovery, has its part in a question, and no two have the
    same."""
    parts = [question_part(query) for query in EVERY]
    assert len(set(parts)) == len(parts)
    assert parts[0] == ""
    assert all(part.startswith(", ") and part.endswith(",") for part in parts[1:])


def test_the_recoveries_that_have_an_identity_are_those_there_are() -> None:
    """Every way to change a model can be named, and none is named that is not there."""
    assert set(get_args(Recovery)) == set(RECOVERIES)


def test_every_arm_is_written_and_no_two_alike() -> None:
    """Each kind of arm in each world, and in a state, is written in words of its own."""
    keys = [
        ArmKey(kind, state, world)
        for kind in get_args(ArmKind)
        for world in get_args(World)
        for state in (None, "off", "folded and repaired")
    ]
    assert len({str(key) for key in keys}) == len(set(keys)) == len(keys)
    assert [str(ArmKey(kind)) for kind in get_args(ArmKind)] == list(get_args(ArmKind))
    assert str(ids.SWAPPED_UNLEARNED) == "swapped unlearned"
    assert str(ids.unlearned("off")) == "unlearned, off"
    assert ids.unlearned(None) == ids.UNLEARNED


def test_runs_were_trained_in_the_arm_that_is_their_parent() -> None:
    """Unlearned runs, in whatever state, were trained as originals of their world, placebo runs in
    whatever world as honest ones of the plain world; every other run as itself."""
    for kind in get_args(ArmKind):
        for world in get_args(World):
            key = ArmKey(kind, world=world)
            assert key.parent.trained
            assert key.trained == (key.parent == key) == (kind not in ("unlearned", "placebo"))
    assert {ids.placebo("fake").within(world).parent for world in get_args(World)} == {ids.HONEST}
    assert ids.UNLEARNED.within(ids.STRESS).parent == ids.ORIGINAL.within(ids.STRESS)
    assert ids.unlearned("off").parent == ids.ORIGINAL
    assert ids.SWAPPED_UNLEARNED.parent == ids.SWAPPED_ORIGINAL


def test_every_kind_of_test_is_written_and_no_two_alike() -> None:
    """Each kind of test is required of some claim, and each test is written in words of its own."""
    criteria = Criteria(attacks=tuple(ATTACKS), recoveries=("relearned",))
    tests = required_tests(criteria, private=True, stress=True)
    assert {test.kind for test in tests} == set(get_args(TestKind))
    assert len({str(test) for test in tests}) == len(tests)
    assert [str(TestId(kind)) for kind in get_args(TestKind)] == list(get_args(TestKind))


def test_a_test_finds_its_finding_in_a_mapping_that_keeps_the_order() -> None:
    """Equal tests are one key, however they were made; a mapping by tests keeps the order of
    judgement, also after another order."""
    criteria = Criteria(attacks=("loss", "gap"), jitter=(1 / 3, 2), recoveries=("relearned",))
    required = required_tests(criteria, stress=True)
    by_test = {test: place for place, test in enumerate(required)}
    for place, query in enumerate(queries(criteria)):
        assert by_test[ids.residual_memory(parse_query(str(query)))] == place
        in_stress = ids.residual_memory(parse_query(str(query)), ids.STRESS)
        assert query == ids.RELEARNED or by_test[in_stress] == place + len(queries(criteria)) + 1
    assert by_test[ids.attack_gap("gap")] == required.index(TestId("attack gap", "gap"))
    assert sorted(by_test, key=lambda test: -by_test[test])[::-1] == list(by_test) == required
    assert [str(test) for test in required] == [
        "residual memory, exact",
        "residual memory, jitter 0.333333",
        "residual memory, jitter 2",
        "residual memory, relearned",
        "spared records",
        "residual memory, exact, in the stress world",
        "residual memory, jitter 0.333333, in the stress world",
        "residual memory, jitter 2, in the stress world",
        "spared records, in the stress world",
        "visible records",
        "attack gap, loss",
        "attack gap, gap",
        "test accuracy",
    ]
