"""What recoveries bring back, and what observations cost, on digits.

    python -m benchmarks.attacks.white_box --runs 8

One line a case: the residual memory rho of the exact answers and of each recovery. Then, for each,
the standard deviation of the honest control's rho over runs, and the seconds for one model; and for
each observation, as an attack, its AUC on original and on retrained models. An unlearned model that
has erased reads about 0 in every column; one that has only suppressed does so at most in the first.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from auditkit.calibration.fakes_by_training import new_head
from auditkit.claims.read import parse_claim
from auditkit.core.progress import NullReporter
from auditkit.models.architectures import answer
from auditkit.probes import OBSERVATIONS, RECOVERIES, Observe
from auditkit.signals.hinge_margin import hinge
from auditkit.statistics.margins import Floats, Ints, Margins
from auditkit.statistics.residual import memory, rho, rho_by_run
from auditkit.statistics.roc import auc
from auditkit.study.study import Study, prepare
from auditkit.training import fit, initialise, run_seed
from auditkit.training.records import Records
from auditkit.unlearning import fnn, noop
from auditkit.unlearning.fnn_gates import fold
from benchmarks.common import options

SIDE = 100
"""Forget records, and control records, that are observed."""

Models = Sequence[nn.Module]
Ask = Callable[[nn.Module], npt.NDArray[np.float32]]
Parts = tuple[Records, Records, Records]
"""Records to retain, to forget, and of the control."""


class Arms(NamedTuple):
    """The trained runs of each arm."""

    original: Models
    retrained: Models
    honest: Models


def trained(study: Study, arm: str, records: Records, runs: int) -> list[nn.Module]:
    """Fresh models of the study's architecture, trained on these records."""
    seeds = [run_seed(study.claim.seed, arm, i) for i in range(runs)]
    fresh = [initialise(study.build, seed) for seed in seeds]
    return fit(fresh, records.x, records.y, study.recipe, seeds=seeds)


def unlearned(
    study: Study, originals: Models, retain: Records, forget: Records
) -> dict[str, list[nn.Module]]:
    """case -> what is made of the originals."""
    seeds = [run_seed(study.claim.seed, "unlearned", i) for i in range(len(originals))]

    def faded(state: fnn.State) -> list[nn.Module]:
        return fnn.unlearn(
            originals, retain, forget, seeds=seeds, recipe=study.recipe, state=state, repair_epochs=10
        )

    return {
        "no-op": noop.unlearn(originals, retain, forget, seeds=seeds),
        "FNN, gate on": faded("gate on"),
        "FNN, folded": [fold(model) for model in faded("gate on")],
        "FNN, folded and repaired": faded("folded and repaired"),
        "head retrained": new_head(originals, retain, forget, seeds=seeds, recipe=study.recipe, share=1.0),
    }


def margins(models: Models, ask: Ask, labels: Ints, n: int) -> Margins:
    """What the models answer about the n forget records and the control records after them."""
    rows = np.array([hinge(ask(model), labels) for model in models])
    return Margins(rows[:, :n], rows[:, n:])


def recoveries(study: Study, retain: Records, forget: Records, control: Records) -> Mapping[str, Ask]:
    """The exact answers and each recovery's, as functions of the model alone."""
    asked = torch.cat([forget.x, control.x])
    seed = run_seed(study.claim.seed, "recovery", 0)

    def after(name: str) -> Ask:
        return lambda model: RECOVERIES[name](model, retain, forget, control.x, study.recipe, seed)

    return {"exact": lambda model: answer(model, asked), **{name: after(name) for name in RECOVERIES}}


def print_recoveries(study: Study, arms: Arms, parts: Parts) -> None:
    """rho of every case, exactly and by each recovery; then its noise, and what asking costs."""
    retain, forget, control = parts
    labels, n, runs = torch.cat([forget.y, control.y]).numpy(), len(forget.y), len(arms.original)
    asks = recoveries(study, retain, forget, control)
    cases = {**unlearned(study, arms.original, retain, forget), "retrained (honest)": arms.honest}
    O, R = (
        [margins(arm, ask, labels, n) for ask in asks.values()] for arm in (arms.original, arms.retrained)
    )
    print(f"{f'rho, {runs} runs an arm':<26}" + "".join(f"{name:>12}" for name in asks))
    for case, models in cases.items():
        U = [margins(models, ask, labels, n) for ask in asks.values()]
        memories = [memory(*of) for of in zip(O, U, R, strict=True)]
        print(f"{case:<26}" + "".join(f"{rho(one):>+12.3f}" for one in memories), flush=True)
    # The last case is the honest one.
    honest = (float(rho_by_run(one).std(ddof=1)) for one in memories)
    print(f"{'SD of an honest run':<26}" + "".join(f"{sd:>12.3f}" for sd in honest))
    took = (seconds(arms.original, ask) for ask in asks.values())
    print(f"{'seconds a model':<26}" + "".join(f"{each:>12.3f}" for each in took))


def print_observations(arms: Arms, forget: Records, control: Records, seed: int) -> None:
    """Each observation as an attack: its AUC on two arms, and what it costs."""
    x, y = torch.cat([forget.x[:SIDE], control.x[:SIDE]]), torch.cat([forget.y[:SIDE], control.y[:SIDE]])
    title = f"AUC, {SIDE} against {SIDE}"
    print(f"\n{title:<26}{'original':>12}{'retrained':>12}{'seconds':>12}")
    for name, observe in OBSERVATIONS.items():
        ask = partial(_called, observe, x, y, seed)
        sign = -1 if name == "gradient norm" else 1
        values = [[sign * ask(model) for model in arm] for arm in (arms.original, arms.retrained)]
        areas = [float(np.mean([auc(row[:SIDE], row[SIDE:]) for row in rows])) for rows in values]
        took = seconds(arms.original, ask)
        print(f"{name:<26}" + "".join(f"{area:>12.3f}" for area in areas) + f"{took:>12.3f}", flush=True)


def _called(observe: Observe, x: torch.Tensor, y: torch.Tensor, seed: int, model: nn.Module) -> Floats:
    return observe(model, x, y, seed)


def seconds(models: Models, ask: Callable[[nn.Module], object]) -> float:
    """The mean time a model takes, after a first one that does not count."""
    ask(models[0])
    started = time.perf_counter()
    for model in models[:4]:
        ask(model)
    return (time.perf_counter() - started) / len(models[:4])


def main() -> None:
    """Print both tables."""
    parser = options(__doc__)
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    claim, problems = parse_claim({"seed": arguments.seed})
    study = prepare(claim, Path(), problems, NullReporter())
    retain, forget, control = (
        Records(torch.from_numpy(study.data.x[rows]), torch.from_numpy(study.data.y[rows]))
        for rows in (study.sets.retain, study.sets.forget, study.sets.control)
    )
    every = Records(torch.cat([retain.x, forget.x]), torch.cat([retain.y, forget.y]))
    arms = Arms(
        trained(study, "original", every, arguments.runs),
        trained(study, "retrained", retain, arguments.runs),
        trained(study, "honest", retain, arguments.runs),
    )
    print_recoveries(study, arms, (retain, forget, control))
    print_observations(arms, forget, control, arguments.seed)


if __name__ == "__main__":
    main()
