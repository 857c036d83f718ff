"""What the tables say, in sentences."""

from collections.abc import Sequence

from auditkit.evidence.schema import Number, Outcome
from auditkit.reproduction.values import Row, Table

VERDICTS: dict[Outcome, str] = {
    "supported": "Supported",
    "inconclusive": "Left open",
    "not_supported": "Refuted",
}


def sentences(table: Table) -> tuple[str, ...]:
    """What a table says of the paper's attack, of the gate, and of every procedure; only what its
    rows tell."""
    rows = {row.name: row for row in table.rows}
    found = [_attack(table.data, rows["original"], rows["retrained"], rows.get("VFR rank"))]
    for variant in ("FFR", "VFR rank"):
        states = [
            (said, rows[name])
            for said, name in (
                ("gate on, as published", variant),
                ("off again", f"{variant}, gate off"),
                ("folded into the weights and repaired", f"{variant}, folded and repaired"),
            )
            if name in rows
        ]
        if len(states) > 1:
            told = "; ".join(f"{said}: {_rho(row)}" for said, row in states)
            found.append(f"{table.data}, {variant}, residual memory with the {told}.")
    found += [line for outcome in VERDICTS if (line := _with(table, outcome))]
    return tuple(found)


def _attack(data: str, original: Row, retrained: Row, faded: Row | None) -> str:
    after = f", and {_plain(faded.attack)} after VFR rank" if faded else ""
    return (
        f"{data}: the paper's attack, chance being 0.5, scores {_plain(original.attack)} on models that"
        f" forgot nothing, {_plain(retrained.attack)} on models that never saw the records{after}."
    )


def _with(table: Table, outcome: Outcome) -> str:
    own: Sequence[Row] = [row for row in table.rows if row.decided and row.decided.outcome == outcome]
    if not own:
        return ""
    told = ", ".join(f"{row.name} ({_rho(row)})" for row in own)
    margin = table.claim["criteria"]["residual_memory"]
    return f"{table.data}, {table.name}, margin ±{margin:g} on ρ. {VERDICTS[outcome]}: {told}."


def _rho(row: Row) -> str:
    assert row.decided is not None
    return f"ρ {_plain(row.decided.memory['exact'])}"


def _plain(number: Number) -> str:
    if number.value is None:
        return "not defined"
    return f"{number.value:.3f}".replace("-", "−")
