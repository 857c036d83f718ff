"""A case of the gallery: a claim whose answer is known."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from auditkit.claims.claim import ProcedureClaim
from auditkit.runs.stacks import UnlearnedArm

Procedure = Callable[..., list[nn.Module]]


@dataclass(frozen=True)
class GalleryCase:
    """One case. function: the procedure that makes it from original models, called as those of
    `unlearning` are; options: its keywords. meaning: what was done. fools: who would believe it,
    nothing for an honest variant."""

    function: Procedure
    options: Mapping[str, Any] = field(default_factory=dict)
    meaning: str = ""
    fools: str = ""

    @property
    def claimed(self) -> UnlearnedArm:
        """How the engine makes it."""
        name = f"{self.function.__module__}:{self.function.__name__}"
        proxies = "proxies" in inspect.signature(self.function).parameters
        return UnlearnedArm(ProcedureClaim(name=name, options=dict(self.options)), proxies)
