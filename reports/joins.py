"""How the parts of the evidence find each other: by name, never by value and never by place."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest

from auditkit.reports.format import Record, exact, in_order
from auditkit.reports.labels import HONEST_ROW, QUERIES, WRONG_LABELS

MEMORY_TEST = "residual memory"
"""What the names of the tests of residual memory begin with; the query follows."""
HEADLINE = f"{MEMORY_TEST}, exact"
"""The required test whose number is the headline."""
STRESS = ", in the stress world"
"""What the names of the tests on models that learnt wrong labels end with."""
VISIBLE_TEST = "visible records"
"""The test that counts records, and has no p-values to speak of."""
GAP_TEST = "attack gap"
"""What the names of the tests of attacks begin with; the attack follows."""
NOOP, HONEST = "no-op", "honest retrain"
"""The controls that judge the original runs, and further retrained ones, as if they were the
unlearned ones."""
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


def headline_test(evidence: Record) -> list[Record]:
    """The required test of the headline number, where it ran; else none."""
    finding = named(evidence["findings"], HEADLINE, "test")
    return [finding] if finding["kind"] == "ran" else []


def test_number(evidence: Record, test: str) -> Record:
    """The `Number` that the finding of a test carries. KeyError where there is no such test."""
    number: Record = named(evidence["findings"], test, "test")["number"]
    return number


def gap(attack: Record, evidence: Record) -> Record:
    """The `Number` of an attack's gap: its own, or that of its required test."""
    return attack["gap"] or test_number(evidence, f"{GAP_TEST}, {attack['name']}")


def gaps(evidence: Record) -> list[Record]:
    """The `Number` of every attack's gap, in the order of the attacks."""
    return [gap(attack, evidence) for attack in evidence["attacks"]]


def recovered_number(recovered: Record, evidence: Record) -> Record:
    """The `Number` of what changed models remember: its own, or that of its required test."""
    return recovered["rho"] or test_number(evidence, f"{MEMORY_TEST}, {recovered['by']}")


def control_number(evidence: Record, control: str) -> Record | None:
    """The `Number` of a control's residual memory; None where it was not measured."""
    number: Record | None = named(evidence["controls"], control)["rho"]
    return number


def planned_looks(evidence: Record) -> list[int]:
    """The runs an arm of every look before the last; none where one look was planned, as for a
    claim that trains nothing."""
    planned: list[int] = evidence["claim"].get("runs", {}).get("looks", [])
    return planned


def memory_by_arm(evidence: Record) -> dict[str, Record]:
    """arm -> the `Number` of its residual memory, for the arms that have one."""
    numbers = {
        "unlearned": test_number(evidence, HEADLINE),
        "honest": control_number(evidence, HONEST),
        "original": control_number(evidence, NOOP),
    }
    return {arm: number for arm, number in numbers.items() if number is not None}


def compared_with(evidence: Record) -> str:
    """The arm that unlearned runs are compared with: their placebo where there is one."""
    arms = [arm["arm"] for arm in evidence["arms"]]
    return "placebo" if "placebo" in arms else "retrained"


def by_arm(arms: Iterable[Record]) -> list[Record]:
    """The summaries of arms in the order of the arms."""
    found = {arm["arm"]: arm for arm in arms}
    return [found[name] for name in in_order(found)]


def query_name(query: str) -> str:
    """How the models were queried, in words."""
    kind, _, radius = query.partition(" ")
    return f"{QUERIES[kind]} {radius}".rstrip()


def test_name(test: str) -> str:
    """A test's name as the report writes it: "Residual memory, exact, wrong labels"."""
    plain = test.removesuffix(STRESS)
    name = plain if plain == test else f"{plain}, {WRONG_LABELS}"
    return name[:1].upper() + name[1:]


def _memory_tests(evidence: Record, *, stress: bool) -> list[tuple[str, Record]]:
    """The query and the `Number` of the tests of residual memory in one world, where measured."""
    found = []
    for finding in evidence["findings"]:
        plain = finding["test"].removesuffix(STRESS)
        here = stress == (plain != finding["test"])
        if here and plain.startswith(f"{MEMORY_TEST}, ") and finding["number"]:
            found.append((plain.removeprefix(f"{MEMORY_TEST}, "), finding["number"]))
    return found


def by_query(evidence: Record) -> list[tuple[str, Record]]:
    """Residual memory on exact and on jittered queries, and that of the honest control, with their
    names."""
    test_number(evidence, HEADLINE)
    tests = _memory_tests(evidence, stress=False)
    rows = [(query_name(q), n) for q, n in tests if q.startswith(("exact", "jitter"))]
    honest = control_number(evidence, HONEST)
    return [*rows, *([(HONEST_ROW, honest)] if honest else [])]


def under_stress(evidence: Record) -> list[tuple[str, Record]]:
    """Residual memory in the stress world, with the names of the queries; empty where it was not
    gone into."""
    return [(query_name(q), number) for q, number in _memory_tests(evidence, stress=True)]


def drift_rows(evidence: Record) -> list[tuple[str, Record | None, Record]]:
    """For every query: its name, the `Number` of the test of memory by itself, where measured, and
    the line of drift."""
    memory = dict(_memory_tests(evidence, stress=False))
    lines = evidence["drift"]["against_retrained"]
    return [(query_name(line["query"]), memory.get(line["query"]), line) for line in lines]


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
