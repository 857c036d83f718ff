from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy import stats
from torch import nn

from auditkit.models.architectures import mlp
from auditkit.models.images import image_size
from auditkit.models.residual import resnet
from auditkit.training import Recipe, fit
from auditkit.training.augmentation import Moves, draw_moves, moved
from tests.training.textbook import assert_close_weights, assert_equal_weights, records, started

Pixels = npt.NDArray[np.float64]


def moved_by_hand(image: Pixels, down: int, right: int, mirrored: bool) -> Pixels:
    """One image (channels, height, width), pixel by pixel: mirrored first, then shifted, zeros
    coming in."""
    channels, height, width = image.shape
    result = np.zeros_like(image)
    for c in range(channels):
        for row in range(height):
            for column in range(width):
                to_row, to_column = row + down, (width - 1 - column if mirrored else column) + right
                if 0 <= to_row < height and 0 <= to_column < width:
                    result[c, to_row, to_column] = image[c, row, column]
    return result


def all_moved(image: Pixels) -> list[Pixels]:
    """An image of one channel after each of the 18 moves of at most one pixel each way."""
    return [
        moved_by_hand(image, down, right, mirrored)
        for down in (-1, 0, 1)
        for right in (-1, 0, 1)
        for mirrored in (False, True)
    ]


@pytest.mark.parametrize("shape", [(36,), (6, 4), (3, 5, 6)])
@pytest.mark.parametrize("leading", [(40,), (3, 20)])
def test_images_are_moved_pixel_by_pixel(shape: Sequence[int], leading: Sequence[int]) -> None:
    """Moving images of any shape, of one run or of many, equals a loop over images and pixels."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(*leading, *shape))
    # As far as an image is high and wide, so that some leave it altogether.
    down, right = rng.integers(-6, 7, leading), rng.integers(-6, 7, leading)
    mirrored = rng.random(leading) < 0.5
    moves = Moves(*(torch.from_numpy(part) for part in (down, right, mirrored)))
    each = zip(down.ravel().tolist(), right.ravel().tolist(), mirrored.ravel().tolist(), strict=True)
    images = x.reshape(-1, *image_size(shape))
    expected = [moved_by_hand(image, *move) for image, move in zip(images, each, strict=True)]
    found = moved(torch.from_numpy(x), moves, shape)
    np.testing.assert_array_equal(found.numpy(), np.reshape(expected, x.shape))


def test_moving_nothing_changes_nothing() -> None:
    """No shift and no mirror leave every image as it was, and the images given are left alone in
    any case."""
    x = torch.randn(5, 8, 8)
    before = x.clone()
    still = torch.zeros(5, dtype=torch.int64)
    assert torch.equal(moved(x, Moves(still, still, still.bool()), (8, 8)), before)
    moved(x, draw_moves(np.random.default_rng(0), 5, (8, 8), ["shift", "flip"]), (8, 8))
    assert torch.equal(x, before)


def counts(moves: Moves) -> dict[tuple[int, int, bool], int]:
    each = zip(moves.down.tolist(), moves.right.tolist(), moves.mirrored.tolist(), strict=True)
    found: dict[tuple[int, int, bool], int] = {}
    for move in each:
        found[move] = found.get(move, 0) + 1
    return found


@pytest.mark.parametrize(
    ("augment", "shape", "down", "right", "mirrors"),
    [
        (("shift", "flip"), (16, 8), 2, 1, (False, True)),
        (("flip", "shift"), (3, 8, 24), 1, 3, (False, True)),
        (("shift",), (256,), 2, 2, (False,)),
        (("flip",), (16, 16), 0, 0, (False, True)),
        (("shift", "flip"), (7, 15), 0, 1, (False, True)),
        ((), (16, 16), 0, 0, (False,)),
    ],
)
def test_every_move_is_as_likely_as_any_other(
    augment: Sequence[str], shape: Sequence[int], down: int, right: int, mirrors: Sequence[bool]
) -> None:
    """Shifts of up to an eighth of height and width, and mirrored or not, all come about equally
    often (chi-square over all combinations), and no other comes."""
    found = counts(draw_moves(np.random.default_rng(1), 20_000, shape, augment))
    possible = {(d, r, m) for d in range(-down, down + 1) for r in range(-right, right + 1) for m in mirrors}
    assert found.keys() == possible
    assert len(possible) == 1 or stats.chisquare(list(found.values())).pvalue > 0.01


def perceptron() -> nn.Module:
    return mlp((64,), 3, hidden=(8,))


def residual() -> nn.Module:
    return resnet((64,), 3, width=4, blocks=(1,), groups=2)


PLAIN = Recipe(3, 16, 0.01)
RECIPE = Recipe(3, 16, 0.01, augment=("shift", "flip"))


@pytest.mark.parametrize("build", [perceptron, residual])
def test_a_stack_sees_the_moves_that_each_run_would_see_alone(build: Callable[[], nn.Module]) -> None:
    """Augmented training of a stack equals that of each run alone, up to rounding, and is not plain
    training."""
    x, y = records(pixels=64)
    seeds = [1, 2, 3]
    members = np.stack([np.arange(0, 40), np.arange(5, 45), np.arange(10, 50)])
    stack = fit(started(build, seeds), x, y, RECIPE, seeds=seeds, members=members)
    for k, seed in enumerate(seeds):
        given = started(build, [seed])
        (alone,) = fit(given, x, y, RECIPE, seeds=[seed], members=members[k : k + 1])
        assert_close_weights(stack[k], alone)
    plain = fit(started(build, seeds), x, y, PLAIN, seeds=seeds, members=members)
    for one, other in zip(stack, plain, strict=True):
        for weight, same in zip(one.parameters(), other.parameters(), strict=True):
            assert not torch.allclose(weight, same)


def test_the_moves_of_a_run_depend_on_its_seed_alone() -> None:
    """A run comes out the same to the last bit whoever is trained beside it, and with its own seed
    alone."""
    x, y = records(pixels=64)
    one = fit(started(perceptron, [1, 2]), x, y, RECIPE, seeds=[5, 6])
    other = fit(started(perceptron, [1, 2]), x, y, RECIPE, seeds=[5, 7])
    assert_equal_weights(one[0], other[0])
    assert not torch.equal(one[1].get_parameter("1.weight"), other[1].get_parameter("1.weight"))


class Recording(nn.Module):
    """Keeps what it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(64, 3)
        self.seen: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(x.clone())
        return torch.as_tensor(self.head(x))


def shown(recipe: Recipe) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Which record a model was shown each time, and in which of the 18 moves: (epochs, records)."""
    x, y = records(pixels=64)
    model = Recording().double()
    fit([model], x, y, recipe, seeds=[4])
    every = np.stack([all_moved(image.reshape(1, 8, 8)) for image in x.numpy()]).reshape(-1, 64)
    found = (torch.cat(model.seen).numpy()[:, None] == every).all(-1)
    assert (found.sum(1) == 1).all()
    record, move = np.divmod(found.argmax(1), 18)
    return record.reshape(recipe.epochs, -1), move.reshape(recipe.epochs, -1)


def test_every_record_is_moved_anew_each_time_it_is_seen() -> None:
    """An epoch shows every record once, in the order it has without augmentation; each is moved as
    is drawn from a generator that moves alone draw from; all 18 moves come up, and others in the
    next epoch."""
    order, move = shown(RECIPE)
    rng = np.random.default_rng([4, 1])
    for epoch in move:
        drawn = draw_moves(rng, 50, (64,), RECIPE.augment)
        assert epoch.tolist() == ((drawn.down + 1) * 6 + (drawn.right + 1) * 2 + drawn.mirrored).tolist()
    np.testing.assert_array_equal(np.sort(order), np.tile(np.arange(50), (3, 1)))
    np.testing.assert_array_equal(order, shown(PLAIN)[0])
    assert set(move.ravel()) == set(range(18))
    by_record = np.take_along_axis(move, order.argsort(1), axis=1)
    assert (by_record[0] == by_record[1]).mean() < 0.3
