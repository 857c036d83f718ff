"""Opacus, without its log."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def log_left_alone() -> Iterator[None]:
    """Within it, importing Opacus does not set up the log of the whole process, as it does
    otherwise: the root logger would print what every library used here has to say."""
    root, handler = logging.getLogger(), logging.NullHandler()
    root.addHandler(handler)  # logging.basicConfig does nothing where there is one
    try:
        yield
    finally:
        root.removeHandler(handler)
