"""The verdict: required tests, controls, and what follows from them."""

from auditkit.verdict.decision import (
    decide,
    decide_in_turn,
    held_up_by_visibility,
    record_look,
    with_diverged,
)
from auditkit.verdict.single_model import decide_single_model

__all__ = [
    "decide",
    "decide_in_turn",
    "decide_single_model",
    "held_up_by_visibility",
    "record_look",
    "with_diverged",
]
