"""How strong each attack of the battery is: AUC and true-positive rates on models that nobody has
unlearned.

    python -m benchmarks.attacks.strength fashion-mnist --out \\
        benchmarks/results/strength-fashion-mnist.json

A pool of 10,000 records; every run is trained on a random half of it, reference runs and targets
alike. Each target is attacked with the same reference runs; its members are its own half. Records
outside the pool, on which no run was trained, are the population. Label-only and white-box attacks
ask the models themselves. Prints a table, mean and standard deviation over targets, the strongest
attack first.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from auditkit.attacks import ATTACKS, NotApplicable
from auditkit.data import Dataset, load
from auditkit.models.architectures import answer, mlp
from auditkit.probes import OBSERVATIONS, NotObservable
from auditkit.signals.signals import Signals, create_logits, open_logits
from auditkit.statistics.roc import auc, tpr_at
from auditkit.training import Recipe, fit, initialise
from benchmarks.common import options

FPRS = (0.01, 0.001)
STACK = 4
"""Runs trained as one stack."""
FEW = {"boundary distance": 200}
"""Of how many records, half of them members, the costly things are asked."""


@dataclass(frozen=True)
class Row:
    """One attack. auc: (targets,). tpr: false-positive rate -> (targets,). seconds: a target,
    learning apart.
    """

    attack: str
    family: str
    records: int
    auc: list[float]
    tpr: dict[float, list[float]]
    seconds: float


def halves(pool: int, runs: int, seed: int) -> npt.NDArray[np.int64]:
    """(runs, pool // 2): both random halves of the pool for every two runs."""
    rng = np.random.default_rng(seed)
    both = [half for _ in range(-(-runs // 2)) for half in rng.permutation(pool).reshape(2, -1)]
    return np.array(both[:runs])


def trained(
    x: npt.NDArray[np.float32], y: npt.NDArray[np.int64], members: npt.NDArray[np.int64], recipe: Recipe
) -> list[nn.Module]:
    """The runs, a stack at a time."""
    classes, models = int(y.max()) + 1, []
    for first in range(0, len(members), STACK):
        seeds = range(first, min(first + STACK, len(members)))
        stack = [initialise(lambda: mlp(x.shape[1:], classes), seed) for seed in seeds]
        models += fit(
            stack,
            torch.from_numpy(x),
            torch.from_numpy(y),
            recipe,
            seeds=list(seeds),
            members=members[list(seeds)],
        )
    return models


def observed(
    models: list[nn.Module],
    x: npt.NDArray[np.float32],
    y: npt.NDArray[np.int64],
    members: npt.NDArray[np.int64],
) -> dict[str, npt.NDArray[np.float64]]:
    """What is measured with the target models in hand: name -> (targets, records), NaN where it is
    not asked.
    """
    found = {}
    for name, observe in OBSERVATIONS.items():
        values = np.full((len(models), len(y)), np.nan)
        for row, model, own in zip(values, models, members, strict=True):
            other = np.setdiff1d(np.arange(members.shape[1] * 2), own)
            n = FEW.get(name, len(other) * 2) // 2
            asked = np.concatenate([own[:n], other[:n]])
            try:
                row[asked] = observe(model, torch.from_numpy(x[asked]), torch.from_numpy(y[asked]), 0)
            except NotObservable as error:
                print(f"{name}: {error}")
                break
        found[name] = values
    return found


def attacked(signals: Signals, targets: int, pool: int) -> list[Row]:
    """Every attack on every target, by AUC."""
    rows = []
    for name, attack in ATTACKS.items():
        try:
            attack.score(signals, 0)  # what is learnt once is learnt here
        except NotApplicable as error:
            print(f"{name}: {error.reason}", flush=True)
            continue
        begun = time.perf_counter()
        scores = [attack.score(signals, target)[:pool] for target in range(targets)]
        seconds = (time.perf_counter() - begun) / targets
        aucs: list[float] = []
        tprs: dict[float, list[float]] = {fpr: [] for fpr in FPRS}
        for target, s in enumerate(scores):
            asked, member = ~np.isnan(s), signals.member[target, :pool]
            inside, out = s[asked & member], s[asked & ~member]
            aucs.append(auc(inside, out))
            for fpr in FPRS:
                if fpr >= 3 / len(out):
                    tprs[fpr].append(tpr_at(inside, out, fpr))
        rows.append(Row(name, attack.family, int(asked.sum()), aucs, tprs, seconds))
        print(line(rows[-1]), flush=True)
    return sorted(rows, key=lambda row: -float(np.mean(row.auc)))


def line(row: Row) -> str:
    """One line of the table."""
    points = [f"{_spread(100 * np.array(row.tpr[fpr]), 2)}" if row.tpr[fpr] else "refused" for fpr in FPRS]
    return (
        f"| {row.attack} | {row.family} | {_spread(np.array(row.auc), 3)} | {' | '.join(points)} |"
        f" {row.seconds:.2f} |"
    )


def _spread(values: npt.NDArray[np.float64], digits: int) -> str:
    return f"{values.mean():.{digits}f} ± {values.std(ddof=1):.{digits}f}"


def arguments() -> argparse.Namespace:
    """The options of the command."""
    parser = options(__doc__)
    parser.add_argument("source", choices=("fashion-mnist", "mnist", "digits"))
    parser.add_argument("--directory", type=Path, help="of the data's IDX files, if they lie elsewhere")
    parser.add_argument("--pool", type=int, default=10_000)
    parser.add_argument("--population", type=int, default=5_000)
    parser.add_argument("--references", type=int, default=32)
    parser.add_argument("--targets", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="where to write the table as JSON")
    return parser.parse_args()


def asked(a: argparse.Namespace, data: Dataset, folder: Path) -> Signals:
    """The runs, trained and asked about pool and population; their logits lie in `folder`."""
    drawn = np.random.default_rng(a.seed).permutation(len(data.y))[: a.pool + a.population]
    x, y, runs = data.x[drawn], data.y[drawn], a.targets + a.references
    members = halves(a.pool, runs, a.seed)
    begun = time.perf_counter()
    models = trained(x, y, members, Recipe(epochs=a.epochs, batch_size=64, learning_rate=0.001))
    print(f"{runs} runs trained in {time.perf_counter() - begun:.0f} s", flush=True)
    member = np.zeros((runs, len(y)), dtype=bool)
    np.put_along_axis(member, members, True, axis=1)
    logits = create_logits(folder / "logits.npy", runs, len(y), data.n_classes)
    for row, model in zip(logits, models, strict=True):
        row[:] = answer(model, torch.from_numpy(x))
    begun = time.perf_counter()
    measured = observed(models[: a.targets], x, y, members[: a.targets])
    print(f"observed with the models in hand in {time.perf_counter() - begun:.0f} s", flush=True)
    filled = {name: np.full((runs, len(y)), np.nan) for name in measured}
    for name, values in measured.items():
        filled[name][: a.targets] = values
    return Signals(
        logits=open_logits(folder / "logits.npy"),
        member=member,
        labels=y,
        ids=data.ids[drawn],
        arms=np.array(["original"] * a.targets + ["shadow"] * a.references),
        seed=a.seed,
        observed=filled,
        inputs=x.reshape(len(x), -1),
    )


def accuracies(signals: Signals, targets: int, pool: int) -> Iterator[str]:
    """The mean accuracy of the targets on their members, and on the rest of the pool."""
    right = signals.logits[:targets, :pool].argmax(axis=-1) == signals.labels[:pool]
    member = signals.member[:targets, :pool]
    for what, rows in (("members", member), ("non-members", ~member)):
        mean = np.mean([ok[own].mean() for ok, own in zip(right, rows, strict=True)])
        yield f"accuracy of the targets on {what}: {mean:.3f}"


def main() -> None:
    """Train, attack, print."""
    a = arguments()
    with TemporaryDirectory() as folder:
        signals = asked(a, load(a.source, a.directory), Path(folder))
        print(*accuracies(signals, a.targets, a.pool), sep="\n", flush=True)
        table = attacked(signals, a.targets, a.pool)
    print("\n| attack | family | AUC | TPR at 1 % | TPR at 0.1 % | s a target |\n|---|---|---|---|---|---|")
    print("\n".join(line(row) for row in table))
    if a.out:
        a.out.parent.mkdir(parents=True, exist_ok=True)
        settings = {key: str(value) for key, value in vars(a).items() if key != "directory"}
        results = {"settings": settings, "rows": [vars(row) for row in table]}
        a.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
