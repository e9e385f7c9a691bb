"""What the tables of a scenario say of themselves: keys, forms and meanings, from the classes."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from inspect import cleandoc
from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import msgspec

from tokonomi.plan.quantity import Quantity
from tokonomi.plan.scenario import Category, Scenario
from tokonomi.plan.scenario_file import table_in

_ATTRIBUTE: Final = re.compile(r"^    (\w+): (.+(?:\n {8}.+)*)", re.MULTILINE)
_SIMPLE: Final[Mapping[type[object], str]] = {
    str: "text",
    int: "whole number",
    bool: "true or false",
}


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a table.

    Attributes:
        name: as it is written.
        form: what may stand there, in words.
        needed: whether the file must state it.
        meaning: what it says.
    """

    name: str
    form: str
    needed: bool
    meaning: str


def summary_of(table: type[msgspec.Struct]) -> str:
    """What a table is: the first paragraph of its docstring."""
    return cleandoc(table.__doc__ or "").partition("\n\n")[0].replace("\n", " ")


def keys_of(table: type[msgspec.Struct]) -> Iterator[Key]:
    """The keys of a table, in the order of its class."""
    meanings = {
        name: " ".join(text.split()) for name, text in _ATTRIBUTE.findall(_docstring(table))
    }
    for field in msgspec.structs.fields(table):
        yield Key(field.name, form_of(field.type), field.required, meanings.get(field.name, ""))


def tables() -> Iterator[tuple[str, type[msgspec.Struct]]]:
    """Every table by its path in the file, each list with its brackets: `[[feature]]`."""
    yield "", Scenario
    for field in msgspec.structs.fields(Scenario):
        found = table_in(field.type)
        if found is not None:
            yield _bracketed(field.name, field.type), found
            yield from _below(field.name, found)


def _below(path: str, table: type[msgspec.Struct]) -> Iterator[tuple[str, type[msgspec.Struct]]]:
    for field in msgspec.structs.fields(table):
        found = table_in(field.type)
        if found is not None:
            yield _bracketed(f"{path}.{field.name}", field.type), found


def _bracketed(path: str, kind: object) -> str:
    return f"[[{path}]]" if get_origin(_bare(kind)) is tuple else f"[{path}]"


def _bare(kind: object) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _docstring(table: type[msgspec.Struct]) -> str:
    return cleandoc(table.__doc__ or "").partition("Attributes:")[2]


def form_of(kind: object) -> str:
    """What may stand at a key of this type, in words."""
    bare: Any = _bare(kind)
    arguments = get_args(bare)
    match get_origin(bare):
        case origin if origin in {Union, UnionType}:
            return " or ".join(form_of(each) for each in arguments if each is not type(None))
        case origin if origin is tuple:
            return f"list of {form_of(arguments[0])}"
        case origin if origin is dict:
            return f"table of {form_of(arguments[1])}"
        case origin if origin is Literal:
            return ", ".join(f'"{each}"' for each in arguments)
        case _:
            return _form_of_class(bare)


def _form_of_class(kind: type[object]) -> str:
    if issubclass(kind, msgspec.Struct):
        return "table"
    if issubclass(kind, Quantity):
        return kind.wanted
    if issubclass(kind, Category):
        return ", ".join(f'"{each}"' for each in kind)
    return _SIMPLE.get(kind, kind.__name__)
