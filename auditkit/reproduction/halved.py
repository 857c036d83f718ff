"""The paper's data sets at half their resolution, for its network on a machine without a GPU: data
sources for a claim."""

from collections.abc import Mapping
from typing import Any

from auditkit.data import load
from auditkit.models.images import image_size


def mnist() -> Mapping[str, Any]:
    """MNIST, each pixel the mean of two by two: 14 x 14."""
    return halved("mnist")


def fashion_mnist() -> Mapping[str, Any]:
    """Fashion-MNIST, each pixel the mean of two by two: 14 x 14."""
    return halved("fashion-mnist")


def halved(source: str) -> Mapping[str, Any]:
    """The images of a data set, (records, height / 2, width / 2), with its labels, ids and
    licence."""
    found = load(source)
    _, height, width = image_size(found.x.shape[1:])
    blocks = found.x.reshape(-1, height // 2, 2, width // 2, 2)
    return {"x": blocks.mean(axis=(2, 4)), "y": found.y, "ids": found.ids, "licence": found.licence}
