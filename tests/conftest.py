"""One thread for all tests: on models of a few hundred weights threads do nothing but wait for each
other, and `make test` runs two processes of tests at once.

Tests that are about threads set their number themselves, and so do plans of more than one;
processes that tests start know nothing of it.
"""

from collections.abc import Iterator

import pytest
import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """One thread for torch, and one for the linear algebra of numpy and scikit-learn."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)
