"""How the parts of the evidence find each other: by name, never by value and never by place."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest

from auditkit.reports.format import Record, exact, in_order
from auditkit.reports.labels import NEAR, QUERIES

MEMORY_TEST = "residual memory, exact"
"""Name of the required test whose number is the headline, `residual_memory.exact`."""
NOOP = "no-op"
"""Name of the control that judges the original runs as if they were the unlearned ones."""
QUOTED_FPRS = ("0.001", "0.01", "0.1")
"""False-positive rates of a table, as a report writes them: equal to the reader is equal here."""


def named(records: Iterable[Record], name: str, field: str = "name") -> Record:
    """The one of these records that has this name.

    Args:
        records: as arms, controls and findings are.
        name: which.
        field: where a record has its name.

    Raises:
        KeyError: where none has it, or more than one: a report with a hole is worse than none.
    """
    matching = [record for record in records if record[field] == name]
    if len(matching) != 1:
        raise KeyError(f"evidence must have one record whose {field} is {name!r}, found {len(matching)}")
    return matching[0]


def result(finding: Record) -> str:
    """The key of a finding's result: that of a test that ran, or "skipped"."""
    return str(finding["result"]) if finding["kind"] == "ran" else "skipped"


def memory_test(findings: Iterable[Record]) -> list[Record]:
    """The required test of the headline number, where it ran; else none."""
    return [finding for finding in findings if finding["name"] == MEMORY_TEST and finding["kind"] == "ran"]


def memory_by_arm(evidence: Record) -> dict[str, Record]:
    """arm -> the `Number` of its residual memory, for the arms that have one."""
    memory = evidence["residual_memory"]
    numbers = {"unlearned": memory["exact"], "honest": memory["honest"]}
    for control in evidence["controls"]:
        if control["name"] == NOOP and control["rho"] is not None:
            numbers["original"] = control["rho"]
    return numbers


def by_query(memory: Record) -> list[tuple[str, Record]]:
    """Residual memory on exact and on jittered queries, and that of the honest control, with their
    names."""
    near = [(f"{NEAR} {exact(share)}", number) for share, number in memory["jittered"]]
    return [(QUERIES["exact"], memory["exact"]), *near, (QUERIES["honest"], memory["honest"])]


def by_family(attacks: Sequence[Record], families: Mapping[str, str]) -> list[tuple[str, str, list[Record]]]:
    """The attacks of each family that has some, in the order of `families` (family -> what it goes
    by): (family, what it goes by, its attacks). A family that is not in it follows, without such
    words: no attack may be missing in silence."""
    members: dict[str, list[Record]] = {family: [] for family in families}
    for attack in attacks:
        members.setdefault(attack["family"], []).append(attack)
    return [(family, families.get(family, ""), own) for family, own in members.items() if own]


def rows(per_run: Mapping[str, list[float]]) -> list[tuple[float | None, ...]]:
    """Values by arm turned into rows by run, arms in order; None where an arm has fewer runs."""
    return list(zip_longest(*(per_run[arm] for arm in in_order(per_run))))


def quoted(points: Sequence[Record]) -> list[Record]:
    """The points a table lists: the lowest quotable false-positive rate, and QUOTED_FPRS."""
    return [point for k, point in enumerate(points) if k == 0 or exact(point["fpr"]) in QUOTED_FPRS]


def arm_numbers(attacks: Iterable[Record], what: str, arms: Sequence[str]) -> list[Record]:
    """The numbers of every attack in these arms under one heading."""
    return [attack[what][arm] for attack in attacks for arm in arms]


def point_numbers(attacks: Iterable[Record], arms: Sequence[str]) -> list[Record]:
    """The numbers of every operating point of every attack that a table lists."""
    points = [point for attack in attacks for point in quoted(attack["points"])]
    return [point["arms"][arm] for point in points for arm in arms] + [point["gap"] for point in points]


def numbered(table: Record) -> dict[str, int]:
    """name -> number of each procedure in a table of a reproduction, by which figures point to it;
    arms that are no claim have none."""
    claims = [row["name"] for row in table["rows"] if row["decided"]]
    return {name: number for number, name in enumerate(claims, 1)}


def queries(table: Record) -> list[str]:
    """How the forget records were asked about in a table of a reproduction, each once."""
    return list(dict.fromkeys(q for row in table["rows"] if row["decided"] for q in row["decided"]["memory"]))


def kinds_of_test(cases: Iterable[Record]) -> list[str]:
    """The kinds of test that a calibration counts, each once, in the order of the evidence."""
    return list(dict.fromkeys(times["test"] for case in cases for times in case["caught_by"]))
