"""The attacks that only unlearning has, on digits: what they read in every arm, and that their
nulls hold.

    OMP_NUM_THREADS=1 python -m benchmarks.attacks.unlearning

The battery's own setting (MLP, 900 records, 180 of them to forget). Prints U-LiRA and the posterior
difference for a no-op, FNN and retraining, then SWAP for the same. About a minute.
"""

import time
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from torch import nn

from auditkit.attacks import loss, posterior_difference, u_lira
from auditkit.attacks.per_class import Score
from auditkit.core.ids import COMPARED, UNLEARNED, ArmKey
from auditkit.data import (
    Dataset,
    ForgetRequest,
    draw_sets,
    load,
)
from auditkit.models.architectures import answer, mlp
from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Floats, Ints
from auditkit.statistics.scores import Scores
from auditkit.statistics.swap import advantage, swap_advantage
from auditkit.training import Recipe, fit, initialise, run_seed
from auditkit.training.records import Records
from auditkit.unlearning import fnn
from benchmarks.common import options

RUNS = 8
RECIPE = Recipe(epochs=60, batch_size=32, learning_rate=0.003)

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
        for arm in COMPARED:
            found = scores_of(u_lira.score, signals, arm, F, C)
            print(
                f"  U-LiRA AUC, {arm!s:<10} {spread(found.auc())}   mean score on control"
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


def scores_of(score: Score, signals: Signals, arm: ArmKey, forget: Ints, control: Ints) -> Scores:
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
            scores_of(loss.score, signals_of(data, asked, {str(UNLEARNED): arms[name]}), UNLEARNED, *order)
            for arms, order in zip(worlds, (halves, halves[::-1]), strict=True)
        )
        found = swap_advantage(world, swapped)
        print(
            f"  {name:<8} advantage {found.mean:+.4f} ({found.low:+.4f} to {found.high:+.4f})   "
            f"one split alone {spread(advantage(world))}, the other {spread(advantage(swapped))}"
        )


def main() -> None:
    """All of it."""
    options(__doc__).parse_args()
    started = time.perf_counter()
    data = load("digits")
    sets = draw_sets(
        data, ForgetRequest(fraction=0.2), train=900, control=200, test=250, population=440, seed=0
    )
    battery(data, sets.retain, sets.forget, sets.control)
    swap(data, sets.retain, sets.forget, sets.control)
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
