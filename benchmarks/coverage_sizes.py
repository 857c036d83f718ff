"""How often required tests are wrong where the truth is on their margin or the claim is honest, for `benchmarks.coverage`."""
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    test: str
    setting: str
    n: int
    wrong: str
    nominal: float
    found: float
    error: float

    @property
    def above(self) -> bool:
        return self.found - 3 * self.error > self.nominal


SIZES: tuple[tuple[str, Callable[[int], list[Size]]], ...] = ()
