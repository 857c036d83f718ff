"""The attacks that only unlearning has, on digits: what they read in every arm, and that their
nulls hold.

    OMP_NUM_THREADS=1 python benchmarks/unlearning_attacks.py --canaries 4

The battery's own setting (MLP, 900 records, 180 of them to forget). Prints U-LiRA and the posterior
difference for a no-op, FNN and retraining; SWAP for the same; and the Gaussian canary of several
seeds, with the false alarms of its test on models that never saw it. Under two minutes.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from scipy import stats
from torch import nn

from auditkit.attacks import loss, posterior_difference, u_lira
from auditkit.attacks.per_class import Score
from auditkit.data import (
    Dataset,
    ForgetRequest,
    Sets,
    draw_sets,
    load,
    nearest_distances,
)
from auditkit.data.poison import plant
from auditkit.models.architectures import answer, mlp
from auditkit.signals.signals import Signals
from auditkit.statistics.arms import Scores
from auditkit.statistics.margins import Floats, Ints
from auditkit.statistics.poison import PoisonTest, canary_scores, poison_test, unit
from auditkit.statistics.proportions import clopper_pearson
from auditkit.statistics.swap import advantage, swap_advantage
from auditkit.training import Recipe, fit, initialise, run_seed
from auditkit.training.poison_gradient import input_gradients
from auditkit.training.records import Records
from auditkit.unlearning import fnn

RUNS = 8
RECIPE = Recipe(epochs=60, batch_size=32, learning_rate=0.003)
DRAWS = 2000
"""Fresh canaries that models which saw none of them are tested with."""

Models = Sequence[nn.Module]


def trained(data: Dataset, members: Ints, arm: str) -> list[nn.Module]:
    """The runs of an arm, on these records."""
    seeds = [run_seed(0, arm, k) for k in range(RUNS)]
    fresh = [initialise(partial(mlp, data.x.shape[1:], data.n_classes), seed) for seed in seeds]
    return fit(fresh, *given(data, members), RECIPE, seeds=seeds)


def unlearned(data: Dataset, originals: Models, retain: Ints, forget: Ints) -> list[nn.Module]:
    """FNN, with the settings of the built-in claim."""
    seeds = [run_seed(0, "unlearned", k) for k in range(RUNS)]
    parts = Records(*given(data, retain)), Records(*given(data, forget))
    return fnn.unlearn(originals, *parts, seeds=seeds, recipe=RECIPE)


def given(data: Dataset, members: Ints) -> tuple[torch.Tensor, torch.Tensor]:
    """Some records as tensors."""
    return torch.from_numpy(data.x[members]), torch.from_numpy(data.y[members])


def signals_of(data: Dataset, asked: Ints, arms: Mapping[str, Models]) -> Signals:
    """The answers of all runs on these records."""
    x, y = given(data, asked)
    logits = np.stack([answer(model, x) for models in arms.values() for model in models])
    member = np.zeros(logits.shape[:2], dtype=bool)
    return Signals(logits, member, y.numpy(), data.ids[asked], np.repeat(list(arms), RUNS), 0)


def spread(values: Floats) -> str:
    """Mean and SD over runs."""
    return f"{values.mean():.3f} ± {values.std(ddof=1):.3f}"


def battery(data: Dataset, retain: Ints, forget: Ints, control: Ints) -> None:
    """U-LiRA and the posterior difference, against a claim of each kind."""
    arms = {
        "original": trained(data, np.concatenate([retain, forget]), "original"),
        "retrained": trained(data, retain, "retrained"),
        "honest": trained(data, retain, "honest"),
    }
    others = trained(data, retain, "another")
    asked = np.concatenate([retain, forget, control])
    F = np.arange(len(retain), len(retain) + len(forget))
    C = np.arange(F[-1] + 1, len(asked))
    claims = {
        "no-op": arms["original"],
        "FNN": unlearned(data, arms["original"], retain, forget),
        "retrain": others,
    }
    for name, models in claims.items():
        signals = signals_of(data, asked, {**arms, "unlearned": models})
        print(f"\n{name} as the claim")
        for arm in ("original", "unlearned", "retrained", "honest"):
            found = scores_of(u_lira.score, signals, arm, F, C)
            print(
                f"  U-LiRA AUC, {arm:<10} {spread(found.auc())}   mean score on control"
                f" {found.control.mean():+.2f}"
            )
        for title, compare in (
            ("margin drop", posterior_difference.margin_drop),
            ("distance", posterior_difference.posterior_distance),
        ):
            pair = posterior_difference.before_after(signals, F, C, compare)
            print(
                f"  posterior difference AUC, {title:<12} unlearned {spread(pair.unlearned)}   "
                f"retrained {spread(pair.retrained)}"
            )


def scores_of(score: Score, signals: Signals, arm: str, forget: Ints, control: Ints) -> Scores:
    """An attack on all runs of an arm."""
    found = np.stack([score(signals, int(run)) for run in signals.runs_of(arm)])
    return Scores(found[:, forget], found[:, control])


def swap(data: Dataset, retain: Ints, forget: Ints, control: Ints) -> None:
    """SWAP with the loss attack: the control records are cut down to as many as are forgotten."""
    sets = forget, control[: len(forget)]
    asked = np.concatenate(sets)
    halves = np.arange(len(forget)), np.arange(len(forget), len(asked))
    same = trained(data, retain, "retrained")
    worlds: list[dict[str, Models]] = []
    for one in sets:
        originals = trained(data, np.concatenate([retain, one]), "original")
        worlds.append({"no-op": originals, "FNN": unlearned(data, originals, retain, one), "retrain": same})
    print("\nSWAP, loss attack")
    for name in worlds[0]:
        world, swapped = (
            scores_of(loss.score, signals_of(data, asked, {name: arms[name]}), name, *order)
            for arms, order in zip(worlds, (halves, halves[::-1]), strict=True)
        )
        found = swap_advantage(world, swapped)
        print(
            f"  {name:<8} advantage {found.mean:+.4f} ({found.low:+.4f} to {found.high:+.4f})   "
            f"one split alone {spread(advantage(world))}, the other {spread(advantage(swapped))}"
        )


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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--canaries", type=int, default=4)
    canaries = parser.parse_args().canaries
    started = time.perf_counter()
    data = load("digits")
    sets = draw_sets(
        data, ForgetRequest(fraction=0.2), train=900, control=200, test=250, population=440, seed=0
    )
    parts = sets.retain, sets.forget, sets.control
    battery(data, *parts)
    swap(data, *parts)
    clean = {arm: trained(data, sets.retain, arm) for arm in ("retrained", "honest")}
    print(f"\nmedian distance to the nearest neighbour {np.median(nearest_distances(data.x)):.3f}")
    for seed in range(canaries):
        canary(data, sets, seed, clean)
    null(data, sets.forget, clean)
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
