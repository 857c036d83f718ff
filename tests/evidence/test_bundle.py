import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from auditkit.core.canonical import canonical, digest
from auditkit.core.errors import AuditError, IntegrityError, UsageError
from auditkit.evidence.bundle import (
    key_path,
    manifest,
    open_bundle,
    open_key,
    read_bundle,
    write_bundle,
)

LOCK: dict[str, object] = {"claim": {"name": "x", "runs": {"per_arm": 20, "shadow": 16}}, "seeds": [1, 2]}
FILES = {"evidence.json": b'{"schema":1}', "scores/scores.npz": bytes(range(256)), "report.html": b"<p>"}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where a bundle may be made."""
    return tmp_path / "audits" / "bundle"


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def finished(out: Path) -> Path:
    """A finished bundle."""
    open_key(out)
    open_bundle(out, LOCK)
    write_bundle(out, FILES)
    return out


def test_the_lock_is_there_first(out: Path) -> None:
    """Opening a bundle writes lock.json in canonical form, alone, and gives its SHA-256."""
    assert open_bundle(out, LOCK) == digest(LOCK)
    assert tree(out) == {"lock.json": canonical(LOCK)}


def test_the_same_lock_resumes(out: Path) -> None:
    """The same audit finds its lock and leaves every file as it is, whatever order the keys stand
    in."""
    finished(out)
    before, inode = tree(out), (out / "lock.json").stat().st_ino
    again = {"seeds": [1, 2], "claim": {"runs": {"shadow": 16, "per_arm": 20}, "name": "x"}}
    assert open_bundle(out, again) == digest(LOCK)
    assert tree(out) == before
    assert (out / "lock.json").stat().st_ino == inode


def test_another_lock_is_refused_and_nothing_touched(out: Path) -> None:
    """Another audit is refused with the names of what differs, and leaves every file as it is."""
    finished(out)
    before = tree(out)
    other = {"claim": {"name": "y", "runs": {"per_arm": 20, "shadow": 8}}, "seeds": [1, 2], "new": 0}
    with pytest.raises(UsageError) as refused:
        open_bundle(out, other)
    assert (
        str(refused.value)
        == f"{out}: holds the bundle of another audit, which differs in claim.name, claim.runs.shadow, new; "
        "choose another --out, or remove that bundle"
    )
    assert tree(out) == before


def test_a_file_is_no_place_for_a_bundle(tmp_path: Path) -> None:
    """Where the output is a file, or lies in one, it is refused before a key is made."""
    place = tmp_path / "taken"
    place.write_text("mine")
    for out in (place, place / "bundle"):
        for opening in (lambda o: open_key(o), lambda o: open_bundle(o, LOCK)):
            with pytest.raises(UsageError, match="choose another --out"):
                opening(out)
    assert tree(tmp_path) == {"taken": b"mine"}


def test_somebody_elses_folder_is_not_used(tmp_path: Path) -> None:
    """A folder with other files in it is refused and not touched; an empty one is used."""
    full, empty = tmp_path / "full", tmp_path / "empty"
    full.mkdir()
    empty.mkdir()
    (full / "thesis.tex").write_text("mine")
    for opening in (lambda: open_key(full), lambda: open_bundle(full, LOCK)):
        with pytest.raises(UsageError, match="must be empty or a bundle of this audit, found other files"):
            opening()
    assert tree(tmp_path) == {"full/thesis.tex": b"mine"}
    assert open_bundle(empty, LOCK) == digest(LOCK)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    """Without the right to write, key and bundle are refused with the reason."""
    tmp_path.chmod(0o500)
    for opening in (lambda: open_key(tmp_path / "b"), lambda: open_bundle(tmp_path / "b", LOCK)):
        with pytest.raises(UsageError, match="must be writable, found: Permission denied"):
            opening()


def test_the_key_lies_beside_the_bundle_for_its_owner_alone(out: Path) -> None:
    """The key is 32 random bytes in a file that only its owner can read, not in the bundle, and
    stays the same."""
    key = open_key(out)
    path = key_path(out)
    assert len(key) == 32
    assert path == out.parent / "bundle.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert open_key(out) == key
    assert open_key(out.with_name("other")) != key
    assert not out.exists()
    finished(out)
    assert not any("key" in entry for entry in tree(out))


def test_a_bundle_without_its_key_is_not_resumed(out: Path) -> None:
    """If the key of a locked bundle is gone, or is no key, no new one is made in its place."""
    finished(out)
    path = key_path(out)
    path.write_text("not hex")
    with pytest.raises(IntegrityError, match="must hold a key of hex digits"):
        open_key(out)
    path.unlink()
    with pytest.raises(IntegrityError, match="must lie beside it, found none"):
        open_key(out)
    assert not path.exists()


@pytest.mark.parametrize("content", ["", "ab", "  \n"])
def test_a_key_that_is_too_short_is_refused(out: Path, content: str) -> None:
    """A key file that does not hold 32 bytes is refused: under a short key salted ids can be
    guessed."""
    out.parent.mkdir()
    key_path(out).write_text(content)
    with pytest.raises(IntegrityError):
        open_key(out)


def test_the_folder_one_is_in_may_hold_a_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder, named as ".", is a place like any other: used with a key beside it, or
    refused in words."""
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    try:
        open_key(Path("."))
    except UsageError:
        return
    assert (tmp_path / "here.key").exists()


def test_a_bundle_is_read_back_whole(out: Path) -> None:
    """A finished bundle gives back the bytes of every file, the lock among them, and no aside files
    are left."""
    assert read_bundle(finished(out)) == {**FILES, "lock.json": canonical(LOCK)}
    assert set(tree(out)) == {*FILES, "lock.json", "manifest.json"}


def test_the_manifest_lists_every_file_but_itself(out: Path) -> None:
    """The manifest has path and size of every file, sorted by path, in canonical form on disk."""
    finished(out)
    listed = manifest(out)
    contents = {**FILES, "lock.json": canonical(LOCK)}
    assert [(e["path"], e["size"]) for e in listed] == [(p, len(contents[p])) for p in sorted(contents)]
    assert (out / "manifest.json").read_bytes() == canonical(listed)


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs sha256sum")
def test_sha256sum_alone_can_check_a_bundle(out: Path) -> None:
    """The sums in the manifest are those that sha256sum finds."""
    finished(out)
    sums = "".join(f"{e['sha256']}  {e['path']}\n" for e in manifest(out))
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "-"],
        input=sums,
        cwd=out,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.count(": OK") == len(FILES) + 1


def test_writing_again_leaves_the_same_bundle(out: Path) -> None:
    """Writing the same files again, as a resumed audit does, changes no byte."""
    before = tree(finished(out))
    write_bundle(out, FILES)
    assert tree(out) == before


def test_every_altered_or_missing_file_is_named(out: Path) -> None:
    """Reading names each file that was altered, truncated or removed, all at once, and gives
    nothing back."""
    finished(out)
    (out / "evidence.json").write_bytes(b'{"schema":2}')
    (out / "scores/scores.npz").write_bytes(bytes(range(255)))
    (out / "report.html").unlink()
    with pytest.raises(IntegrityError) as found:
        read_bundle(out)
    assert found.value.problems == (
        f"{out / 'evidence.json'}: its SHA-256 is not the one in manifest.json: it was altered or truncated",
        f"{out / 'report.html'}: is listed in manifest.json and is missing",
        (
            f"{out / 'scores/scores.npz'}: its SHA-256 is not the one in manifest.json: it was altered or"
            " truncated"
        ),
    )


def test_an_unfinished_bundle_cannot_be_read(out: Path) -> None:
    """Without a manifest, or with one cut short, there is no finished bundle to read."""
    open_bundle(out, LOCK)
    with pytest.raises(UsageError, match="must be the bundle of a finished audit"):
        read_bundle(out)
    write_bundle(out, FILES)
    whole = (out / "manifest.json").read_bytes()
    (out / "manifest.json").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match="must be the bundle of a finished audit"):
        read_bundle(out)


@pytest.mark.parametrize("content", [{"files": []}, ["evidence.json"], [{"path": "evidence.json"}], 3])
def test_a_manifest_of_another_shape_is_refused(out: Path, content: object) -> None:
    """A manifest that is valid JSON but no list of files with their sums is refused like any other
    damage."""
    finished(out)
    (out / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(AuditError):
        read_bundle(out)


def test_a_manifest_cannot_point_outside_the_bundle(out: Path) -> None:
    """A manifest that lists a file outside the bundle is refused."""
    finished(out)
    (out.parent / "outside").write_bytes(b"secret")
    entry = {"path": "../outside", "size": 6, "sha256": manifest(out.parent)[-1]["sha256"]}
    (out / "manifest.json").write_text(json.dumps([entry]))
    with pytest.raises(AuditError):
        read_bundle(out)


def test_a_file_that_was_added_is_noticed(out: Path) -> None:
    """A file put into a finished bundle later is named."""
    finished(out)
    (out / "report.pdf").write_bytes(b"forged")
    with pytest.raises(IntegrityError, match=r"report\.pdf"):
        read_bundle(out)


@pytest.mark.parametrize("content", [b"", b'{"claim":', b"\xff\xfe"])
def test_a_damaged_lock_is_an_integrity_error(out: Path, content: bytes) -> None:
    """A lock.json that was cut short or overwritten is said to be damaged, in words."""
    finished(out)
    (out / "lock.json").write_bytes(content)
    with pytest.raises(AuditError):
        open_bundle(out, LOCK)


@pytest.mark.parametrize("old", [{**LOCK, "directory": None}, LOCK])
def test_every_refused_lock_says_what_differs(out: Path, old: dict[str, object]) -> None:
    """A lock that is refused is refused for a named difference."""
    open_bundle(out, old)
    if old == LOCK:
        (out / "lock.json").write_text(json.dumps(LOCK, indent=1))
    with pytest.raises(UsageError) as refused:
        open_bundle(out, LOCK)
    assert "differs in ;" not in str(refused.value)


def test_a_kill_during_the_first_write_can_be_resumed(out: Path) -> None:
    """A lock half written aside, as a kill leaves it, does not make the place somebody else's
    folder."""
    out.mkdir(parents=True)
    (out / ".lock.json.part").write_bytes(b'{"cl')
    assert open_bundle(out, LOCK) == digest(LOCK)


def test_what_a_kill_leaves_aside_is_not_in_the_bundle(out: Path) -> None:
    """A half-written file left aside by a kill is replaced, not kept beside the whole one."""
    open_bundle(out, LOCK)
    (out / ".evidence.json.part").write_bytes(b"half")
    write_bundle(out, FILES)
    assert set(tree(out)) == {*FILES, "lock.json", "manifest.json"}
