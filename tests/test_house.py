from pathlib import Path

from tests import house

ROOT = Path(__file__).resolve().parent.parent
FLOORS = [
    {"core", "statistics", "reports"},
    {"claims", "data", "models", "signals"},
    {"attacks", "training"},
    {"engine", "unlearning", "probes", "dp", "evidence"},
    {"study", "verdict"},
    {"runs", "predictions"},
    {"pipeline", "calibration", "reproduction"},
    {"cli", "__init__"},
    {"__main__"},
]
"""The rooms of auditkit/, from the lowest floor up; CONTRIBUTING.md says what each is for."""


def test_rooms_import_only_from_lower_floors() -> None:
    """Every room has a floor, and imports nothing from its own floor or above."""
    floor = {room: level for level, rooms in enumerate(FLOORS, 1) for room in rooms}
    graph = house.arrows(ROOT)
    assert set(graph) == set(floor)
    wrong = {(a, b) for a, others in graph.items() for b in others if floor[b] >= floor[a]}
    assert wrong == set()


def test_functions_take_few_arguments() -> None:
    """No function takes more than six positional arguments: what travels together is one value."""
    assert house.many_arguments(ROOT, (*house.PACKAGE, "benchmarks")) == []


def test_files_fit_in_the_head() -> None:
    """No file has more than 250 lines."""
    assert house.long_files(ROOT, (*house.PACKAGE, "benchmarks")) == []
