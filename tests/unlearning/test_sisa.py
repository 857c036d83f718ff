"""SISA forgets exactly: only what held forget records is retrained, and comes out as if they had
never been."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from auditkit.core.errors import AuditError
from auditkit.core.user_code import option_problems
from auditkit.models.architectures import answer, mlp
from auditkit.training import Recipe, fit, initialise, run_seed
from auditkit.training.records import Records
from auditkit.unlearning import sisa

RECIPE = Recipe(epochs=6, batch_size=8, learning_rate=0.01)
SHARDS, CLASSES = 4, 3
by_slices = pytest.mark.parametrize("slices", [1, 3])


def constituent() -> nn.Module:
    return mlp((5,), CLASSES, hidden=(7,))


def records(n: int = 120) -> Records:
    x = torch.randn(n, 5, generator=torch.Generator().manual_seed(2))
    return Records(x, torch.arange(n) % CLASSES)


def some(rows: torch.Tensor) -> Records:
    return Records(*(part[rows] for part in records()))


def ensemble(slices: int, seed: int = 0) -> sisa.Ensemble:
    found = initialise(lambda: sisa.Ensemble(constituent, RECIPE, SHARDS, slices), seed)
    assert isinstance(found, sisa.Ensemble)
    return found


def held_by(shards: list[int], least_slice: int, slices: int) -> torch.Tensor:
    """Which records to forget: every second of those that lie in these shards, from this slice
    on."""
    shard, own = sisa.places(records(), SHARDS, slices)
    there = (torch.isin(shard, torch.tensor(shards)) & (own >= least_slice)).nonzero().flatten()
    chosen = torch.zeros(len(shard), dtype=torch.bool)
    chosen[there[::2]] = True
    return chosen


def state(model: nn.Module) -> Mapping[str, torch.Tensor]:
    return model.state_dict()


def assert_same(one: nn.Module, other: nn.Module) -> None:
    """To the last bit."""
    torch.testing.assert_close(dict(state(one)), dict(state(other)), rtol=0, atol=0)


@by_slices
def test_a_record_goes_by_its_content(slices: int) -> None:
    """Shard and slice are the remainders of a keyed hash of input and label, whoever else is
    there."""
    data = records()
    shard, own = sisa.places(data, SHARDS, slices)
    for k in range(len(data.y)):
        content = data.x[k].numpy().tobytes() + int(data.y[k]).to_bytes(8, "little")
        drawn = hashlib.blake2b(content, digest_size=7, key=b"auditkit sisa").digest()
        number = int.from_bytes(drawn, "big") % (SHARDS * slices)
        assert [int(shard[k]), int(own[k])] == [number % SHARDS, number // SHARDS]
    rows = torch.tensor([77, 5, 5, 60])
    assert torch.equal(sisa.places(some(rows), SHARDS, slices)[0], shard[rows])


def test_shards_and_slices_are_about_equally_full() -> None:
    """Of 3,000 records each of 6 places holds a sixth, within 5 standard deviations."""
    shard, own = sisa.places(records(3000), 3, 2)
    counts = np.bincount((shard * 2 + own).numpy(), minlength=6)
    assert (abs(counts - 500) < 5 * np.sqrt(3000 * 5 / 36)).all()


@by_slices
def test_a_shard_is_trained_by_itself_slice_after_slice(slices: int) -> None:
    """Written out: each constituent is drawn from a seed of its own, and trained on its first
    slice, then on the first two, and so on; it owes nothing to the weights the ensemble had."""
    shard, own = sisa.places(records(), SHARDS, slices)
    trained = sisa.train(ensemble(slices), records(), 5)
    assert_same(trained, sisa.train(ensemble(slices, seed=9), records(), 5))
    assert isinstance(trained, sisa.Ensemble)
    epochs = 6 * 2 // (slices + 1)
    for s in range(SHARDS):
        model = initialise(constituent, run_seed(5, f"shard {s}", 0))
        for r in range(slices):
            seen = some(((shard == s) & (own <= r)).nonzero().flatten())
            recipe = Recipe(epochs, RECIPE.batch_size, RECIPE.learning_rate)
            fit([model], *seen, recipe, seeds=[run_seed(5, f"shard {s}, slice", r)])
            assert_same(trained.constituent(s, r), model)


@by_slices
def test_with_the_same_seed_unlearning_is_training_without(slices: int) -> None:
    """Unlearned from training's own seed, an ensemble is to the last bit the one trained on retain
    alone; so what is left owes nothing to the forget records."""
    gone = held_by([1, 2], 0, slices)
    original = sisa.train(ensemble(slices), records(), 5)
    (found,) = sisa.unlearn([original], some(~gone), some(gone), seeds=[5])
    assert_same(found, sisa.train(ensemble(slices), some(~gone), 5))
    before = answer(original, records().x)
    assert (answer(found, records().x) != before).any()


def test_only_what_held_forget_records_is_retrained() -> None:
    """The constituents of other shards, and what was kept before the first slice with a forget
    record, stay to the bit; all later ones change, as the new seed asks."""
    gone = held_by([1], 1, 3)
    original = sisa.train(ensemble(3), records(), 5)
    (found,) = sisa.unlearn([original], some(~gone), some(gone), seeds=[6])
    assert isinstance(found, sisa.Ensemble)
    assert isinstance(original, sisa.Ensemble)
    for s in range(SHARDS):
        for r in range(3):
            pair = state(found.constituent(s, r)), state(original.constituent(s, r))
            same = all(torch.equal(pair[0][name], pair[1][name]) for name in pair[0])
            assert same == (s != 1 or r < 1), (s, r)


@by_slices
def test_records_that_no_shard_ever_held_change_nothing_but_the_draw(slices: int) -> None:
    """Asked for records that it never saw (a placebo), the shards they would lie in are trained
    again on what they have: from training's own seed the ensemble comes back to the last bit."""
    strangers = held_by(list(range(SHARDS)), 0, slices)
    without = sisa.train(ensemble(slices), some(~strangers), 5)
    (found,) = sisa.unlearn([without], some(~strangers), some(strangers), seeds=[5])
    assert_same(found, without)
    (redrawn,) = sisa.unlearn([without], some(~strangers), some(strangers), seeds=[6])
    assert (answer(redrawn, records().x) != answer(without, records().x)).any()


@by_slices
def test_a_shard_without_records_can_be_asked_too(slices: int) -> None:
    """A request for a record of a shard that holds nothing is answered by freshly drawn weights,
    one for no record at all by the ensemble as it is."""
    there, own = sisa.places(records(), SHARDS, slices)
    kept, first = some(there != 1), ((there == 1) & (own == 0)).nonzero().flatten()[:1]
    without = sisa.train(ensemble(slices), kept, 5)
    (found,) = sisa.unlearn([without], kept, some(first), seeds=[6])
    assert isinstance(found, sisa.Ensemble)
    assert np.isfinite(answer(found, records().x)).all()
    untrained = initialise(constituent, run_seed(6, "shard 1", 0))
    assert_same(found.constituent(1), untrained)
    (same,) = sisa.unlearn([without], kept, some(torch.zeros(120, dtype=torch.bool)), seeds=[6])
    assert_same(same, without)


def test_ensembles_unlearn_together_as_each_alone() -> None:
    """A list of ensembles comes out as each by itself, up to rounding; slices but the last stay
    frozen."""
    gone = held_by([0, 3], 1, 3)
    originals = [sisa.train(ensemble(3), records(), seed) for seed in (5, 6)]
    together = sisa.unlearn(originals, some(~gone), some(gone), seeds=[7, 8])
    for found, own, seed in zip(together, originals, (7, 8), strict=True):
        (alone,) = sisa.unlearn([own], some(~gone), some(gone), seeds=[seed])
        torch.testing.assert_close(dict(state(found)), dict(state(alone)), rtol=1e-3, atol=1e-4)
        trains = [w.requires_grad for w in found.parameters()]
        assert trains == ([False] * 8 + [True] * 4) * SHARDS


def test_constituents_are_averaged_or_counted() -> None:
    """The mean answers the logarithm of the average probability, the vote how many constituents say
    each label."""
    averaging = ensemble(1).eval()
    each = [averaging.constituent(s)(records().x).detach() for s in range(SHARDS)]
    mean = torch.stack([logits.softmax(dim=1) for logits in each]).mean(dim=0)
    np.testing.assert_allclose(np.exp(answer(averaging, records().x)), mean.numpy(), rtol=1e-5)
    averaging.aggregate = "vote"
    said = np.stack([logits.argmax(dim=1).numpy() for logits in each])
    counted = np.stack([(said == label).sum(axis=0) for label in range(CLASSES)], axis=1)
    np.testing.assert_array_equal(answer(averaging, records().x), counted)


@pytest.mark.parametrize(
    ("epochs", "slices", "expected"), [(60, 1, [60]), (60, 3, [30] * 3), (5, 3, [2, 3, 2])]
)
def test_slices_cost_what_a_whole_shard_costs(epochs: int, slices: int, expected: list[int]) -> None:
    """2 epochs / (slices + 1) a slice: passes over the growing shard are as many records as
    `epochs` of all of it."""
    found = sisa.slice_epochs(epochs, slices)
    assert found == expected
    passes = sum(e * (r + 1) / slices for r, e in enumerate(found))
    assert passes == pytest.approx(epochs, abs=1)


def test_any_other_model_is_refused() -> None:
    """A model that is no ensemble is an error that says what to name instead."""
    gone = held_by([1], 0, 1)
    with pytest.raises(
        AuditError, match=r"found Sequential; set model.name = \"auditkit.unlearning.sisa:build\""
    ):
        sisa.unlearn([constituent()], some(~gone), some(gone), seeds=[1])


def test_a_claim_can_say_how_its_ensemble_is_built() -> None:
    """The options of a claim are checked, and make an ensemble with its recipe."""
    options: dict[str, Any] = {
        "shape": [5],
        "classes": 3,
        "shards": 2,
        "epochs": 7,
        "options": {"hidden": [4]},
    }
    assert option_problems(sisa.build, options, "model", positional=0) == []
    assert option_problems(sisa.build, {**options, "shards": 0}, "model", positional=0) != []
    found = sisa.build(**options)
    assert (len(found.shards), found.recipe.epochs) == (2, 7)
    assert found.constituent(0).get_parameter("1.weight").shape == (4, 5)
