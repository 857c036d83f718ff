"""What an audit was promised to be held to, and whether it is."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from auditkit.core.errors import UsageError
from auditkit.evidence.bundle import LOCK, differences, key_path


@dataclass(frozen=True)
class ExpectedLock:
    """What was locked before. content: the bytes of that lock.json, None where only its SHA-256 is
    known."""

    sha256: str
    content: bytes | None


def expected_lock(lock: str, out: Path) -> tuple[ExpectedLock | None, list[str]]:
    """What an audit in `out` was promised to be held to, and what is wrong with that.

    lock: the SHA-256 of a lock.json, or its path. The key that salted its record ids must lie
    beside `out`: no lock could be made again without it.
    """
    wrong = []
    if not key_path(out).exists():
        wrong.append(
            f"{key_path(out)}: the key that was made with the lock must lie there, found none; use the --out"
            " of `auditkit lock`, or put the key there"
        )
    if re.fullmatch("[0-9a-fA-F]{64}", lock):
        return ExpectedLock(lock.lower(), _content_of(out / LOCK, lock.lower())), wrong
    try:
        content = Path(lock).read_bytes()
        json.loads(content)
    except (OSError, ValueError) as error:
        wrong.append(f"--lock must be the SHA-256 of a lock.json, or that file, found {lock!r}: {error}")
        return None, wrong
    return ExpectedLock(hashlib.sha256(content).hexdigest(), content), wrong


def _content_of(path: Path, sha256: str) -> bytes | None:
    """The bytes of the file if they have this SHA-256."""
    content = path.read_bytes() if path.is_file() else b""
    return content if hashlib.sha256(content).hexdigest() == sha256 else None


def verify_lock(promise: ExpectedLock, content: bytes) -> None:
    """UsageError, naming what differs where that is known, unless the criteria are those that were
    promised."""
    found = hashlib.sha256(content).hexdigest()
    if found == promise.sha256:
        return
    where = "give the lock.json itself, in place of its SHA-256, to see where"
    if promise.content is not None:
        changed = differences(json.loads(promise.content), json.loads(content))
        where = f"in {', '.join(changed) or 'how the file is written'}"
    raise UsageError(
        f"this audit must be held to what was locked, SHA-256 {promise.sha256}, found {found}, which differs:"
        f" {where}; restore what was locked, or lock anew"
    )
