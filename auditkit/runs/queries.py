"""What every model of an audit is asked."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from auditkit.attacks import ATTACKS
from auditkit.core.ids import PROXY, RELEARNED, SHADOW, VARIANT, ArmKey, Jitter, Query
from auditkit.data import nearest_distances
from auditkit.data.jitter import domain, perturb
from auditkit.runs.specs import ProbeSpec
from auditkit.signals.interface import NOTHING, Interface
from auditkit.study.study import SETS, Study, asked_records
from auditkit.training import run_seed

DRAWS = 4
"""Jittered copies of each record at each radius; a record's margin is the mean over them."""
JITTER_SAMPLE = 500
"""Records from which the usual nearest-neighbour distance is estimated."""
MOST_OBSERVED = {"boundary distance": 200}
"""Of how many records, half of them forget records, the costly things are asked."""


@dataclass(frozen=True, eq=False)
class QueryPlan:
    """What every model is asked, besides all records of the audit as they are.

    records: those, as positions in the data set. near: jittered query -> float32 (DRAWS, near
    records, *shape), of forget then control records, which stand in `records` at `beside`. radii:
    jittered query -> its radius in the unit of the input. inspect: how else the models are looked
    at, None for not at all. interface: what is left out of their answers, the same of every model.
    """

    records: npt.NDArray[np.int64]
    beside: npt.NDArray[np.int64]
    near: Mapping[Query, npt.NDArray[np.float32]]
    radii: Mapping[Query, float]
    inspect: ProbeSpec | None
    interface: Interface = NOTHING

    def through(self, interface: Interface) -> "QueryPlan":
        """These queries, but that the answers come through this interface."""
        return replace(self, interface=interface)

    def of(self, arm: ArmKey) -> "QueryPlan":
        """What the models of an arm are asked: only those that are compared are looked into, and
        the variant, which is there for a control, only as far as tests require."""
        if arm.world == "swapped" or arm in (SHADOW, PROXY):
            return replace(self, inspect=None)
        if arm == VARIANT and self.inspect:
            required = tuple(by for by in self.inspect.recovered if by == RELEARNED.by)
            return replace(self, inspect=replace(self.inspect, recovered=required))
        return self

    def commitment(self) -> str:
        """SHA-256 over which records these are, over the inputs near them, and over what is
        withheld."""
        total = hashlib.sha256(self.records.tobytes())
        for query, inputs in self.near.items():
            total.update(str(query).encode() + b"\0" + inputs.tobytes())
        if self.inspect:
            total.update(self.inspect.commitment())
        total.update(repr(self.interface).encode())
        return total.hexdigest()


def build_queries(study: Study) -> QueryPlan:
    """What the models of this study are asked.

    A jittered input lies at the radius (Euclidean) in a random direction, as far as the domain of
    the data allows (see `auditkit.data.jitter`); a radius is a share of the median distance between
    a training record and its nearest neighbour, and is reported as the median of what it came to.
    """
    x, sets = study.data.x, study.sets
    trained = np.concatenate([sets.retain, sets.forget])
    usual = float(np.median(nearest_distances(x[trained[:: max(1, len(trained) // JITTER_SAMPLE)]])))
    candidates = np.concatenate([sets.forget, sets.control])
    beside = x[candidates]
    near: dict[Query, npt.NDArray[np.float32]] = {}
    radii: dict[Query, float] = {}
    within = domain(x)
    for share in study.claim.criteria.jitter:
        query: Query = Jitter(share)
        rng = np.random.default_rng(run_seed(study.claim.seed, str(query), 0))
        draws = (rng.standard_normal(beside.shape) for _ in range(DRAWS))
        near[query] = np.stack([perturb(beside, noise, share * usual, within) for noise in draws])
        steps = (near[query] - beside).reshape(DRAWS * len(beside), -1)
        radii[query] = float(np.median(np.linalg.norm(steps, axis=1)))
    records = asked_records(study)
    order = np.argsort(records)
    places = order[np.searchsorted(records, candidates, sorter=order)]
    return QueryPlan(records, places, near, radii, _inspect(study))


def _inspect(study: Study) -> ProbeSpec | None:
    """How the models are looked at in hand; None where neither the attacks nor the claim ask for
    it."""
    observed, recovered = _observed(study), study.claim.criteria.recoveries
    if not observed and not recovered:
        return None
    ends = np.cumsum([len(getattr(study.sets, name)) for name in SETS])
    retain, forget, control, *_ = np.split(np.arange(ends[-1]), ends[:-1])
    seed = run_seed(study.claim.seed, "inspect", 0)
    return ProbeSpec(observed, recovered, retain, forget, control, study.recipe, seed)


def _observed(study: Study) -> dict[str, npt.NDArray[np.int64]]:
    """What the claim's attacks need to be measured, and on which of forget then control records."""
    forget, control = len(study.sets.forget), len(study.sets.control)
    found = {}
    for attack in study.claim.criteria.all_attacks:
        if name := ATTACKS[attack].observes:
            most = MOST_OBSERVED.get(name, forget + control) // 2
            found[name] = np.concatenate([_spread(forget, most), forget + _spread(control, most)])
    return found


def _spread(n: int, most: int) -> npt.NDArray[np.int64]:
    """At most so many of the positions 0..n-1, evenly spread."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64))
