"""The reference pages are complete and current."""

import re
import runpy
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import tokonomi
from tokonomi.errors import TokonomiError

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
CODE = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)


def below(error: type[TokonomiError]) -> Iterator[type[TokonomiError]]:
    for child in error.__subclasses__():
        yield child
        yield from below(child)


def test_the_page_of_commands_is_what_the_program_says_of_itself() -> None:
    current = runpy.run_path(str(REFERENCE / "write_cli.py"))["page"]()
    assert (REFERENCE / "cli.md").read_text("utf-8") == current


def test_the_page_of_errors_lists_every_code_and_no_other() -> None:
    for found in walk_packages(tokonomi.__path__, "tokonomi."):
        if not found.name.endswith("__main__"):
            import_module(found.name)
    codes = {error.code for error in below(TokonomiError)}
    assert set(CODE.findall((REFERENCE / "errors.md").read_text("utf-8"))) == codes
