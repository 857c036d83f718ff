"""Training with differential privacy, by Opacus (Yousefpour et al., arXiv:2109.12298).

DP-SGD (Abadi et al., "Deep Learning with Differential Privacy", CCS 2016, algorithm 1): each step
takes every record with the same small probability, cuts the gradient of each record down to a norm,
and adds Gaussian noise to their sum. Adam makes the step out of that sum, which costs no privacy.
What it costs altogether is counted by Rényi differential privacy (Mironov, Talwar & Zhang,
arXiv:1908.10530). The gradients of single records are never written down: their norms are found
first, by "ghost clipping" (Li et al., "Large Language Models Can Be Strong Differentially Private
Learners", ICLR 2022, section 4), and then the gradient of the weighted loss.

How many records there are shows in nothing but the records themselves: the sampling rate rests on
their expected number, and gradients are summed, not averaged over a number. The noise comes from
torch's seeded generator, so that an audit can be repeated; a model to be released needs a secure
one.
"""

import itertools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from auditkit.claims.privacy import Privacy
from auditkit.core.errors import UsageError
from auditkit.models.architectures import Build
from auditkit.statistics.margins import Ints
from auditkit.training import initialise, run_seed
from auditkit.training.opacus_log import log_left_alone

with log_left_alone():
    from opacus import PrivacyEngine
    from opacus.accountants.utils import get_noise_multiplier
    from opacus.utils.uniform_sampler import UniformWithReplacementSampler
    from opacus.validators import ModuleValidator

Batch = tuple[torch.Tensor, torch.Tensor]
"""x (n, *shape) and y (n,)."""

ACCOUNTANT = "rdp"
"""An upper bound in closed form. Opacus's default, "prv", integrates numerically, and is a little
tighter."""

SAID = (
    "Secure RNG turned off",  # see the module's docstring
    "Optimal order is the (largest|smallest) alpha",  # the epsilon is an upper bound all the same
    "Full backward hook is firing when gradients",  # the records themselves need no gradient
)
"""How the warnings begin that Opacus and torch give in ordinary use."""


@dataclass(frozen=True, eq=False)
class Private:
    """A model trained with differential privacy. model: in eval mode. noise_multiplier: that was
    used. epsilon: at the claim's delta, by the accountant; infinity if there was no noise."""

    model: nn.Module
    noise_multiplier: float
    epsilon: float


def train_privately(
    build: Build, x: npt.NDArray[np.float32], y: Ints, privacy: Privacy, *, batches: int, seed: int
) -> Private:
    """Train a new model by DP-SGD (Abadi et al., algorithm 1), on the CPU. Equal arguments give
    equal weights, as long as the number of torch's threads stays the same.

    Args:
        build: Builds one model.
        x: float32 (n, *shape), the records.
        y: int64 (n,), their labels.
        privacy: What is claimed, and how it is reached.
        batches: Of an epoch; every record is in each of them with probability 1 / batches.
        seed: Of weights, batches, noise and dropout. Torch's global generator is left as it was.

    Returns:
        The model and what its training cost.

    Raises:
        UsageError: For a model that Opacus cannot train, or if no noise suffices for the claim.
    """
    model = initialise(build, run_seed(seed, "private weights", 0))
    if flaws := module_problems(model):
        raise UsageError(*flaws)
    batch_seed, noise_seed, dropout_seed = (
        run_seed(seed, f"private {what}", 0) for what in ("batches", "noise", "dropout")
    )
    noise_multiplier = noise_needed(privacy, batches)
    records = Rows(torch.from_numpy(np.array(x)), torch.from_numpy(np.array(y)))
    with _quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(dropout_seed)
        engine = PrivacyEngine(accountant=ACCOUNTANT)
        wrapped, optimiser, loss, loader = engine.make_private(
            module=model.train(),
            optimizer=torch.optim.Adam(model.parameters(), lr=privacy.learning_rate),
            data_loader=_loader(records, batches, batch_seed),
            noise_multiplier=noise_multiplier,
            max_grad_norm=privacy.clipping_norm,
            criterion=nn.CrossEntropyLoss(reduction="sum"),
            loss_reduction="sum",
            grad_sample_mode="ghost",
            noise_generator=torch.Generator().manual_seed(noise_seed),
        )
        # Opacus takes int(1 / (1 / batches)) for the number of batches, 92 of 93: for the sampling
        # rate that it accounts for, and for where it ends an epoch.
        optimiser.attach_step_hook(engine.accountant.get_optimizer_hook_fn(sample_rate=1 / batches))
        endless = itertools.chain.from_iterable(itertools.repeat(loader))
        for inputs, labels in itertools.islice(endless, privacy.epochs * batches):
            optimiser.zero_grad()
            loss(wrapped(inputs), labels).backward()
            optimiser.step()
        epsilon = engine.get_epsilon(privacy.delta)
    plain = initialise(build, 0)  # Opacus leaves attributes behind on the weights it has trained
    plain.load_state_dict(wrapped.to_standard_module().state_dict())
    return Private(plain.eval(), noise_multiplier, float(epsilon))


def _loader(records: "Rows", batches: int, seed: int) -> DataLoader[Batch]:
    """Batches that take every record with probability 1 / batches."""
    return DataLoader(
        records,
        collate_fn=_as_it_is,
        batch_sampler=UniformWithReplacementSampler(  # Opacus reads the sampling rate off its length
            num_samples=len(records), sample_rate=1 / batches, steps=batches
        ),
        generator=torch.Generator().manual_seed(seed),
    )


def noise_needed(privacy: Privacy, batches: int) -> float:
    """The noise multiplier of the claim, else the least with which the accountant arrives at its
    (epsilon, delta), within .01 of epsilon.

    Args:
        privacy: What is claimed.
        batches: Of an epoch.

    Returns:
        The standard deviation of the noise, in clipping norms.

    Raises:
        UsageError: If no noise suffices.
    """
    if privacy.noise_multiplier is not None:
        return privacy.noise_multiplier
    try:
        with _quiet():
            return float(
                get_noise_multiplier(
                    target_epsilon=privacy.epsilon,
                    target_delta=privacy.delta,
                    sample_rate=1 / batches,
                    steps=batches * privacy.epochs,
                    accountant=ACCOUNTANT,
                )
            )
    except ValueError as error:
        raise UsageError(
            f"privacy.epsilon must be within reach of some noise, found {privacy.epsilon:g} at delta = "
            f"{privacy.delta:g} after {privacy.epochs} epochs; raise it, or train for fewer epochs"
        ) from error


def module_problems(model: nn.Module) -> list[str]:
    """Why Opacus cannot train this model, [] if it can: e.g. batch norm ties the records of a batch
    together."""
    flaws = [str(error) for error in ModuleValidator.validate(model.train(), strict=False)]
    every = list(model.named_parameters(remove_duplicate=False))
    if len(every) > len(list(model.parameters())):
        flaws.append("weights that several layers share")
    return [f"model must be one that Opacus can train privately, found: {flaw}" for flaw in flaws]


class Rows(Dataset[Batch]):
    """Records that are taken a whole batch at a time, an empty one too: record by record, torch
    would spend a third of the training on putting batches together, and Opacus warn of each that is
    empty.

    x: (n, *shape); y: (n,).
    """

    def __init__(self, x: torch.Tensor, y: torch.Tensor) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, row: int) -> Batch:
        return self.x[row], self.y[row]

    def __getitems__(self, rows: list[int]) -> Batch:
        """The records in these rows, as one batch."""
        return self.x[rows], self.y[rows]


def _as_it_is(batch: Any) -> Any:
    return batch


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        for beginning in SAID:
            warnings.filterwarnings("ignore", message=beginning)
        yield
