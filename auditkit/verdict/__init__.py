"""The verdict: required tests, controls, and what follows from them."""

from auditkit.verdict.decide import audit_arms, look_at, with_diverged
from auditkit.verdict.single_model import audit_endpoint

__all__ = ["audit_arms", "audit_endpoint", "look_at", "with_diverged"]
