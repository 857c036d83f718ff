"""What every kind of audit writes alike: the record of the run, salted ids, arrays."""

import io
import resource
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np

from auditkit.core.canonical import salted
from auditkit.signals.signals import Signals


def salted_ids(signals: Signals, key: bytes) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    """The ids of the records in the signals as they may leave the audit."""
    return np.array([salted(key, str(identity)) for identity in signals.ids])


def run_record(started: float, command: str) -> dict[str, object]:
    """When and how long, and how much memory at most: all that may differ between two equal
    audits."""
    finished = time.time()
    # Linux counts in kilobytes, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "started": _utc(started),
        "finished": _utc(finished),
        "seconds": round(finished - started, 3),
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
        "command": command,
        "auditkit": version("auditkit"),
    }


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def npz(arrays: Mapping[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]) -> bytes:
    """The arrays as an .npz file, the same bytes for the same arrays."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()
