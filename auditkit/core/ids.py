"""Identities: which arm, how its records were asked, and which test.

The code passes these values; their written form, `str`, stands in files and reports alone. Seeds
and stored results depend on the written form, so that it never changes.
"""

from collections.abc import Container
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, assert_never, cast, get_args

ArmKind = Literal["original", "unlearned", "retrained", "honest", "placebo", "variant", "shadow", "proxy"]
"""original: trained on retain + forget. unlearned: made from an original. retrained: from scratch
on retain only; honest: the same once more, for the control. placebo: made from honest runs by the
procedure that makes the unlearned ones, with stand-ins for the forget records. variant: retrained
on retain only by another recipe of the auditor's. shadow: the attacker's own. proxy: the claimant's
own, retrained without the forget records."""
World = Literal["plain", "stress", "swapped"]
"""stress: the forget records carry wrong labels, drawn at random, so that original runs must learn
them by heart and memory shows of nearly every one. swapped: control records stand in for the forget
records, which are never seen (SWAP, Tu et al. 2025)."""
STRESS: World = "stress"


@dataclass(frozen=True)
class ArmKey:
    """Which arm. state: of unlearned models that the claim is not about: another state of the
    procedure, or a case of a gallery."""

    kind: ArmKind
    state: str | None = None
    world: World = "plain"

    def __str__(self) -> str:
        name = self.kind if self.state is None else f"{self.kind}, {self.state}"
        return name if self.world == "plain" else f"{self.world} {name}"

    @property
    def trained(self) -> bool:
        """Whether its runs are trained from scratch, and not made from others."""
        return self.kind not in ("unlearned", "placebo")

    @property
    def parent(self) -> "ArmKey":
        """The arm that its runs were trained in: an unlearned run was trained as its original."""
        match self.kind:
            case "unlearned":
                return ArmKey("original", world=self.world)
            case "placebo":
                return ArmKey("honest")
            case _:
                return self

    def within(self, world: World) -> "ArmKey":
        """The arm in another world."""
        return replace(self, world=world)


ORIGINAL, UNLEARNED = ArmKey("original"), ArmKey("unlearned")
RETRAINED, HONEST = ArmKey("retrained"), ArmKey("honest")
PLACEBO, VARIANT = ArmKey("placebo"), ArmKey("variant")
SHADOW, PROXY = ArmKey("shadow"), ArmKey("proxy")
SWAPPED_ORIGINAL = ArmKey("original", world="swapped")
SWAPPED_UNLEARNED = ArmKey("unlearned", world="swapped")
COMPARED = (ORIGINAL, UNLEARNED, RETRAINED, HONEST)
"""The arms that every audit compares; shadow runs only teach the attacker."""
BESIDE = (PLACEBO, VARIANT)
"""Further arms that are compared where there are any."""


def unlearned(state: str | None) -> ArmKey:
    """The unlearned models in a state, or made as in a case of a gallery; None: as claimed."""
    return ArmKey("unlearned", state)


def placebo(case: str) -> ArmKey:
    """The placebo of a case of a gallery."""
    return ArmKey("placebo", case)


def reference_in(arms: Container[ArmKey]) -> ArmKey:
    """What unlearned runs are compared with: their placebo where there is one."""
    return PLACEBO if PLACEBO in arms else RETRAINED


@dataclass(frozen=True)
class Exact:
    """The records as they are."""

    def __str__(self) -> str:
        return "exact"


@dataclass(frozen=True)
class Jitter:
    """Inputs near the records. radius: as a share of the usual nearest-neighbour distance, to six
    digits, as it is written: radii that are written alike are one query."""

    radius: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "radius", float(f"{self.radius:g}"))

    def __str__(self) -> str:
        return f"jitter {self.radius:g}"


Recovery = Literal["relearned", "probe", "rescaled"]
"""How models are changed by whoever holds their weights, to show what these still hold: names in
`auditkit.probes.RECOVERIES`."""


@dataclass(frozen=True)
class Recovered:
    """The records as they are, asked of models that were changed. by: how."""

    by: Recovery

    def __str__(self) -> str:
        return self.by


Query = Exact | Jitter | Recovered
"""How every record is asked about."""
EXACT, RELEARNED = Exact(), Recovered("relearned")


def parse_query(written: str) -> Query:
    """The query from its written form.

    Raises:
        ValueError: where it is none.
    """
    if written == str(EXACT):
        return EXACT
    if written in get_args(Recovery):
        return Recovered(cast(Recovery, written))
    kind, _, radius = written.partition(" ")
    if kind != "jitter":
        raise ValueError(f"a query must be exact, jitter <radius> or a recovery, found {written!r}")
    return Jitter(float(radius))


TestKind = Literal[
    "residual memory",
    "spared records",
    "visible records",
    "attack gap",
    "test accuracy",
    "differential privacy",
]


@dataclass(frozen=True)
class TestId:
    """Which test. of: the query of a test of residual memory, the attack of an attack gap, None for
    a test of which there is one. world: of the runs that it is made on."""

    __test__: ClassVar[bool] = False  # pytest would take the class for a test

    kind: TestKind
    of: Query | str | None = None
    world: World = "plain"

    @property
    def query(self) -> Query:
        """How records are asked about, of a test of residual memory."""
        assert isinstance(self.of, Exact | Jitter | Recovered)
        return self.of

    def __str__(self) -> str:
        name = self.kind if self.of is None else f"{self.kind}, {self.of}"
        return name if self.world == "plain" else f"{name}, in the {self.world} world"


SPARED_RECORDS, TEST_ACCURACY = TestId("spared records"), TestId("test accuracy")
SPARED_IN_STRESS = TestId("spared records", world=STRESS)
VISIBLE_RECORDS = TestId("visible records")
DIFFERENTIAL_PRIVACY = TestId("differential privacy")


def residual_memory(query: Query, world: World = "plain") -> TestId:
    """The test of what memory is left when records are asked about in this way."""
    return TestId("residual memory", query, world)


def attack_gap(attack: str) -> TestId:
    """The test of what an attack does, by its name in `auditkit.attacks.ATTACKS`."""
    return TestId("attack gap", attack)


def question_part(query: Query) -> str:
    """How a query asks, as part of a question about records."""
    match query:
        case Exact():
            return ""
        case Jitter():
            return f", asked near them ({query}),"
        case Recovered(by="relearned"):
            return ", one half learnt again and the other asked about,"
        case Recovered():
            return f", asked of models that were changed ({query}),"
        case _:
            assert_never(query)
