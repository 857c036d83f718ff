"""SISA: an ensemble whose members each know one shard of the records, so that forgetting means
retraining few.

Source: Bourtoule, Chandrasekaran, Choquette-Choo, Jia, Travers, Zhang, Lie & Papernot, "Machine
Unlearning" (S&P 2021, arXiv:1912.03837), "The SISA Training Approach": records are *sharded*, one
constituent model is trained on each shard in *isolation*, on one *slice* of it more at a time with
its weights kept before each, and their answers are *aggregated*. Whatever is to be forgotten, only
constituents of shards that held it are retrained, from the first slice that held it on. This is
exact: what is left never depended on the forget records.

A record's shard and slice are a hash of its content, so that no list of them must be kept, and
taking records out moves no other. Each slice starts its optimiser anew, as what an optimiser
remembers would outlive a deletion. A shard that holds no record answers with the weights it was
drawn with.

A claim about it names the model "auditkit.unlearning.sisa:build", whose options also say how its
constituents are trained, the training "auditkit.unlearning.sisa:train", and the procedure "sisa";
see examples/digits-sisa.toml.
"""

import copy
import hashlib
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Literal, cast

import torch
from pydantic import Field
from torch import nn

from auditkit.core.errors import AuditError
from auditkit.models.architectures import MODELS, Build
from auditkit.training import Recipe, fit, initialise, run_seed
from auditkit.training.records import Records

Count = Annotated[int, Field(ge=1)]
Aggregate = Literal["mean", "vote"]

KEY = b"auditkit sisa"
"""Of the hash that says where a record belongs: part of how a model was made, and so never to be
changed."""


class Ensemble(nn.Module):
    """One constituent a shard. Their probabilities are averaged, and answered as logarithms
    ("mean"); or the number of constituents for each label is answered ("vote": the paper's majority
    vote, which has no gradient).

    build: of one constituent. recipe: how each is trained. `shards[s][r]` is the constituent of
    shard s after its slices 0 to r: the last one answers, those before are frozen.
    """

    def __init__(
        self, build: Build, recipe: Recipe, shards: int, slices: int = 1, aggregate: Aggregate = "mean"
    ) -> None:
        super().__init__()
        self.build, self.recipe, self.slices, self.aggregate = build, recipe, slices, aggregate
        self.shards = nn.ModuleList(nn.ModuleList(build() for _ in range(slices)) for _ in range(shards))
        for shard, before in itertools.product(range(shards), range(slices - 1)):
            self.constituent(shard, before).requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (n, *shape), answered with logits (n, classes)."""
        logits = torch.stack([self.constituent(s)(x) for s in range(len(self.shards))])
        if self.aggregate == "vote":
            return nn.functional.one_hot(logits.argmax(dim=-1), logits.shape[-1]).sum(dim=0).to(logits)
        return logits.log_softmax(dim=-1).logsumexp(dim=0) - math.log(len(logits))

    def constituent(self, shard: int, last_slice: int = -1) -> nn.Module:
        """The constituent of a shard as it is after a slice."""
        return cast(nn.ModuleList, self.shards[shard])[last_slice]


def build(
    *,
    shape: Annotated[Sequence[Count], Field(min_length=1)],
    classes: Count,
    model: Literal["mlp", "cnn", "resnet"] = "mlp",
    options: Mapping[str, Any] | None = None,
    shards: Count = 5,
    slices: Count = 1,
    aggregate: Aggregate = "mean",
    epochs: Count = 60,
    batch_size: Count = 32,
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.003,
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0,
    optimiser: Literal["adam", "adamw", "sgd"] = "adam",
) -> Ensemble:
    """An untrained ensemble: the `build_model` of a claim. The recipe of its constituents is by
    default that of a claim that says nothing of it.

    Args:
        shape: Of one record.
        classes: How many there are.
        model: The architecture of the constituents, a key of
            `auditkit.models.architectures.MODELS`.
        options: Of that architecture.
        shards: Into how many parts records are divided, one constituent each.
        slices: In how many steps a constituent is trained on its shard.
        aggregate: How the constituents' answers become one; see `Ensemble`.
        epochs: Passes over a shard; with slices, so many cost what they cost without.
        batch_size: Records a step.
        learning_rate: Of the optimiser.
        weight_decay: Of the optimiser.
        optimiser: One of `auditkit.training.recipe.OPTIMISERS`.
    """
    constituent = partial(MODELS[model], tuple(shape), classes, **(options or {}))
    recipe = Recipe(epochs, batch_size, learning_rate, weight_decay, optimiser)
    return Ensemble(constituent, recipe, shards, slices, aggregate)


def train(model: nn.Module, data: Records, seed: int) -> nn.Module:
    """The ensemble, trained on the records, whatever its weights were; in eval mode."""
    [ensemble] = _ensembles([model])
    there = places(data, len(ensemble.shards), ensemble.slices)
    for shard in range(len(ensemble.shards)):
        _train_shard([ensemble], shard, 0, data, there, [seed])
    return ensemble.eval()


def unlearn(
    models: Sequence[nn.Module], retain: Records, forget: Records, *, seeds: Sequence[int]
) -> list[nn.Module]:
    """SISA: the ensembles, in which every shard that held forget records is retrained without them,
    from the first slice that held one on, by the ensemble's own recipe; all ensembles as one stack.

    Args:
        models: Ensembles, divided alike, as those of one claim are. They are left as they are.
        retain: The records to keep: all that is left of what the ensembles were trained on.
        forget: The records to forget.
        seeds: One an ensemble.

    Returns:
        New ensembles, in eval mode.

    Raises:
        AuditError: If a model is no ensemble.
    """
    copies = [copy.deepcopy(ensemble) for ensemble in _ensembles(models)]
    divided = len(copies[0].shards), copies[0].slices
    shards, slices = places(forget, *divided)
    there = places(retain, *divided)
    for shard in shards.unique().tolist():
        _train_shard(copies, shard, int(slices[shards == shard].min()), retain, there, seeds)
    return [ensemble.eval() for ensemble in copies]


def places(records: Records, shards: int, slices: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The shard and the slice of each record, by a hash of its input (as float32) and label: int64
    (records,) each."""
    inputs, labels = records.x.detach().float().cpu().numpy(), records.y.cpu().numpy()
    hashes = []
    for x, y in zip(inputs, labels, strict=True):
        digest = hashlib.blake2b(x.tobytes() + y.tobytes(), digest_size=7, key=KEY).digest()
        hashes.append(int.from_bytes(digest))
    places = torch.tensor(hashes, dtype=torch.int64) % (shards * slices)
    return places % shards, places // shards


def slice_epochs(epochs: int, slices: int) -> list[int]:
    """How long each slice is trained on, with all before it: about 2 epochs / (slices + 1) each,
    which passes over as many records as `epochs` of the whole shard (the paper's "Slicing")."""
    each = 2 * epochs / (slices + 1)
    return [int((r + 1) * each) - int(r * each) for r in range(slices)]


def _train_shard(
    ensembles: Sequence[Ensemble],
    shard: int,
    first: int,
    data: Records,
    there: tuple[torch.Tensor, torch.Tensor],
    seeds: Sequence[int],
) -> None:
    """Train the constituent of a shard from slice `first` on, on those of the records that belong
    there, as their `places` say."""
    one, (shards, slices) = ensembles[0], there
    epochs = slice_epochs(one.recipe.epochs, one.slices)
    if first:
        constituents = [
            copy.deepcopy(each.constituent(shard, first - 1)).requires_grad_(True) for each in ensembles
        ]
    else:
        first_seeds = [run_seed(seed, f"shard {shard}", 0) for seed in seeds]
        constituents = [_drawn(each, seed) for each, seed in zip(ensembles, first_seeds, strict=True)]
    for last in range(first, one.slices):
        rows = ((shards == shard) & (slices <= last)).nonzero().flatten().to(data.y.device)
        again = [run_seed(seed, f"shard {shard}, slice", last) for seed in seeds]
        fit(constituents, data.x[rows], data.y[rows], replace(one.recipe, epochs=epochs[last]), seeds=again)
        for each, trained in zip(ensembles, constituents, strict=True):
            each.constituent(shard, last).load_state_dict(trained.state_dict())


def _drawn(ensemble: Ensemble, seed: int) -> nn.Module:
    """A freshly drawn constituent, on the device and in the precision of the ensemble."""
    return initialise(ensemble.build, seed).to(next(ensemble.parameters()))


def problems(model: nn.Module, options: Mapping[str, Any]) -> list[str]:
    """Why SISA cannot unlearn from this model; [] if it can. It has no options."""
    del options
    if isinstance(model, Ensemble):
        return []
    problem = (
        "the procedure 'sisa' needs an ensemble with records divided into shards, found"
        f' {type(model).__name__}; set model.name = "auditkit.unlearning.sisa:build" and training.train ='
        ' "auditkit.unlearning.sisa:train"'
    )
    return [problem]


def _ensembles(models: Sequence[nn.Module]) -> list[Ensemble]:
    for model in models:
        if wrong := problems(model, {}):
            raise AuditError(*wrong)
    return cast(list[Ensemble], list(models))
