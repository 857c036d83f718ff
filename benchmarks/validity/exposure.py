"""Whether the records that an audit names as exposed are the same under other audit seeds.

    python -m benchmarks.validity.exposure --seeds 3

The forget records are fixed by their ids; under every seed the runs and all other sets are drawn
anew. Prints, for the built-in claim (FNN), fine-tuning on the retain records, a no-op and the
honest control, how many records are named, and for every two seeds how many are named by both,
beside what chance would give among the records asked about in both. At last, how often any record
is named if arms are drawn at random from all runs that were retrained without them.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from auditkit.claims.read import parse_claim
from auditkit.core.ids import COMPARED, HONEST, ORIGINAL, PLACEBO, RETRAINED, UNLEARNED, ArmKey
from auditkit.core.progress import NullReporter
from auditkit.engine.queue import WorkerConfig
from auditkit.engine.resources import Resources
from auditkit.runs.collect import train_and_query
from auditkit.runs.queries import build_queries
from auditkit.runs.session import TrainingSession
from auditkit.runs.trained_source import set_indices, signals_of
from auditkit.signals.measurements import margins_of
from auditkit.statistics.exposure import Exposure, exposure, memorised_independently, overlap
from auditkit.statistics.margins import Ints, Margins, stacked
from auditkit.study.planning import plan_for
from auditkit.study.study import prepare
from benchmarks.common import options

FNN = {"name": "fnn", "options": {"rates": "rank", "t": 50.0, "repair_epochs": 10}}
TUNED = {"name": "fine-tune", "options": {"epochs": 10}}
CASES = {
    "FNN": ("FNN", UNLEARNED),
    "fine-tuned": ("fine-tuned", UNLEARNED),
    "no-op": ("FNN", ORIGINAL),
    "honest": ("FNN", HONEST),
}
"""case -> whose runs are looked at, and the arm that takes the unlearned one's place."""

Named = tuple[Ints, Exposure]
"""The forget records asked about, and what an arm exposes of them."""


def lean_claim(**changes: Any) -> dict[str, Any]:
    """A claim that asks no more than is needed here."""
    criteria = {"attacks": ["gap"], "reported": [], "recoveries": [], "jitter": [0.3]}
    return {"criteria": criteria, "runs": {"per_arm": 20, "shadow": 0}, **changes}


def margins(seed: int, ids: Sequence[str], procedure: dict[str, Any]) -> Mapping[ArmKey, Margins]:
    """Arm -> its margins under this audit seed, forget records in the order of their ids."""
    claim, problems = parse_claim(lean_claim(seed=seed, forget={"ids": ids}, procedure=procedure))
    assert not problems, problems
    study, tell = prepare(claim, Path(), [], NullReporter()), NullReporter()
    plan, jobs = plan_for(study, Resources(jobs=1), None, tell)
    workers, asked = WorkerConfig(jobs, plan.threads, "loky", None), build_queries(study)
    answers = train_and_query(TrainingSession(study, plan, workers, "", tell), asked)
    signals = signals_of(study, asked, answers)
    forget, control = signals.positions(np.array(ids)), set_indices(study, signals).control
    return {
        arm: Margins(margins_of(signals, arm, forget), margins_of(signals, arm, control))
        for arm in (*COMPARED, PLACEBO)
    }


def named(arms: Mapping[ArmKey, Margins], arm: ArmKey) -> Named:
    """The records asked about, and what is found of them in an arm: of unlearned runs against their
    placebo.
    """
    O, R, H = arms[ORIGINAL], arms[RETRAINED], arms[HONEST]
    seen = memorised_independently(O, stacked(R, H) if arm == HONEST else H, R)
    return seen, exposure(arms[arm], R, seen, arms[PLACEBO] if arm == UNLEARNED else None)


def null_rate(arms: Mapping[ArmKey, Margins], times: int) -> tuple[float, float]:
    """How often any record is (remembered, below) if nothing is: arms of a third of the runs, drawn
    from all that were retrained without the records, are put in the places of unlearned, retrained
    and honest runs.
    """
    pool = stacked(arms[RETRAINED], arms[HONEST])
    n, rng, found = pool.runs // 3, np.random.default_rng(0), []
    for _ in range(times):
        order = rng.permutation(pool.runs)
        U, R, H = (pool.take(order[k * n : (k + 1) * n]) for k in range(3))
        x = exposure(U, R, memorised_independently(arms[ORIGINAL].take(np.arange(n)), H, R))
        found.append((x.remembered.any(), x.below.any()))
    remembered, below = np.mean(found, axis=0)
    return float(remembered), float(below)


def named_under(seed: int, ids: Sequence[str]) -> dict[str, Named]:
    """Every case under one audit seed, printed as it comes."""
    arms = {"FNN": margins(seed, ids, FNN), "fine-tuned": margins(seed, ids, TUNED)}
    by_case = {}
    for case, (procedure, arm) in CASES.items():
        seen, x = by_case[case] = named(arms[procedure], arm)
        print(
            f"seed {seed}, {case}: of {len(ids)} forget records {len(seen)} in sight, remembered"
            f" {x.remembered.sum()}, below {x.below.sum()}; of {len(x.false)} control records"
            f" {x.false.sum()}",
            flush=True,
        )
    remembered, below = null_rate(arms["FNN"], 300)
    print(f"seed {seed}, 300 draws of honest arms: any remembered {remembered:.3f}, any below {below:.3f}")
    return by_case


def agreement(first: Named, second: Named) -> str:
    """How far two audit seeds name the same records."""
    (seen, x), (also, y) = first, second
    both = np.intersect1d(seen, also)
    o = overlap(x.remembered[both], y.remembered[both])
    share = "-" if o.jaccard is None else f"{o.jaccard:.2f}"
    return (
        f"{len(both)} in sight of both, named {o.first} and {o.second}, both {o.both}"
        f" (by chance {o.by_chance:.1f}), Jaccard {share}"
    )


def main() -> None:
    """Audit under every seed, then compare."""
    seeds = range(options(__doc__, seeds=3).parse_args().seeds)
    claim, _ = parse_claim(lean_claim())
    first = prepare(claim, Path(), [], NullReporter())
    ids = [str(i) for i in first.data.ids[first.sets.forget]]
    by_seed = [named_under(seed, ids) for seed in seeds]
    for case in CASES:
        for one, other in combinations(seeds, 2):
            print(f"{case}, seeds {one} and {other}: {agreement(by_seed[one][case], by_seed[other][case])}")


if __name__ == "__main__":
    main()
