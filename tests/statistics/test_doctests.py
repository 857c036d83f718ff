"""The examples in the docstrings of the statistics are right."""

import doctest
import importlib
import pkgutil

import pytest

from auditkit import statistics

MODULES = [module.name for module in pkgutil.iter_modules(statistics.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_are_right(name: str) -> None:
    """Every module has examples, and each gives what its docstring says."""
    result = doctest.testmod(importlib.import_module(f"auditkit.statistics.{name}"))
    assert result.attempted > 0
    assert result.failed == 0
