"""Clusters of the tests: Dask and Ray as programs that are really started."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Clusters that Ray starts want a token: one of our own, so that none is left in the user's home.
# Ray reads this when it is imported, and that is not before a test begins.
TOKEN = tempfile.NamedTemporaryFile("w", prefix="auditkit-token-")  # noqa: SIM115 -- for as long as we run
TOKEN.write(secrets.token_hex(32))
TOKEN.flush()
os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": TOKEN.name, "RAY_USAGE_STATS_ENABLED": "0"}


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def running(*command: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program of this environment, in a group of processes of its own that ends with the
    block."""
    program = [str(Path(sys.executable).with_name(command[0])), *command[1:]]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        program, env=environment, stdout=quiet, stderr=quiet, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def answering(port: int) -> None:
    """Wait until something listens."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(OSError), closing(socket.create_connection(("127.0.0.1", port), timeout=1)):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens at {port}")


@contextmanager
def dask_scheduler(**variables: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    port = free_port()
    command = ["dask", "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    with running(*command, **variables) as process:
        answering(port)
        yield f"tcp://127.0.0.1:{port}", process


@contextmanager
def dask_workers(address: str, processes: int, threads: int) -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="auditkit-test-") as scratch:
        layout = ["--nworkers", str(processes), "--nthreads", str(threads), "--memory-limit", "0"]
        place = ["--no-dashboard", "--local-directory", scratch]
        with running("dask", "worker", address, *layout, *place):
            yield
