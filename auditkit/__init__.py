"""auditkit finds out whether a claim of machine unlearning is true, and proves it."""

from importlib.metadata import version

from auditkit.errors import AuditError, IntegrityError, UsageError

__all__ = ["AuditError", "IntegrityError", "UsageError", "__version__"]
__version__ = version("auditkit")
