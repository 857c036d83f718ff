"""Torch on one thread, for rooms whose tests train small models."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """On models of a few hundred weights torch's threads do nothing but wait for each other: on a
    busy machine a test with convolutions takes eight times as much processor time with two of them
    as with one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
