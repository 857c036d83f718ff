"""The verdict: required tests, controls, and what follows from them."""

from auditkit.verdict.judge import audit_arms, with_diverged

__all__ = ["audit_arms", "with_diverged"]
