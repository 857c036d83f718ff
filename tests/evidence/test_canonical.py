import hashlib
import hmac
import json
from dataclasses import dataclass

import numpy as np
import pytest

from auditkit.core.canonical import canonical, commitment, digest, salted, to_plain
from auditkit.evidence.numbers import mean_number
from auditkit.evidence.schema import Number, Verdict


@dataclass(frozen=True)
class Pair:
    """A value with parts."""

    b: object
    a: object


def test_canonical_json_is_rfc_8785() -> None:
    """Keys are sorted by UTF-16 units, nothing is spaced out, numbers are written as ECMAScript
    does."""
    # The sample of RFC 8785, section 3.2.2 and 3.2.4.
    sample = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    assert canonical(sample) == (
        b'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        b'"string":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    ordered = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert list(json.loads(canonical(dict.fromkeys(keys, 0)))) == ordered


def test_minus_zero_is_zero() -> None:
    """-0.0 and 0.0 and 0 are the same bytes."""
    assert canonical(-0.0) == canonical(0.0) == canonical(0) == canonical(np.float64(-0.0)) == b"0"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -np.inf, np.float32("nan")])
def test_what_is_not_a_number_is_not_written(value: float) -> None:
    """NaN and infinities are refused, however deep they lie."""
    with pytest.raises(ValueError, match=r"not representable"):
        canonical({"a": [Pair(value, 1)]})


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, np.zeros(2), object(), 1j, Pair])
def test_what_json_does_not_know_is_not_written(value: object) -> None:
    """Arrays, bytes, sets, classes and objects are refused rather than written by accident."""
    with pytest.raises(TypeError, match="cannot be written as evidence"):
        canonical([value])


def test_values_become_plain() -> None:
    """Dataclasses become objects, tuples arrays, numpy scalars numbers, None null."""
    value = Pair((np.float64(0.5), np.int64(3), np.bool_(True)), {"x": Pair(None, "é")})
    assert canonical(value) == '{"a":{"x":{"a":"é","b":null}},"b":[0.5,3,true]}'.encode()
    assert [type(x) for x in to_plain(value)["b"]] == [float, int, bool]


def test_equal_values_give_equal_bytes() -> None:
    """The order in which keys were put in does not matter, and any difference in a value does."""
    one = {"a": 1, "b": {"c": 2, "d": [3]}}
    assert canonical(one) == canonical({"b": {"d": [3], "c": 2}, "a": 1})
    assert digest(one) == hashlib.sha256(b'{"a":1,"b":{"c":2,"d":[3]}}').hexdigest()
    assert digest(one) != digest({"a": 1, "b": {"c": 2, "d": [4]}})


def test_a_verdict_survives_its_json() -> None:
    """A verdict written and read again has every field with its value."""
    v = Verdict("inconclusive", "So: “maybe”.", ("a", "b"), 0.2, 0.95, None)
    assert json.loads(canonical(v)) == {
        "outcome": "inconclusive",
        "sentence": "So: “maybe”.",
        "reasons": ["a", "b"],
        "margin": 0.2,
        "confidence": 0.95,
        "runs_needed": None,
        "further_runs": None,
        "outlook": "",
    }


def test_salted_ids_are_hmacs_under_the_key() -> None:
    """A salted id is the HMAC-SHA-256 of the id: the same under one key, another under another."""
    key, other = bytes(range(32)), bytes(32)
    assert salted(key, "é7") == hmac.new(key, "é7".encode(), hashlib.sha256).hexdigest()
    assert salted(key, "r1") != salted(other, "r1")
    assert salted(key, "r1") != salted(key, "r2")


def test_a_commitment_does_not_depend_on_order() -> None:
    """A set of records has one commitment in any order, another if a record is added, and another
    under another key."""
    key, ids = b"k" * 32, ["r2", "r10", "r1"]
    assert commitment(key, ids) == commitment(key, sorted(ids)) == commitment(key, iter(ids))
    assert commitment(key, ids) != commitment(key, [*ids, "r3"])
    assert commitment(key, ids) != commitment(b"l" * 32, ids)


def test_no_two_sets_share_a_commitment() -> None:
    """One id that holds a line break is not the same set as the two ids it falls into."""
    assert commitment(b"k", ["a\nb"]) != commitment(b"k", ["a", "b"])


def test_no_key_replaces_another() -> None:
    """Keys that differ only in type are refused, or both kept: nothing is lost without a word."""
    try:
        plain = to_plain({1: "a", "1": "b"})
    except (TypeError, ValueError):
        return
    assert len(plain) == 2


def test_the_mean_of_runs_with_its_interval() -> None:
    """A mean over runs carries scipy's t-interval of level 1 - 2α, and where it comes from."""
    from scipy import stats

    x = np.random.default_rng(0).normal(size=7)
    low, high = stats.t.interval(0.9, 6, x.mean(), stats.sem(x))
    n = mean_number(x, 40, 0.05, "the AUC")
    assert (n.value, n.low, n.high) == pytest.approx((x.mean(), low, high))
    method = "mean over runs of the AUC on these records, t-interval over runs"
    expected = Number(n.value, n.low, n.high, 0.9, 7, 40, method, "method.md#means")
    assert n == expected
