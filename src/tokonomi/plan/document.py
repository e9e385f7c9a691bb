"""A scenario's file as read: its values, where each stands, and one file laid over another."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from tokonomi.errors import BadPlan
from tokonomi.naming import meant
from tokonomi.toml_places import Place, line_of, places_of
from tokonomi.toml_reading import tables_in

_NOT_IN_A_SLUG: Final = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it stands, as `file:line`.

    `value` is a dict of nodes, a list of nodes, or a value of TOML.
    """

    where: str
    value: "dict[str, Node] | list[Node] | str | int | bool | object"

    def plain(self) -> Any:
        """The values alone."""
        match self.value:
            case dict():
                table = cast("dict[str, Node]", self.value)
                return {key: node.plain() for key, node in table.items()}
            case list():
                return [node.plain() for node in cast("list[Node]", self.value)]
            case _:
                return self.value

    def at(self, place: Place) -> "Node":
        """The node at a place, or the nearest one around it."""
        if not place:
            return self
        below = self.children().get(place[0])
        return self if below is None else below.at(place[1:])

    def children(self) -> Mapping[str | int, "Node"]:
        """The nodes directly below, by key or by number."""
        match self.value:
            case dict():
                return cast("dict[str | int, Node]", self.value)
            case list():
                return dict(enumerate(cast("list[Node]", self.value)))
            case _:
                return {}

    @property
    def name(self) -> str:
        """What a table calls itself, empty when it has no name."""
        named = self.children().get("name")
        return "" if named is None else str(named.value)


def read_document(text: str, name: str) -> Node:
    """The values of a TOML text; numbers with decimals stay as they are written.

    Raises:
        BadPlan: it is not TOML, or a text in it has a NUL.
    """
    tree = tables_in(text, name, error=BadPlan, decimals=str)
    places = places_of(text)

    def node(value: object, place: Place) -> Node:
        line = line_of(places, place)
        where = f"{name}:{line}" if line else name
        match value:
            case dict():
                table = cast("dict[str, object]", value)
                return Node(where, {key: node(each, (*place, key)) for key, each in table.items()})
            case list():
                items = enumerate(cast("list[object]", value))
                return Node(where, [node(each, (*place, number)) for number, each in items])
            case _:
                return Node(where, value)

    return node(tree, ())


def laid_over(base: Node, top: Node) -> Node:
    """The keys of `top`, and where it has none, those of `base`.

    Tables in a list are the same when they have the same name; others are added at the end.
    """
    match base.value, top.value:
        case dict(), dict():
            below, above = base.children(), top.children()
            keys = dict.fromkeys([*below, *above])
            return Node(
                top.where, {str(key): _either(below.get(key), above.get(key)) for key in keys}
            )
        case list(), list() if _all_named(base) and _all_named(top):
            below = {node.name: node for node in base.children().values()}
            above = {node.name: node for node in top.children().values()}
            names = dict.fromkeys([*below, *above])
            return Node(top.where, [_either(below.get(name), above.get(name)) for name in names])
        case _:
            return top


def _either(base: Node | None, top: Node | None) -> Node:
    if base is not None and top is not None:
        return laid_over(base, top)
    found = base or top
    assert found is not None, "one of the two has the key"
    return found


def _all_named(node: Node) -> bool:
    nodes = node.children().values()
    return bool(nodes) and all(each.name for each in nodes)


def with_value(document: Node, path: str, value: str) -> Node:
    """The document with one value replaced, such as `volume.users` or `feature.chat.turns`.

    Items of a list are named by their name, in small letters with dashes, or by their number.

    Raises:
        BadPlan: there is no such path.
    """
    first, _, rest = path.partition(".")
    match document.value:
        case dict():
            table = cast("dict[str, Node]", document.value)
            if rest and first not in table:
                raise BadPlan(f'the scenario has no "{first}"', remedy=meant(first, table))
            new = with_value(table[first], rest, value) if rest else _set_to(value)
            return Node(document.where, {**table, first: new})
        case list():
            items = cast("list[Node]", document.value)
            place = _place(items, first)
            new = with_value(items[place], rest, value) if rest else _set_to(value)
            return Node(document.where, [*items[:place], new, *items[place + 1 :]])
        case _:
            raise BadPlan(f'"{first}" is no table', remedy="Name a key of a table of the scenario.")


def _set_to(text: str) -> Node:
    """A value as the file would have it: a number, a date, a list; what is none of them is text."""
    try:
        stated = read_document(f"value = {text}", "--set").children()
    except BadPlan:
        return Node("--set", text)
    return stated["value"]


def _place(items: list[Node], name: str) -> int:
    names = [slug(node.name) for node in items]
    if name in names:
        return names.index(name)
    if name.isdecimal() and int(name) < len(items):
        return int(name)
    known = [each for each in names if each] or [str(number) for number in range(len(items))]
    raise BadPlan(f'nothing in the list is called "{name}"', remedy=meant(name, known))


def slug(name: str) -> str:
    """A name as paths write it: small letters, digits and dashes.

    >>> slug("Engineering maintenance")
    'engineering-maintenance'
    """
    return _NOT_IN_A_SLUG.sub("-", name.lower()).strip("-")
