"""The reference pages are complete and current."""

import re
import runpy
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import get_args, get_origin

import msgspec

import tokonomi
from tokonomi.errors import TokonomiError
from tokonomi.gateway.config import Config, parse

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


def settings(section: type[msgspec.Struct], path: str = "") -> Iterator[str]:
    for field in msgspec.structs.fields(section):
        name = f"{path}.{field.encode_name}".removeprefix(".")
        kind = field.type
        if get_origin(kind) is dict:
            own = "ALIAS" if field.name == "models" else "NAME"
            yield from settings(get_args(kind)[1], f"{name}.{own}")
        elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            yield from settings(kind, name)
        else:
            yield name


def test_the_page_of_settings_lists_every_key_and_no_other() -> None:
    page = (REFERENCE / "configuration.md").read_text("utf-8")
    assert re.findall(r"^\| `([\w.]+)` \|", page, re.MULTILINE) == [*settings(Config)]


def test_the_configuration_that_the_page_shows_is_a_right_one() -> None:
    page = (REFERENCE / "configuration.md").read_text("utf-8")
    shown = re.findall(r"<!-- configuration -->\n```toml\n(.*?)```", page, re.DOTALL)
    assert [[*parse(text).models] for text in shown] == [["gpt-4o-mini", "openai/*"]]
