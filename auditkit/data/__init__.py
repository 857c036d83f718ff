"""Where records come from, how they are checked, and how they are split into sets."""

from auditkit.data.dataset import Dataset, make_dataset
from auditkit.data.duplicates import NearDuplicates, near_duplicates, nearest_distances
from auditkit.data.idx import read_idx
from auditkit.data.sets import ForgetRequest, Sets, draw_sets, forget_size, set_problems
from auditkit.data.sources import SOURCES, Source, SourceStatus, fetch, load, status

__all__ = [
    "SOURCES",
    "Dataset",
    "ForgetRequest",
    "NearDuplicates",
    "Sets",
    "Source",
    "SourceStatus",
    "draw_sets",
    "fetch",
    "forget_size",
    "load",
    "make_dataset",
    "near_duplicates",
    "nearest_distances",
    "read_idx",
    "set_problems",
    "status",
]
