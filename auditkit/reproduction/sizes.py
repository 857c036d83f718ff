"""How large the experiments are, and which record plays which part in them.

Sizes and splits of the paper are those of its author's public code. The size "full" has them; what
the others change is said with each.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from auditkit.core.errors import UsageError
from auditkit.data import Dataset
from auditkit.models.images import image_size
from auditkit.reproduction.paper_attack import AttackModel
from auditkit.training.records import Records

MEAN, SD = 0.1307, 0.3081
"""By which pixels in 0..1 are normalised: those of MNIST, which the public code takes for
Fashion-MNIST too."""

OFFICIAL = "-t10k-"
"""What marks the ids of a data set's official test records."""


@dataclass(frozen=True)
class Size:
    """How much of everything.

    retain, forget: training records. held_out: records cut from the same file that no network is
    trained on; official: test records. pool: images are averaged over squares of so many pixels a
    side. turns: of learning and unlearning. first: passes over the training records that count as
    the first epoch, at the rate that it begins with. gamma: by which the learning rate is
    multiplied after every epoch. longest: epochs of unlearning in a one-shot run. attack: the
    paper's attack model, see `paper_attack`.
    """

    retain: int
    forget: int
    held_out: int
    official: int
    pool: int
    turns: int
    first: int
    gamma: float
    longest: int
    attack: AttackModel


SIZES = {
    "tiny": Size(
        retain=160,
        forget=40,
        held_out=40,
        official=40,
        pool=1,
        turns=2,
        first=4,
        gamma=0.07,
        longest=3,
        attack="logistic regression",
    ),
    "reduced": Size(
        retain=6_400,
        forget=1_600,
        held_out=1_600,
        official=1_600,
        pool=2,
        turns=4,
        first=6,
        gamma=0.07,
        longest=16,
        attack="logistic regression",
    ),
    "full": Size(
        retain=40_000,
        forget=10_000,
        held_out=10_000,
        official=10_000,
        pool=1,
        turns=10,
        first=1,
        gamma=0.07,
        longest=16,
        attack="perceptron",
    ),
}
"""tiny: seconds, for tests. reduced: half a minute a variant on a core; an eighth of the records,
at half the resolution (a fifth of the weights), in four turns. Its first epoch is six passes, so
that as many steps are taken at the first learning rate as in the full size's, 785 for 782; after
that the schedule leaves next to nothing to learn. full: as in the public code. At its resolution
Adam at 0.01 kills the network for some seeds, whose accuracy then stays at a tenth; such a run
shows itself by its first point."""


@dataclass(frozen=True, eq=False)
class Parts:
    """Normalised records by the part they play: retain and forget are trained on, held_out and
    official not.

    shape: of one record, as `auditkit.models.architectures.cnn` takes it. classes: how many there
    are.
    """

    retain: Records
    forget: Records
    held_out: Records
    official: Records
    shape: tuple[int, int, int]
    classes: int

    @property
    def train(self) -> Records:
        """Retain and forget together."""
        return Records(torch.cat([self.retain.x, self.forget.x]), torch.cat([self.retain.y, self.forget.y]))


def split(dataset: Dataset, size: Size, seed: int, device: str = "cpu") -> Parts:
    """Draw the parts, uniformly and disjoint, by `seed` alone.

    official comes from the data set's own test records where their ids mark them, the other parts
    then from the rest; else all come from all. Raises UsageError where there are too few records,
    ValueError for images that cannot be pooled.
    """
    rng = np.random.default_rng(seed)
    marked = np.char.find(dataset.ids, OFFICIAL) >= 0
    own, test = (rng.permutation(np.flatnonzero(which)) for which in (~marked, marked))
    if not len(test):
        own, test = own[size.official :], own[: size.official]
    needed = size.retain + size.forget + size.held_out
    if len(own) < needed or len(test) < size.official:
        raise UsageError(
            f"data set {dataset.name!r}: this size needs {needed} records and {size.official} test records,"
            f" found {len(own)} and {len(test)}; take a smaller size"
        )
    retain, forget, held_out, _ = np.split(own, np.cumsum([size.retain, size.forget, size.held_out]))
    channels, height, width = image_size(dataset.x.shape[1:])
    shape = (channels, height // size.pool, width // size.pool)

    def records(which: npt.NDArray[np.int64]) -> Records:
        images = torch.from_numpy(dataset.x[which]).view(-1, channels, height, width)
        pooled = torch.nn.functional.avg_pool2d(images, size.pool)
        return Records(((pooled - MEAN) / SD).to(device), torch.from_numpy(dataset.y[which]).to(device))

    return Parts(
        records(retain),
        records(forget),
        records(held_out),
        records(test[: size.official]),
        shape,
        dataset.n_classes,
    )
