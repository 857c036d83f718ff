"""What PDFs take to come out the same to the last byte."""

import subprocess
import sys

import pytest

needs_subset = pytest.mark.skipif(
    subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            "from weasyprint.text.ffi import harfbuzz_subset as h; assert h",
        ],
        capture_output=True,
        check=False,
    ).returncode
    != 0,
    reason="without libharfbuzz-subset0 fonts are embedded by other means, with the time",
)
