"""Forgetting networks beyond the paper: what fades in a residual network and in a transformer, on
digits.

    python -m research.fnn.other_networks resnet
    python -m research.fnn.other_networks vit

One line for each choice of layers, rates and time t: residual memory rho (1: nothing forgotten, 0:
as retrained) and the accuracy on forget and on test records, while the gate is on, and when it is
folded and repaired on the retained. The first lines are the models before unlearning, and
retrained. A few minutes each on one core.
"""

import argparse
import time
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import nn

from auditkit.data import load
from auditkit.models.architectures import answer, vit
from auditkit.models.residual import resnet
from auditkit.statistics.margins import Margins, hinge
from auditkit.statistics.residual import memory, rho, rho_error
from auditkit.training import Recipe, fit, initialise, run_seed
from auditkit.training.records import Records
from auditkit.unlearning import fnn
from auditkit.unlearning.fnn_gates import gateable
from auditkit.unlearning.fnn_rates import Rates

MODELS = {
    "resnet": (partial(resnet, (64,), 10, width=8, groups=4), Recipe(15, 32, 2e-3)),
    "vit": (partial(vit, (64,), 10), Recipe(25, 32, 3e-3)),
}
NORMS = (nn.GroupNorm, nn.LayerNorm)
FORGET, RETAIN, CONTROL = 180, 720, 250
CASES: tuple[tuple[Rates, float], ...] = (("fixed", 50), ("rank", 2), ("rank", 10), ("rank", 50))


def placements(model: nn.Module) -> dict[str, list[str]]:
    """Which layers fade: those with weights alone, as in the paper; the normalisations alone;
    all."""
    every = gateable(model)
    norms = [name for name in every if isinstance(model.get_submodule(name), NORMS)]
    return {"weights": [name for name in every if name not in norms], "norms": norms, "all": every}


class Sets:
    """The digits, cut into forget, retain, control and test records."""

    def __init__(self) -> None:
        data = load("digits")
        order = np.random.default_rng(0).permutation(len(data.y))
        x, y = torch.from_numpy(data.x[order]).float(), torch.from_numpy(data.y[order])
        ends = np.cumsum([FORGET, RETAIN, CONTROL])
        parts = zip(x.tensor_split(ends.tolist()), y.tensor_split(ends.tolist()), strict=True)
        self.forget, self.retain, self.control, self.test = (Records(*part) for part in parts)
        self.all = Records(x[: FORGET + RETAIN], y[: FORGET + RETAIN])

    def margins(self, models: Sequence[nn.Module]) -> Margins:
        """The hinge margins of an arm."""
        parts = (
            np.stack([hinge(answer(model, part.x), part.y.numpy()) for model in models])
            for part in (self.forget, self.control)
        )
        return Margins(*parts)

    def accuracy(self, models: Sequence[nn.Module]) -> str:
        """Mean accuracy on forget and on test records."""
        parts = (
            np.mean([(answer(model, part.x).argmax(1) == part.y.numpy()).mean() for model in models])
            for part in (self.forget, self.test)
        )
        return " ".join(f"{part:.3f}" for part in parts)


def main() -> None:
    """Print one line a case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("--runs", type=int, default=6)
    parser.add_argument("--repair", type=int, default=5, help="epochs of repair")
    arguments = parser.parse_args()
    build, recipe = MODELS[arguments.model]
    sets, started = Sets(), time.perf_counter()

    def trained(arm: str, records: Records) -> list[nn.Module]:
        seeds = [run_seed(0, arm, i) for i in range(arguments.runs)]
        return fit([initialise(build, seed) for seed in seeds], *records, recipe, seeds=seeds)

    original, retrained = trained("original", sets.all), trained("retrained", sets.retain)
    O, R = sets.margins(original), sets.margins(retrained)
    print(f"{arguments.runs} runs of {arguments.model}, {recipe.epochs} epochs; forget and test accuracy:")
    print(f"original {sets.accuracy(original)}; retrained {sets.accuracy(retrained)}", flush=True)
    seeds = [run_seed(0, "unlearned", i) for i in range(arguments.runs)]

    def line(models: Sequence[nn.Module]) -> str:
        found = memory(O, sets.margins(models), R)
        return f"{rho(found):+.2f} ± {rho_error(found):.2f}  {sets.accuracy(models)}"

    print("layers    rates     t  gate on: rho, forget, test     folded and repaired: rho, forget, test")
    for name, layers in placements(original[0]).items():
        for rates, t in CASES:
            faded = partial(fnn.unlearn, original, sets.retain, sets.forget, seeds=seeds, recipe=recipe)
            faded = partial(faded, rates=rates, t=t, layers=layers, repair_epochs=arguments.repair)
            told = (line(faded(state=state)) for state in ("gate on", "folded and repaired"))
            print(f"{name:<9} {rates:<6} {t:>4g}  {'    '.join(told)}", flush=True)
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
