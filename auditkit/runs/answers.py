"""The answers of a stack of runs by name, as a task returns them and the store keeps them.

weights/<name>     (runs, ...): of a stack that was trained
logits/            float32 (runs, records, classes)
logits/<query>     float32 (runs, near records, classes), the mean over the draws
near/<query>       float64 (runs, near records): margins, the mean over the draws
drawn/<query>      float32 (runs, near records, classes): of unlearned models the first draw, which
                   shows what they withhold near the records
observed/<name>    float64 (runs, near records), NaN where a run was not asked
"""

from collections.abc import Mapping
from typing import Literal, cast

import torch

from auditkit.core.ids import Query

Tensors = dict[str, torch.Tensor]
Kind = Literal["weights", "logits", "near", "drawn", "observed"]


def written(kind: Kind, of: Query | str = "") -> str:
    """The name of an answer."""
    return f"{kind}/{of}"


def parsed(name: str) -> tuple[Kind, str]:
    """What kind of answer a name is of, and of what."""
    kind, _, of = name.partition("/")
    return cast(Kind, kind), of


def of_kind(kind: Kind, answers: Mapping[str, torch.Tensor]) -> Tensors:
    """The answers of one kind, by what they are of."""
    return {of: t for name, t in answers.items() for k, of in [parsed(name)] if k == kind}
