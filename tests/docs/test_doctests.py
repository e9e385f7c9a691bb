"""The examples in the package's own docstrings are true."""

import doctest
import pkgutil
from importlib import import_module

import pytest

import tokonomi

MODULES = sorted(
    found.name
    for found in pkgutil.walk_packages(tokonomi.__path__, "tokonomi.")
    if not found.name.endswith("__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_print_what_they_say(name: str) -> None:
    result = doctest.testmod(import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0
