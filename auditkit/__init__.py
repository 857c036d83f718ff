"""auditkit finds out whether a claim of machine unlearning is true, and proves it."""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from auditkit.claims import Claim, read_claim
from auditkit.errors import AuditError, IntegrityError, UsageError

if TYPE_CHECKING:
    from auditkit.pipeline import audit

__all__ = ["AuditError", "Claim", "IntegrityError", "UsageError", "__version__", "audit", "read_claim"]
__version__ = version("auditkit")


def __getattr__(name: str) -> Any:
    """`auditkit.audit`, imported when it is first asked for: it needs torch, and reading a report does not."""
    if name != "audit":
        raise AttributeError(f"module 'auditkit' has no attribute {name!r}")
    from auditkit.pipeline import audit

    return audit
