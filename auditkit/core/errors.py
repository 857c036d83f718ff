"""What can go wrong, as a user sees it.

AuditError                 anything auditkit says to its user instead of a traceback; exit code 4
├── UsageError             the command, the claim or the data is wrong; exit code 2
└── IntegrityError         a file does not hold what its checksum or its lock says; exit code 4
"""

from collections.abc import Sequence


class AuditError(Exception):
    """An audit cannot run. Carries every problem found, each as rule, value and remedy."""

    exit_code = 4

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems: Sequence[str] = problems


class UsageError(AuditError):
    """The command line, the claim or the data given cannot be used as they are."""

    exit_code = 2


class IntegrityError(AuditError):
    """A file is not what it is said to be: truncated, altered, or made by another audit."""
