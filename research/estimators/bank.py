"""A bank of answers for `research/estimators/compare.py`: runs trained once, of which only margins are
kept.

One set of originals, trained on all of `train`, serves every forget set of a data set; only the
retrained runs are a forget set's own. Records, architecture and recipe are those of
`auditkit/claims/digits-fnn.toml` and `examples/{mnist,fashion-mnist}-fnn.toml`, with fewer records of the
attacker's.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from auditkit.data import Dataset, load, nearest_distances
from auditkit.data.stratified import draw_by_class, largest_remainder, without
from auditkit.models.architectures import answer, mlp
from auditkit.statistics.margins import Floats, Ints, Margins, hinge
from auditkit.training import Recipe, fit, initialise, run_seed

ORIGINALS, RETRAINED, DRIFTED, HALVES = 32, 56, 16, 8
"""Runs of each kind, RETRAINED for each forget set; HALVES only tell easy records from hard
ones."""
WIDTH = 8
"""Runs trained as one stack."""
FRACTIONS = (0.005, 0.01, 0.05, 0.1, 0.2)
LABEL = 3
"""The class that is forgotten whole."""
RADII, DRAWS = (0.1, 0.3, 1.0), 4
QUERIES = ("exact", "phi", *(f"jitter {radius:g}" for radius in RADII))
USUAL = "random 10 %"
"""The forget set that is also retrained, as honestly, by the recipes of OTHERS."""
OTHERS: dict[str, Callable[[Recipe], Recipe]] = {
    "half the epochs": lambda recipe: replace(recipe, epochs=recipe.epochs // 2),
    "twice the rate": lambda recipe: replace(recipe, learning_rate=2 * recipe.learning_rate),
    "weight decay": lambda recipe: replace(recipe, weight_decay=1e-3),
    "SGD": lambda recipe: replace(recipe, optimiser="sgd", learning_rate=0.03),
}
FEWER = "half the records"
"""Retrained on half of retain: an honest model that is worse at everything."""
ARMS = ("original", "retrained", *OTHERS, FEWER)

Kept = dict[str, npt.NDArray[np.generic]]


@dataclass(frozen=True)
class Plan:
    """Records. train: as in the claim; control: of a forget set; pool: untrained ones that controls
    are drawn from; outside: all untrained ones that are asked about, the pool among them."""

    train: int
    control: int
    pool: int
    outside: int
    recipe: Recipe


SMALL = Recipe(epochs=60, batch_size=32, learning_rate=0.003)
LARGE = Recipe(epochs=30, batch_size=64, learning_rate=0.001)
PLANS = {
    "digits": Plan(900, 200, 500, 897, SMALL),
    "mnist": Plan(2000, 400, 1200, 2800, LARGE),
    "fashion-mnist": Plan(2000, 400, 1200, 2800, LARGE),
}


@dataclass(frozen=True, eq=False)
class Setting:
    """One forget set of one data set. arms: arm (of ARMS, those that were trained) -> query ->
    margins; query "wide" is "exact" with all untrained records of classes in retain for control,
    "copies" the mean of exact and jittered margins."""

    data: str
    forget: str
    arms: dict[str, dict[str, Margins]]

    @property
    def name(self) -> str:
        """Both in words."""
        return f"{self.data}, {self.forget}"


class Asker:
    """What every model is asked: all records as they are, and copies of train and pool near
    them."""

    def __init__(
        self, data: Dataset, train: Ints, outside: Ints, pool: int, rng: np.random.Generator
    ) -> None:
        self.asked = np.concatenate([train, outside])
        self.near = len(train) + pool
        self.x, self.y = torch.from_numpy(data.x[self.asked]), data.y[self.asked]
        inputs = data.x[self.asked[: self.near]]
        usual = float(np.median(nearest_distances(data.x[train[:: max(1, len(train) // 500)]])))
        self.copies = {}
        for radius in RADII:
            noise = rng.standard_normal((DRAWS, *inputs.shape), dtype=np.float32)
            noise *= radius * usual / np.linalg.norm(noise, axis=-1, keepdims=True)
            self.copies[f"jitter {radius:g}"] = torch.from_numpy(inputs + noise)

    def margins(self, model: nn.Module, near: Ints) -> dict[str, npt.NDArray[np.float32]]:
        """query -> (records,); the jittered ones of the records `near` only, NaN elsewhere."""
        logits = answer(model, self.x)
        found = {"exact": hinge(logits, self.y), "phi": phi(logits, self.y)}
        for query, copies in self.copies.items():
            beside = np.full(len(self.y), np.nan)
            beside[near] = np.mean([hinge(answer(model, c[near]), self.y[near]) for c in copies], axis=0)
            found[query] = beside
        return {query: margins.astype(np.float32) for query, margins in found.items()}


def phi(logits: npt.NDArray[np.floating], labels: Ints) -> Floats:
    """The other margin, z_y - log sum_{k != y} exp z_k: float64 (records,)."""
    z = np.asarray(logits, dtype=np.float64)
    own = np.arange(len(z)), labels
    others = z.copy()
    others[own] = -np.inf
    return np.asarray(z[own] - np.logaddexp.reduce(others, axis=1))


def build(name: str, directory: Path | None, bank: Path) -> None:
    """Train what `settings` reads and bank/<name>.npz does not hold yet, and keep the answers
    there."""
    plan, data, started = PLANS[name], load(name, directory), time.process_time()
    rng = np.random.default_rng(run_seed(0, f"estimators, {name}", 0))
    stock = np.bincount(data.y)
    every = np.arange(len(data.y))
    train = np.sort(draw_by_class(data.y, every, largest_remainder(plan.train, stock, stock), rng))
    outside = rng.permutation(without(len(data.y), train))[: plan.outside]
    ask = Asker(data, train, outside, plan.pool, rng)
    kept: Kept = {
        "labels": ask.y,
        **(np.load(bank / f"{name}.npz") if (bank / f"{name}.npz").exists() else {}),
    }

    def keep(arm: str, members: Ints, near: Ints, recipe: Recipe = plan.recipe) -> None:
        if f"{arm}/exact" in kept:
            return
        answers = [ask.margins(model, near) for model in trained(data, recipe, members, arm)]
        for query in QUERIES:
            kept[f"{arm}/{query}"] = np.stack([one[query] for one in answers])

    keep("original", np.tile(train, (ORIGINALS, 1)), np.arange(ask.near))
    for forget, gone in forget_sets(ask.y[: plan.train], held_out(data, plan, train, ask, rng), rng).items():
        retain = np.delete(train, gone)
        control = controls(ask.y, gone, data.y[retain], plan, rng)
        kept[f"{forget}/gone"], kept[f"{forget}/control"] = gone, control
        own = np.concatenate([gone, control])
        keep(f"{forget}/retrained", np.tile(retain, (RETRAINED, 1)), own)
        if forget == USUAL:
            for other, changed in OTHERS.items():
                keep(f"{forget}/{other}", np.tile(retain, (DRIFTED, 1)), own, changed(plan.recipe))
            draw = np.random.default_rng(run_seed(0, FEWER, 0))
            part = [draw.permutation(retain)[: len(retain) // 2] for _ in range(DRIFTED)]
            keep(f"{forget}/{FEWER}", np.stack(part), own)
        print(f"{name}, {forget}: {len(gone)} records, {time.process_time() - started:.0f} s", flush=True)
    bank.mkdir(parents=True, exist_ok=True)
    np.savez(bank / f"{name}.npz", **kept)  # type: ignore[arg-type]


def trained(data: Dataset, recipe: Recipe, members: Ints, arm: str) -> Iterator[nn.Module]:
    """One run for each row of members, in stacks."""
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    own = np.unique(members)
    x, y, rows = x[own], y[own], np.searchsorted(own, members)
    for start in range(0, len(rows), WIDTH):
        stack = rows[start : start + WIDTH]
        seeds = [run_seed(0, arm, start + k) for k in range(len(stack))]
        fresh = [initialise(partial(mlp, data.x.shape[1:], data.n_classes), seed) for seed in seeds]
        yield from fit(fresh, x, y, recipe, seeds=seeds, members=stack)


def held_out(data: Dataset, plan: Plan, train: Ints, ask: Asker, rng: np.random.Generator) -> Floats:
    """(train records,): the mean margin in runs that were trained on the half without the
    record."""
    n = plan.train
    places = np.stack([part for _ in range(HALVES // 2) for part in rng.permutation(n).reshape(2, -1)])
    runs = trained(data, plan.recipe, train[places], "half")
    found = np.stack([hinge(answer(model, ask.x[:n]), ask.y[:n]) for model in runs])
    np.put_along_axis(found, places, np.nan, axis=1)
    return np.asarray(np.nanmean(found, axis=0))


def forget_sets(labels: Ints, margin: Floats, rng: np.random.Generator) -> dict[str, Ints]:
    """name -> places in train. margin: (train records,), of runs that have not seen the record."""
    n, tenth = len(labels), len(labels) // 10
    found = {f"random {100 * f:g} %": rng.permutation(n)[: round(f * n)] for f in FRACTIONS}
    order = np.argsort(margin)
    found |= {"hard 10 %": order[:tenth], "easy 10 %": order[-tenth:]}
    found["one class"] = np.flatnonzero(labels == LABEL)
    return {name: np.sort(places) for name, places in found.items()}


def controls(labels: Ints, gone: Ints, kept: Ints, plan: Plan, rng: np.random.Generator) -> Ints:
    """Places of control records in the pool, by class like the forget records as far as those
    classes are in retain, else like retain: as `auditkit.data.draw_sets` draws them. labels: of all
    that is asked about."""
    pool = np.arange(plan.train, plan.train + plan.pool)
    left = np.bincount(kept, minlength=labels.max() + 1)
    wanted = np.where(left > 0, np.bincount(labels[gone], minlength=len(left)), 0)
    spare = np.where(left > 0, np.bincount(labels[pool], minlength=len(left)), 0)
    counts = largest_remainder(plan.control, wanted if wanted.any() else left, spare)
    return np.sort(draw_by_class(labels, pool, counts, rng))


def settings(bank: Path, names: list[str]) -> Iterator[Setting]:
    """Every forget set of these data sets."""
    for name in names:
        with np.load(bank / f"{name}.npz") as file:
            kept = dict(file)
        for forget in [key.removesuffix("/gone") for key in kept if key.endswith("/gone")]:
            yield Setting(name, forget, dict(_arms(kept, forget, PLANS[name])))


def _arms(
    kept: Mapping[str, npt.NDArray[np.generic]], forget: str, plan: Plan
) -> Iterator[tuple[str, dict[str, Margins]]]:
    gone, control = (kept[f"{forget}/{kind}"].astype(np.int64) for kind in ("gone", "control"))
    labels = kept["labels"]
    untrained = np.arange(plan.train, len(labels))
    wide = untrained[np.isin(labels[untrained], np.delete(labels[: plan.train], gone))]
    for arm in ARMS:
        own = arm if arm == "original" else f"{forget}/{arm}"
        if f"{own}/exact" not in kept:
            continue
        of = {query: kept[f"{own}/{query}"].astype(np.float64) for query in QUERIES}
        found = {query: Margins(m[:, gone], m[:, control]) for query, m in of.items()}
        found["wide"] = Margins(of["exact"][:, gone], of["exact"][:, wide])
        asked = [
            margins for query, margins in found.items() if query == "exact" or query.startswith("jitter")
        ]
        found["copies"] = Margins(
            np.mean([m.forget for m in asked], axis=0), np.mean([m.control for m in asked], axis=0)
        )
        yield arm, found
