"""auditkit finds out whether a claim of machine unlearning is true, and proves it."""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from auditkit.claims.claim import Claim
from auditkit.claims.read import read_claim
from auditkit.core.errors import AuditError, IntegrityError, UsageError

if TYPE_CHECKING:
    from auditkit.pipeline import audit
    from auditkit.training.recipe import Recipe
    from auditkit.unlearning.api import forget

__all__ = [
    "AuditError",
    "Claim",
    "IntegrityError",
    "Recipe",
    "UsageError",
    "__version__",
    "audit",
    "forget",
    "read_claim",
]
__version__ = version("auditkit")

_LATER = {"audit": "pipeline", "forget": "unlearning.api", "Recipe": "training.recipe"}
"""Public names imported when they are first asked for: they need torch, and reading a report does
not."""


def __getattr__(name: str) -> Any:
    """A public name that needs torch."""
    if name not in _LATER:
        raise AttributeError(f"module 'auditkit' has no attribute {name!r}")
    return getattr(import_module(f"auditkit.{_LATER[name]}"), name)
