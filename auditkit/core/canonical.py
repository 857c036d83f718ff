"""From values to bytes: the one form in which evidence is written and hashed."""

import dataclasses
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import rfc8785


def to_plain(value: object) -> Any:
    """The value as JSON knows it: dataclasses as objects, tuples as arrays, numpy numbers as
    numbers.

    Raises TypeError for anything else, so that nothing is written by accident.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("the keys of evidence must be strings")
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, np.bool_ | np.integer | np.floating):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{type(value).__name__} cannot be written as evidence")


def canonical(value: object) -> bytes:
    """Canonical JSON (RFC 8785): equal values give equal bytes, on every machine.

    Args:
        value: what `to_plain` takes: dataclasses, mappings with text as keys, sequences, numbers.

    Returns:
        UTF-8.

    Raises:
        TypeError: for anything else.
        ValueError: for NaN or infinity.

    >>> canonical({"b": 1.0, "a": (True, None)})
    b'{"a":[true,null],"b":1}'
    """
    return rfc8785.dumps(to_plain(value))


def digest(value: object) -> str:
    """What a value is known by: SHA-256 over its canonical form.

    Args:
        value: as for `canonical`.

    Returns:
        64 hexadecimal digits.

    Raises:
        TypeError, ValueError: as `canonical` does.
    """
    return hashlib.sha256(canonical(value)).hexdigest()


def salted(key: bytes, identity: str) -> str:
    """A record's id as it may leave the audit: HMAC-SHA-256 under the audit's key, hex. Without the
    key nobody can tell which record it is by trying ids."""
    return hmac.new(key, identity.encode(), hashlib.sha256).hexdigest()


def commitment(key: bytes, identities: Iterable[str]) -> str:
    """A salted commitment to a set of records: the same whatever their order."""
    return salted(key, canonical(sorted(identities)).decode())
