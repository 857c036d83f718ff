"""The Gaussian canary on digits: what it reads in every arm, and that its null holds.

    OMP_NUM_THREADS=1 python -m research.gaussian_canary.digits --canaries 4

Prints the canary of several seeds in forget and in control records, and the false alarms of its
test on models that never saw it.
"""

import argparse
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy import stats

from auditkit.data import Dataset, ForgetRequest, Sets, draw_sets, load, nearest_distances
from auditkit.models.architectures import answer
from auditkit.statistics.margins import Floats, Ints
from auditkit.statistics.roc import clopper_pearson
from benchmarks.attacks.unlearning import Models, given, trained, unlearned
from research.gaussian_canary.input_gradients import input_gradients
from research.gaussian_canary.noise import plant
from research.gaussian_canary.statistic import PoisonTest, canary_scores, poison_test, unit

DRAWS = 2000
"""Fresh canaries that models which saw none of them are tested with."""


def canary(data: Dataset, sets: Sets, seed: int, clean: Mapping[str, Models]) -> None:
    """One canary in forget and control records: every arm, one run alone and all together."""
    retain, forget, control, test = sets.retain, sets.forget, sets.control, sets.test
    planted = plant(data, np.concatenate([forget, control]), seed=seed)
    originals = trained(planted.data, np.concatenate([retain, forget]), "original")
    arms = {"original": originals, "FNN": unlearned(planted.data, originals, retain, forget), **clean}
    parts = {"forget": slice(0, len(forget)), "control": slice(len(forget), None)}
    directions = {arm: directions_of(data, planted.records, models) for arm, models in arms.items()}
    reference = directions["retrained"].mean(axis=0)
    right = ", ".join(f"{arm} {accuracy(data, test, models):.3f}" for arm, models in arms.items())
    print(f"\ncanary {seed}: SD {planted.scale:.3f}, test accuracy of {right}")
    for arm, runs in directions.items():
        for name, part in parts.items():

            def tested(direction: Floats, part: slice = part) -> PoisonTest:
                return poison_test(canary_scores(direction[part], planted.noise[part], planted.scale))

            alone, together = tested(runs[0]), tested(runs.mean(axis=0))
            line = f"  {arm:<10} {name:<8} run 0 {told(alone)}   all runs {told(together)}"
            if arm != "retrained":
                line += f"   against retrained {told(tested(runs.mean(axis=0) - reference))}"
            print(line)


def directions_of(data: Dataset, records: Ints, models: Models) -> Floats:
    """(runs, records, features): the unit gradients at the clean inputs."""
    return np.stack([unit(input_gradients(model, *given(data, records))) for model in models])


def told(test: PoisonTest) -> str:
    """A test in a line."""
    return f"mean {test.mean:+.3f} z {test.statistic:+.2f} p {test.p:.1e}"


def accuracy(data: Dataset, test: Ints, models: Models) -> float:
    """The mean accuracy of an arm on these records."""
    x, y = given(data, test)
    return float(np.mean([(answer(model, x).argmax(axis=1) == y.numpy()).mean() for model in models]))


def null(data: Dataset, forget: Ints, clean: Mapping[str, Models]) -> None:
    """Fresh canaries that nobody was trained on: is every statistic N(0, 1), and how often is p
    below 5 %?"""
    directions = {arm: directions_of(data, forget, models) for arm, models in clean.items()}
    mean = {arm: runs.mean(axis=0) for arm, runs in directions.items()}
    asked: dict[str, npt.NDArray[np.float64]] = {
        "retrained, run 0": directions["retrained"][0],
        "retrained, all runs": mean["retrained"],
        "honest against retrained": mean["honest"] - mean["retrained"],
    }
    print(f"\nthe null: {DRAWS} fresh canaries")
    for row, (name, direction) in enumerate(asked.items()):
        rng = np.random.default_rng([0, row])
        scores = [canary_scores(direction, rng.normal(size=direction.shape), 1.0) for _ in range(DRAWS)]
        tests = [poison_test(s) for s in scores]
        alarms = int(np.sum([t.p <= 0.05 for t in tests]))
        share = clopper_pearson(alarms, DRAWS, 0.05)
        by_record = stats.kstest(np.concatenate(scores), "norm").pvalue
        overall = stats.kstest([t.statistic for t in tests], "norm").pvalue
        print(
            f"  {name:<26} KS p: records {by_record:.2f}, statistics {overall:.2f}   false alarms"
            f" {alarms}/{DRAWS} = {share.value:.3f} ({share.low:.3f} to {share.high:.3f})"
        )


def main() -> None:
    """All of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--canaries", type=int, default=4)
    canaries = parser.parse_args().canaries
    data = load("digits")
    sets = draw_sets(
        data, ForgetRequest(fraction=0.2), train=900, control=200, test=250, population=440, seed=0
    )
    clean = {arm: trained(data, sets.retain, arm) for arm in ("retrained", "honest")}
    print(f"median distance to the nearest neighbour {np.median(nearest_distances(data.x)):.3f}")
    for seed in range(canaries):
        canary(data, sets, seed, clean)
    null(data, sets.forget, clean)


if __name__ == "__main__":
    main()
