import numpy as np
import pytest
import torch

from auditkit.core.errors import UsageError
from auditkit.data import Dataset, load, make_dataset
from auditkit.reproduction.sizes import MEAN, SD, Size, split

SIZE = Size(
    retain=8,
    forget=4,
    held_out=3,
    official=5,
    pool=2,
    turns=1,
    first=1,
    gamma=1,
    longest=1,
    attack="perceptron",
)


def marked() -> Dataset:
    """Twenty training and six official test records of 4 x 4 pixels, each of one shade of its
    own."""
    shades = np.arange(26) / 26
    ids = [f"small-train-{i}" for i in range(20)] + [f"small-t10k-{i}" for i in range(6)]
    x = np.repeat(shades[:, None], 16, axis=1)
    return make_dataset("small", x, np.arange(26) % 2, ids, licence="none", origin="here")


def shades(x: torch.Tensor) -> set[int]:
    """Which records these are."""
    return {round(float(image.mean() * SD + MEAN) * 26) for image in x}


def test_parts_are_disjoint_and_of_the_sizes_asked_for() -> None:
    """Training and held-out records come from the training file, official ones from the test file,
    none twice."""
    parts = split(marked(), SIZE, 1)
    found = [shades(part.x) for part in (parts.retain, parts.forget, parts.held_out, parts.official)]
    assert [len(own) for own in found] == [8, 4, 3, 5]
    assert len(set.union(*found)) == 20
    assert max(set.union(*found[:3])) < 20 <= min(found[3])
    assert shades(parts.train.x) == found[0] | found[1]
    for records in (parts.retain, parts.forget, parts.held_out, parts.official):
        assert [round(float(image.mean() * SD + MEAN) * 26) % 2 for image in records.x] == records.y.tolist()


def test_parts_depend_on_the_seed_alone() -> None:
    """The same seed draws the same records in the same order, another one others."""
    one, again, other = (split(marked(), SIZE, seed) for seed in (1, 1, 2))
    assert torch.equal(one.retain.x, again.retain.x)
    assert shades(one.retain.x) != shades(other.retain.x)


def test_images_are_pooled_and_normalised() -> None:
    """A pixel is the mean over a square of the image, less 0.1307, over 0.3081."""
    digits = load("digits")
    size = Size(100, 20, 20, 20, pool=2, turns=1, first=1, gamma=1, longest=1, attack="perceptron")
    parts = split(digits, size, 1)
    assert parts.shape == (1, 4, 4)
    assert parts.classes == 10
    quarters = digits.x.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16)
    whole = {tuple(row) for row in np.rint(quarters * 64).astype(int)}  # four pixels of seventeen shades
    found = np.rint((parts.official.x.flatten(1).numpy() * SD + MEAN) * 64).astype(int)
    assert {tuple(row) for row in found} <= whole


def test_too_few_records_are_refused() -> None:
    """A data set that is too small is named with what is needed."""
    full = marked()
    small = make_dataset("small", full.x[:18], full.y[:18], licence="none", origin="here")
    with pytest.raises(UsageError, match="needs 15 records and 5 test records, found 13 and 5"):
        split(small, SIZE, 1)
