"""One network of the paper on its way through epochs of learning and of unlearning, measured after
each.

Source: Hatua et al., arXiv:2410.22374, in the form of the author's public code. Unlearning is there
an ordinary epoch, cross-entropy *descent*, on the forget records, with forgetting layers switched
on at a time t. One Adam goes through all epochs, and its learning rate falls by gamma with each of
either kind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from auditkit.models.architectures import cnn
from auditkit.reproduction.paper_attack import AttackModel, attack_accuracy
from auditkit.reproduction.sizes import Parts
from auditkit.signals.signals import log_softmax
from auditkit.training import Recipe, initialise
from auditkit.training.descent import descend, gradient_of
from auditkit.training.records import Records
from auditkit.unlearning.fnn_gates import Forgetting, attach, mean_activations, set_time

LAYERS = ("fc1", "fc2")
"""The layers of the network that can forget: 128 hidden units, and the logits."""

CHUNK = 512
"""Records that a network is asked about at once: all of them would fill the memory with
convolutions."""


@dataclass(frozen=True)
class Measured:
    """One network in one state. held_out, official, retain, forget: accuracies; retain is measured
    on as many records as are held out. loss: mean cross-entropy, in nats, and confidence: mean of
    the largest probability, both on the held-out records. attack: see `paper_attack`."""

    held_out: float
    official: float
    retain: float
    forget: float
    loss: float
    confidence: float
    attack: float


@dataclass(frozen=True)
class Point:
    """What is seen after one epoch. epoch: 1, 2, ... over all turns; t: 0 after learning. seen:
    with the gates as the epoch left them, which is what the public code reports; gate_off: the same
    weights, gates off."""

    epoch: int
    turn: int
    phase: str
    t: int
    learning_rate: float
    seen: Measured
    gate_off: Measured


@dataclass
class Trajectory:
    """A network and how far it has come, as `start` makes it. epochs: how many it has been through.
    rng: the order of its records and its dropout. attack: the attack model by which it is
    measured."""

    parts: Parts
    model: nn.Sequential
    layers: Sequence[str]
    recipe: Recipe
    optimiser: torch.optim.Optimizer
    rng: np.random.Generator
    attack: AttackModel
    epochs: int = 0

    def learn(self, passes: int = 1) -> None:
        """An epoch on all training records, gates off; `passes` of them, at one learning rate,
        count as one."""
        set_time(self.model, 0)
        train = self.parts.train
        for _ in range(passes):
            self._descend(train)
        self.epochs += 1

    def unlearn(self, t: int, *, descent: bool = True) -> None:
        """An epoch on the forget records, gates at time t; without `descent` the weights stay as
        they are."""
        set_time(self.model, t)
        if descent:
            self._descend(self.parts.forget)
        self.epochs += 1

    def set_constants(self, constants: Mapping[str, torch.Tensor]) -> None:
        """Give the units of each layer new time constants, (units,)."""
        for name, tau in constants.items():
            for module in self.model.get_submodule(name).modules():
                if isinstance(module, Forgetting):
                    module.tau.copy_(tau)

    def activations(self) -> dict[str, torch.Tensor]:
        """Mean activation of each unit over all forget records, gates off: layer -> (units,)."""
        set_time(self.model, 0)
        x = self.parts.forget.x
        means = {name: torch.zeros(1, device=x.device) for name in self.layers}
        for part in x.split(CHUNK):
            for name, mean in mean_activations(self.model, self.layers, part).items():
                means[name] = means[name] + mean * (len(part) / len(x))
        return means

    def point(self, turn: int, phase: str, t: int) -> Point:
        """What is seen now, after an epoch of a phase, "learn" or "unlearn"."""
        seen, gate_off = self.measure(t)
        return Point(self.epochs, turn, phase, t, self.recipe.rate(self.epochs - 1), seen, gate_off)

    def measure(self, t: float) -> tuple[Measured, Measured]:
        """The network with its gates at time t, and with them off."""
        n, parts = len(self.parts.held_out.y), self.parts
        sets = {
            "held_out": parts.held_out,
            "official": parts.official,
            "retain": Records(parts.retain.x[:n], parts.retain.y[:n]),
            "forget": parts.forget,
        }
        labels = {name: records.y.cpu().numpy() for name, records in sets.items()}
        asked = {name: answers(self.model, records.x, t) for name, records in sets.items()}
        gate_off = measured({name: off for name, (_, off) in asked.items()}, labels, self.attack)
        if t == 0:
            return gate_off, gate_off
        return measured({name: on for name, (on, _) in asked.items()}, labels, self.attack), gate_off

    def _descend(self, records: Records) -> None:
        """One pass over the records in minibatches in a fresh order, with dropout, at the rate of
        this epoch."""
        device = records.y.device
        order = torch.from_numpy(self.rng.permutation(len(records.y))).to(device)

        def loss(batch: torch.Tensor) -> torch.Tensor:
            return nn.functional.cross_entropy(self.model(records.x[batch]), records.y[batch])

        self.model.train()
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(int(self.rng.integers(2**63)))
            descend(
                gradient_of(loss, list(self.model.parameters())),
                self.optimiser,
                [order.split(self.recipe.batch_size)],
                lambda _: self.recipe.rate(self.epochs),
            )
        self.model.eval()


def start(
    parts: Parts,
    *,
    gamma: float,
    seed: int,
    layers: Sequence[str] = LAYERS,
    attack: AttackModel = "perceptron",
) -> Trajectory:
    """The paper's network, untrained, its gates attached and off, with Adam at 0.01 and batches of
    64.

    layers: those of LAYERS that forget. Everything that is drawn depends on `seed` alone, and
    torch's global generator is left as it was.
    """
    model = cast(nn.Sequential, initialise(partial(cnn, parts.shape, parts.classes), seed).eval())
    model.to(parts.retain.x.device)
    for name in layers:
        layer = model.get_submodule(name)
        attach(layer, torch.ones_like(layer.get_parameter("bias")))
    # A "step" schedule looks at the number of an epoch alone, not at how many there will be.
    recipe = Recipe(epochs=0, batch_size=64, learning_rate=0.01, schedule="step", gamma=gamma)
    optimiser = recipe.optimise(list(model.parameters()))
    return Trajectory(parts, model, layers, recipe, optimiser, np.random.default_rng(seed), attack)


@torch.no_grad()
def answers(
    model: nn.Sequential, x: torch.Tensor, t: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The network's logits (records, classes) with its gates at time t and with them off; they are
    at t afterwards.

    The convolutions, most of the work, carry no gate and are computed once for both.
    """
    first = list(dict(model.named_children())).index(LAYERS[0])
    convolutions, gated = model[:first], model[first:]
    on: list[torch.Tensor] = []
    off: list[torch.Tensor] = []
    for part in x.split(CHUNK):
        features = convolutions(part)
        for time, logits in ((0.0, off), (t, on)):
            set_time(model, time)
            logits.append(gated(features).cpu())
    return torch.cat(on).numpy(), torch.cat(off).numpy()


def measured(
    logits: Mapping[str, npt.NDArray[np.float32]],
    labels: Mapping[str, npt.NDArray[np.int64]],
    attack: AttackModel,
) -> Measured:
    """From the logits (records, classes) and labels (records,) of the sets held_out, official,
    retain and forget. Of equal logits, the first counts as the answer."""
    log = {name: log_softmax(logits[name]) for name in ("held_out", "forget")}
    losses = {name: -own[np.arange(len(own)), labels[name]] for name, own in log.items()}
    accuracy = {name: float((own.argmax(axis=1) == labels[name]).mean()) for name, own in logits.items()}
    return Measured(
        **accuracy,
        loss=float(losses["held_out"].mean()),
        confidence=float(np.exp(log["held_out"].max(axis=1)).mean()),
        attack=attack_accuracy(losses["forget"], losses["held_out"], attack),
    )
