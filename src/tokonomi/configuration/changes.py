"""What lies between two documents: items added, changed field by field, and removed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, cast

from tokonomi.configuration.document import ORDER, Document, Item, Table
from tokonomi.configuration.reading import Stated

Verb = Literal["add", "change", "remove"]
_NOTHING: Final = object()


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A value before and after, None where there was none; its path is like `targets[1].model`."""

    path: str
    before: object | None
    after: object | None


@dataclass(frozen=True, slots=True)
class ItemChange:
    """One item before and after; None where it is not there."""

    item: Item
    before: Table | None
    after: Table | None

    @property
    def verb(self) -> Verb:
        """What happens to it."""
        if self.before is None:
            return "add"
        return "remove" if self.after is None else "change"

    @property
    def fields(self) -> tuple[FieldChange, ...]:
        """The values that differ, in the order in which they stand."""
        return fields_between(self.before, self.after)


def fields_between(before: Table | None, after: Table | None) -> tuple[FieldChange, ...]:
    """The values that differ between two tables, None being one that is not there."""
    return tuple(_differences("", before or {}, after or {}))


def changes_between(old: Document, new: Document) -> tuple[ItemChange, ...]:
    """What has to happen to `old` so that it becomes `new`, in the order of kinds and names."""
    items = {**old.tables, **new.tables}
    return tuple(
        ItemChange(item, old.tables.get(item), new.tables.get(item))
        for item in sorted(items, key=lambda item: (ORDER[item.kind], item.name))
        if old.tables.get(item) != new.tables.get(item)
    )


def laid_over(current: Document, stated: Stated, *, prune: bool = False) -> Document:
    """The document after what texts state was applied.

    An item that they state takes the place of the one of its name as a whole. Others stay; with
    `prune` those of the kinds that the texts name are removed.
    """
    kept = {
        item: table
        for item, table in current.tables.items()
        if not (prune and item.kind in stated.kinds)
    }
    return Document.of({**kept, **stated.document.tables})


def _differences(path: str, before: object, after: object) -> Iterator[FieldChange]:
    if before == after:
        return
    old, new = _parts(before), _parts(after)
    # A table that says nothing may mean something by being there, as `web_search = {}` does.
    if old is None or new is None or not (old or new):
        stated = [None if value is _NOTHING else value for value in (before, after)]
        yield FieldChange(path.removeprefix("."), *stated)
        return
    for key in dict.fromkeys([*old, *new]):
        yield from _differences(path + key, old.get(key, _NOTHING), new.get(key, _NOTHING))


def _parts(value: object) -> Mapping[str, object] | None:
    """What a table, or a list of tables, consists of; None of a plain value."""
    match value:
        case Mapping():
            table = cast("Table", value)
            return {f".{key}": each for key, each in table.items()}
        case list():
            items = cast("list[object]", value)
            if not all(isinstance(each, Mapping) for each in items):
                return None
            return {f"[{number}]": each for number, each in enumerate(items, 1)}
        case _:
            return {} if value is _NOTHING else None
