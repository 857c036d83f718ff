"""What is said of a table, and drawn of it."""

from dataclasses import replace

from auditkit.core.canonical import to_plain
from auditkit.evidence.schema import Number, Outcome
from auditkit.reports.procedures_figure import procedures
from auditkit.reproduction.sentences import sentences
from auditkit.reproduction.values import Decided, Row, Table


def number(value: float | None) -> Number:
    """A number with an interval."""
    return Number(value, value, value, 0.9, 20, 100, "made up", "nowhere")


def row(name: str, outcome: Outcome, rho: float | None, cost: float = 0.1, attack: float = 0.5) -> Row:
    """A row of a procedure."""
    decided = Decided(outcome, "", {"exact": number(rho)}, (), ())
    accuracies = number(0.9), number(0.8), number(0.7)
    return Row(name, name, {}, 20, *accuracies, number(attack), cost, cost, decided)


def table() -> Table:
    """A table with every verdict."""
    original = replace(row("original", "supported", None, 1, 0.61), decided=None)
    return Table(
        "procedures",
        "mnist",
        {"criteria": {"residual_memory": 0.2}},
        "logistic regression",
        1.0,
        (),
        (
            original,
            replace(original, name="retrained", attack=number(0.5)),
            row("no-op", "not_supported", 1.0, 0),
            row("FFR", "not_supported", 0.93, 0.9),
            row("FFR, gate off", "not_supported", 0.97, 0.9),
            row("VFR rank", "inconclusive", None, 0.9, 0.6),
            row("FNN-erase", "supported", -0.02, 0.27),
        ),
    )


def test_what_is_said() -> None:
    """The paper's attack before and after, the states of the gate, and every procedure under its
    verdict."""
    assert sentences(table()) == (
        (
            "mnist: the paper's attack, chance being 0.5, scores 0.610 on models that forgot nothing, 0.500"
            " on models that never saw the records, and 0.600 after VFR rank."
        ),
        "mnist, FFR, residual memory with the gate on, as published: ρ 0.930; off again: ρ 0.970.",
        "mnist, procedures, margin ±0.2 on ρ. Supported: FNN-erase (ρ −0.020).",
        "mnist, procedures, margin ±0.2 on ρ. Left open: VFR rank (ρ not defined).",
        (
            "mnist, procedures, margin ±0.2 on ρ. Refuted: no-op (ρ 1.000), FFR (ρ 0.930), FFR, gate off (ρ"
            " 0.970)."
        ),
    )


def test_what_the_figure_tells_those_who_do_not_see_it() -> None:
    """Its title has the numbers of every procedure, numbered as in the table."""
    drawn = procedures([to_plain(table())])
    assert (
        "Cost as a share of retraining, residual memory and test accuracy of every procedure. mnist: 1 no-op"
        " costs 0, rho 1.000, accuracy 0.700, 2 FFR costs 0.9, rho 0.930, accuracy 0.700, 3 FFR, gate off"
        " costs 0.9, rho 0.970, accuracy 0.700, 4 VFR rank costs 0.9, rho not defined, accuracy 0.700, 5"
        " FNN-erase costs 0.27, rho −0.020, accuracy 0.700." in drawn
    )
