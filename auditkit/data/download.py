"""Downloads of the IDX data sets from public mirrors: resumed, verified, then put in place."""

import os
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import cast
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from auditkit.core.errors import AuditError, IntegrityError
from auditkit.data.catalogue import OFFLINE, STEMS, IdxFiles
from auditkit.data.idx import content_sha256
from auditkit.data.locations import cache_directory

# Called with the file's name, the bytes there are so far, and the bytes there will be, if known.
Progress = Callable[[str, int, int | None], None]

TIMEOUT = 30.0  # seconds without an answer, not for the whole file
CHUNK = 1 << 16


def fetch_files(wanted: IdxFiles, into: Path | None = None, *, progress: Progress | None = None) -> Path:
    """Download the four IDX files of a data set. Files that are there and right are kept, and
    `<file>.part` left by an earlier try is resumed.

    Args:
        wanted: which files, and the mirrors to ask for them.
        into: where to put them; the user's cache if not given.
        progress: called as bytes arrive.

    Returns:
        The directory they are in.

    Raises:
        IntegrityError: mirrors answer, but none with the right content.
        AuditError: no mirror can be reached, or nothing can be written there.
    """
    folder = cache_directory(wanted.name) if into is None else into
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AuditError(
            f"downloads need a directory to write to, found {folder}: {error.strerror}; "
            "set XDG_CACHE_HOME to a directory you may write to"
        ) from error
    for stem in STEMS:
        target = folder / f"{stem}.gz"
        if not (target.is_file() and content_sha256(target) == wanted.sums[stem]):
            _fetch_file(wanted, target, wanted.sums[stem], progress)
    return folder


def _fetch_file(wanted: IdxFiles, target: Path, sha256: str, progress: Progress | None) -> None:
    """Download one file from the first mirror that gives the right content."""
    part = target.with_name(f"{target.name}.part")
    tried: list[str] = []
    altered = False
    for mirror in wanted.mirrors:
        url = mirror + target.name
        # What was resumed and is wrong may owe it to an older part: then once more, from the start.
        for resumed in [True, False] if part.exists() else [False]:
            try:
                _transfer(url, part, progress)
            except (OSError, HTTPException) as error:
                tried.append(f"{url}: {error}")
                break
            received = content_sha256(part)
            if received == sha256:
                os.replace(part, target)
                return
            part.unlink()
            if not resumed:
                altered = True
                tried.append(f"{url}: found {received or 'corrupt gzip'}")
    listed = "; ".join(tried)
    if altered:
        raise IntegrityError(
            f"{wanted.name}: the SHA-256 of {target.name}, decompressed, must be {sha256}; "
            f"tried {listed}; "
            f"a mirror or a proxy alters the file: try another network, or {OFFLINE[-1]}"
        )
    raise AuditError(
        f"{wanted.name}: {target.name} must come from a mirror and none gave it: "
        f"this machine may be offline; tried {listed}; to work offline, " + "; or ".join(OFFLINE)
    )


def _transfer(url: str, part: Path, progress: Progress | None) -> None:
    """Download `url` into `part`, going on from where it ends. Raises OSError or HTTPException."""
    have = part.stat().st_size if part.exists() else 0
    request = Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = cast(HTTPResponse, urlopen(request, timeout=TIMEOUT))
    except HTTPError as error:
        error.close()
        if error.code == 416 and have:  # nothing beyond what there is: the checksum will tell
            return
        raise
    with response:
        done = have if response.status == 206 else 0  # any other answer is the whole file, from its start
        length = response.headers.get("Content-Length")
        total = None if length is None else done + int(length)
        with part.open("ab" if done else "wb") as file:
            while block := response.read(CHUNK):
                file.write(block)
                done += len(block)
                if progress is not None:
                    progress(part.stem, done, total)
    # read() with a size does not say that the end is missing; the part is kept to resume.
    if total is not None and done < total:
        raise OSError(f"the connection ended after {done} of {total} bytes")
