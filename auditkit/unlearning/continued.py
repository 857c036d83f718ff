"""What the procedures that go on from the trained weights have in common: for how long, and at
which rate."""

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from auditkit.training import Recipe

Epochs = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def further(recipe: Recipe, epochs: int, learning_rate: float | None = None) -> Recipe:
    """The recipe for so many more epochs, at a learning rate of their own if one is given. A
    schedule starts again with the first of them."""
    rate = recipe.learning_rate if learning_rate is None else learning_rate
    return replace(recipe, epochs=epochs, learning_rate=rate)
