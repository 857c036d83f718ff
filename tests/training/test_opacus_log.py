import subprocess
import sys

IMPORTS = """
import logging
import auditkit.dp.dp_sgd, auditkit.probes.gradient_norm
from auditkit.training.opacus_log import log_left_alone
with log_left_alone():
    import opacus
print(logging.getLogger().handlers, logging.getLogger().level == logging.WARNING)
"""


def test_opacus_leaves_the_log_alone() -> None:
    """After Opacus is imported the process has no log handler that it had not before."""
    command = [sys.executable, "-W", "ignore", "-c", IMPORTS]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[] True\n"
