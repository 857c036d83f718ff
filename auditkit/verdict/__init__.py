"""The verdict: required tests, controls, and what follows from them."""

from auditkit.verdict.endpoint import audit_endpoint
from auditkit.verdict.judge import audit_arms, look_at, with_diverged

__all__ = ["audit_arms", "audit_endpoint", "look_at", "with_diverged"]
