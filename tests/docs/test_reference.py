"""The reference pages are complete and current."""

import re
import runpy
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import TypeGuard, get_args

import msgspec

import tokonomi
from tokonomi.configuration.canonical import Reading
from tokonomi.configuration.document import Kind
from tokonomi.configuration.reading import BOOT_SECTIONS, read_document
from tokonomi.configuration.schema import DocumentForm
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


def settings(kind: object, path: str) -> Iterator[str]:
    """Every key of a table, and of the tables in it."""
    own = {"models": ".ALIAS", "providers": ".NAME"}.get(path, "")
    tables = [each for each in (kind, *get_args(kind)) if is_table(each)]
    if not tables:
        yield path
    for table in tables:
        for field in msgspec.structs.fields(table):
            yield from settings(field.type, f"{path}{own}.{field.encode_name}")


def is_table(kind: object) -> TypeGuard[type[msgspec.Struct]]:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


HERE = ("alerts", "breaker", "fallback_watch", "providers", "models")
"""Sections of the document that this page describes; the others have pages of their own."""


def test_the_page_of_settings_lists_every_key_and_no_other() -> None:
    page = (REFERENCE / "configuration.md").read_text("utf-8")
    boot = {field.name: field.type for field in msgspec.structs.fields(Config)}
    stored = {field.name: field.type for field in msgspec.structs.fields(DocumentForm)}
    keys = [key for name in BOOT_SECTIONS for key in settings(boot[name], name)]
    keys += [key for name in HERE for key in settings(stored[name], name)]
    assert re.findall(r"^\| `(\w+\.[\w.]+)` \|", page, re.MULTILINE) == keys


def test_the_page_names_every_section_of_the_document() -> None:
    page = (REFERENCE / "configuration.md").read_text("utf-8")
    [listed] = re.findall(r"\| section \|.*?\n\n", page, re.DOTALL)
    assert all(f"[{kind.section}" in listed for kind in Kind)


def test_the_configuration_that_the_page_shows_is_a_right_one() -> None:
    page = (REFERENCE / "configuration.md").read_text("utf-8")
    [boot] = re.findall(r"<!-- boot -->\n```toml\n(.*?)```", page, re.DOTALL)
    assert parse(boot).listen.port == 4000
    [shown] = re.findall(r"<!-- document -->\n```toml\n(.*?)```", page, re.DOTALL)
    document = read_document(shown, Reading(()), name="the page")
    assert [*document.models] == ["gpt-4o-mini", "openai/*"]
