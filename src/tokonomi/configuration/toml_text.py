"""The TOML text of a document, one for each document: reading it back gives the same document."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final, cast

from tokonomi.configuration.document import LISTED, NAMED, Document, Item, Table

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_DELETE: Final = "\x7f"


def to_toml(document: Document) -> str:
    """The text that states a document.

    >>> from tokonomi.configuration.document import Kind
    >>> house = {"provider": "openai", "model": "gpt-5.1"}
    >>> print(to_toml(Document.of({Item(Kind.MODEL, "house"): house})), end="")
    [models.house]
    provider = "openai"
    model = "gpt-5.1"
    """
    blocks = (_block(item, table) for item, table in document.tables.items())
    return "\n".join(blocks)


def _block(item: Item, table: Table) -> str:
    path = _key(item.kind.section)
    if item.kind in NAMED:
        path = f"{path}.{_key(item.name)}"
    return "".join(_lines(path, table, listed=item.kind in LISTED))


def _lines(path: str, table: Table, *, listed: bool = False) -> Iterator[str]:
    sections = {key: value for key, value in table.items() if _stands_alone(value)}
    # A table that only has sections needs no header of its own.
    has_header = listed or len(sections) < len(table)
    if has_header:
        yield f"[[{path}]]\n" if listed else f"[{path}]\n"
    for key, value in table.items():
        if key not in sections:
            yield f"{_key(key)} = {value_to_toml(value)}\n"
    texts = [
        "".join(_lines(f"{path}.{_key(key)}", inner, listed=isinstance(value, list)))
        for key, value in sections.items()
        for inner in _tables_in(value)
    ]
    if texts:
        yield ("\n" if has_header else "") + "\n".join(texts)


def _tables_in(value: object) -> list[Table]:
    return cast("list[Table]", value if isinstance(value, list) else [value])


def _stands_alone(value: object) -> bool:
    """Whether a value is written as sections: a list of tables, or a table with tables inside."""
    if isinstance(value, list):
        items = cast("list[object]", value)
        return bool(items) and all(isinstance(each, Mapping) for each in items)
    if isinstance(value, Mapping):
        return any(isinstance(each, Mapping | list) for each in cast("Table", value).values())
    return False


def value_to_toml(value: object) -> str:
    """A value on one line.

    >>> value_to_toml({"feature": "growth", "share": ["80%", 1]})
    '{ feature = "growth", share = ["80%", 1] }'
    """
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return _text(value)
        case list():
            return f"[{', '.join(value_to_toml(each) for each in cast('list[object]', value))}]"
        case _:
            assert isinstance(value, Mapping), f"no plain value: {value!r}"
            table = cast("Table", value)
            pairs = ", ".join(f"{_key(key)} = {value_to_toml(each)}" for key, each in table.items())
            return f"{{ {pairs} }}" if pairs else "{}"


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace(_DELETE, "\\u007F")
