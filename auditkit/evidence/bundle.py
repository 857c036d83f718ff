"""The evidence bundle: the directory an audit leaves behind.

lock.json is there before the first model is trained; everything else is written at the end, each
file aside and then renamed, the manifest last. The key that salts record ids lies beside the
bundle, never in it.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from auditkit.core.canonical import canonical
from auditkit.core.errors import AuditError, IntegrityError, UsageError

LOCK, MANIFEST = "lock.json", "manifest.json"
KEY_BYTES = 32


def open_key(out: Path) -> bytes:
    """The key that salts the record ids of the bundle at `out`: made once, in a file beside it that
    only its owner can read, and used again when the audit is resumed.

    Raises UsageError where the bundle's place cannot be written to, or holds something else.
    """
    out = out.resolve()
    check_place(out)
    path = key_path(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            if (out / LOCK).exists():
                raise IntegrityError(
                    f"{path}: the key of the bundle {out} must lie beside it, found none; put it back, or "
                    "choose another --out"
                )
            _write(path, secrets.token_hex(KEY_BYTES).encode(), mode=0o600)
        return _key(path)
    except OSError as error:
        raise _cannot_write(out, error) from error


def _key(path: Path) -> bytes:
    try:
        key = bytes.fromhex(path.read_text())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise IntegrityError(
            f"{path}: must hold a key of hex digits, {KEY_BYTES} bytes; put back the one made with the bundle"
        )
    return key


def key_path(out: Path) -> Path:
    """Where the key of the bundle at `out` lies."""
    place = out.resolve()
    return place.with_name(place.name + ".key")


def open_bundle(out: Path, lock: Mapping[str, object]) -> str:
    """Lock the criteria: write lock.json, or find the same one there. Returns its SHA-256.

    Raises UsageError if another audit has locked this place; nothing of it is touched.
    """
    check_place(out)
    content, path = canonical(lock), out / LOCK
    if path.exists() and path.read_bytes() != content:
        try:
            changed = differences(json.loads(path.read_bytes()), json.loads(content))
        except ValueError as error:
            raise IntegrityError(f"{path}: is damaged; remove the bundle, or choose another --out") from error
        raise UsageError(
            f"{out}: holds the bundle of another audit, which differs in"
            f" {', '.join(changed) or 'how its lock is written'}; choose another --out, or remove that bundle"
        )
    if not path.exists():
        try:
            out.mkdir(parents=True, exist_ok=True)
            _write(path, content)
        except OSError as error:
            raise _cannot_write(out, error) from error
    return hashlib.sha256(content).hexdigest()


def write_bundle(out: Path, files: Mapping[str, bytes]) -> None:
    """Write the files of a finished audit, then the manifest of everything in the bundle."""
    try:
        for name, content in files.items():
            (out / name).parent.mkdir(exist_ok=True)
            _write(out / name, content)
        _write(out / MANIFEST, canonical(manifest(out)))
    except OSError as error:
        raise _cannot_write(out, error) from error


def manifest(out: Path) -> list[dict[str, object]]:
    """Path, size in bytes and SHA-256 of every file in the bundle but the manifest, by path."""
    return [
        {
            "path": name,
            "size": (out / name).stat().st_size,
            "sha256": hashlib.sha256((out / name).read_bytes()).hexdigest(),
        }
        for name in _files(out)
    ]


def read_bundle(out: Path) -> dict[str, bytes]:
    """The files of a bundle, checked against its manifest: path -> content.

    Raises UsageError where there is no finished bundle, IntegrityError naming every file that is
    not what the manifest says.
    """
    listed = _listed(out)
    files, problems = {}, []
    for name, sha256 in listed.items():
        path = out / name
        content = path.read_bytes() if path.is_file() else None
        if content is None:
            problems.append(f"{path}: is listed in {MANIFEST} and is missing")
        elif hashlib.sha256(content).hexdigest() != sha256:
            problems.append(f"{path}: its SHA-256 is not the one in {MANIFEST}: it was altered or truncated")
        else:
            files[name] = content
    problems += [f"{out / name}: is not listed in {MANIFEST}" for name in _files(out) if name not in listed]
    if problems:
        raise IntegrityError(*problems)
    return files


def _listed(out: Path) -> dict[str, str]:
    """Path -> SHA-256, as the manifest says."""
    try:
        listed = {entry["path"]: entry["sha256"] for entry in json.loads((out / MANIFEST).read_bytes())}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(
            f"{out}: must be the bundle of a finished audit, found no readable {MANIFEST}"
        ) from error
    inside = out.resolve()
    if outside := [name for name in listed if not (out / name).resolve().is_relative_to(inside)]:
        raise IntegrityError(f"{out / MANIFEST}: lists files outside the bundle: {', '.join(outside)}")
    return listed


def _files(out: Path) -> list[str]:
    """The files of a bundle by name, but for the manifest and what a killed audit left aside."""
    paths = (p for p in out.rglob("*") if p.is_file() and p != out / MANIFEST and not _aside(p))
    return sorted(p.relative_to(out).as_posix() for p in paths)


def _aside(path: Path) -> bool:
    return path.name.startswith(".") and path.name.endswith(".part")


def check_place(out: Path) -> None:
    """UsageError where a bundle cannot be at `out`: a file is there, or a directory with other
    things."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: the output must be a directory, found a file; choose another --out")
    if out.is_dir() and not (out / LOCK).exists() and not all(map(_aside, out.iterdir())):
        raise UsageError(
            f"{out}: the output must be empty or a bundle of this audit, found other files; choose another"
            " --out"
        )


def differences(old: Any, new: Any, where: str = "") -> list[str]:
    """The dotted names of the values in which two locks differ."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return [] if old == new else [where]
    keys = sorted(old.keys() | new.keys())
    missing = object()
    return [
        d
        for k in keys
        for d in differences(old.get(k, missing), new.get(k, missing), f"{where}.{k}" if where else k)
    ]


def _write(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write aside and rename, so that a file is there whole or not at all."""
    aside = path.with_name(f".{path.name}.part")
    with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)


def _cannot_write(out: Path, error: OSError) -> AuditError:
    return UsageError(
        f"{out}: the output must be writable, found: {error.strerror or error}; choose another --out"
    )
