"""From TOML texts to the document that they state, with the line of every mistake."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from tokonomi.configuration.canonical import Reading, as_written
from tokonomi.configuration.checks import WrongReference, check_whole
from tokonomi.configuration.document import (
    LISTED,
    SECTIONS,
    SINGLE,
    Document,
    Item,
    Kind,
    Table,
)
from tokonomi.configuration.mistakes import WrongAt, nearest
from tokonomi.errors import BadConfig
from tokonomi.toml_places import Place, dotted, places_of
from tokonomi.toml_reading import tables_in

_LONGEST_NAME: Final = 200
BOOT_SECTIONS: Final = ("store", "secrets", "listen", "limits", "batches", "observe")
"""What stands in `tokonomi.toml`, and nowhere else."""


@dataclass(frozen=True, slots=True)
class Source:
    """A text that people wrote: what errors call it, and where its keys stand."""

    name: str
    places: Mapping[Place, int]

    def told(self, wrong: WrongAt) -> BadConfig:
        """The error that names the line of a mistake."""
        return wrong.told(self.name, self.places)


@dataclass(frozen=True, slots=True)
class Stated:
    """What texts state, which need not be a whole configuration.

    Attributes:
        document: the items, each by itself right.
        kinds: the kinds that the texts name, those without an item among them.
        places: where each item stands.
    """

    document: Document
    kinds: frozenset[Kind]
    places: Mapping[Item, tuple[Source, Place]]

    def check(self, whole: Document) -> None:
        """Nothing: these items fit into the whole that they become part of.

        Raises:
            BadConfig: something names what is not there.
        """
        try:
            check_whole(whole)
        except WrongReference as reference:
            item = reference.item
            wrong = as_written(reference.wrong, whole.tables[item])
            if item in self.places:
                source, place = self.places[item]
                raise source.told(wrong.under(place)) from None
            where = dotted((str(item), *wrong.place))
            raise BadConfig(f"{where}: {wrong.what}", remedy=wrong.remedy) from None


NOTHING_STATED = Stated(Document(), frozenset(), {})


def read_texts(texts: Mapping[str, str], reading: Reading) -> Stated:
    """What TOML texts state together; they are given by their names, which errors use.

    Raises:
        BadConfig: one is not TOML, something in it is wrong, or two state the same item.
    """
    tables: dict[Item, Table] = {}
    places: dict[Item, tuple[Source, Place]] = {}
    kinds: set[Kind] = set()
    for name, text in texts.items():
        source = Source(name, places_of(text))
        stated = read_tables(tables_in(text, name, error=BadConfig), reading, source)
        kinds |= stated.kinds
        for item, table in stated.document.tables.items():
            if item in places:
                first, _ = places[item]
                raise BadConfig(
                    f"{item} stands in {first.name} and in {name}", remedy="Keep one of them."
                )
            tables[item] = table
            places[item] = stated.places[item]
    return Stated(Document.of(tables), frozenset(kinds), places)


def read_document(text: str, reading: Reading, *, name: str) -> Document:
    """The whole configuration that one TOML text states.

    Raises:
        BadConfig: something in it is wrong.
    """
    stated = read_texts({name: text}, reading)
    stated.check(stated.document)
    return stated.document


def read_tables(tables: Mapping[str, object], reading: Reading, source: Source) -> Stated:
    """What tables state that were read from somewhere, such as JSON.

    Raises:
        BadConfig: something in them is wrong.
    """
    found: dict[Item, Table] = {}
    places: dict[Item, tuple[Source, Place]] = {}
    kinds: set[Kind] = set()
    try:
        for section, value in tables.items():
            kind = _kind_of(section)
            kinds.add(kind)
            for place, name, table in _tables_of(kind, value):
                try:
                    item, canonical = reading.item(kind, name, table)
                except WrongAt as wrong:
                    raise wrong.under(place) from None
                _refuse_twice(item, found, place)
                found[item] = canonical
                places[item] = (source, place)
    except WrongAt as wrong:
        raise source.told(wrong) from None
    return Stated(Document.of(found), frozenset(kinds), places)


def _refuse_twice(item: Item, found: Mapping[Item, Table], place: Place) -> None:
    if item in found:
        raise WrongAt(place, f"{item} stands here twice", "Keep one of them.")


def _kind_of(section: str) -> Kind:
    if section in SECTIONS:
        return SECTIONS[section]
    if section in BOOT_SECTIONS:
        raise WrongAt((section,), "does not stand in the store", "Move it to tokonomi.toml.")
    raise WrongAt((section,), "no such section", nearest(section, SECTIONS))


def _tables_of(kind: Kind, value: object) -> list[tuple[Place, str, Table]]:
    """The tables of one section: where each stands, what it is called from outside, and itself."""
    top = kind.section
    if kind in SINGLE:
        return [((top,), "", _table((top,), value))]
    if kind in LISTED:
        if not isinstance(value, list):
            raise WrongAt((top,), "is not a list of tables", f"Write each as [[{top}]].")
        listed = enumerate(cast("list[object]", value))
        return [((top, number), "", _table((top, number), each)) for number, each in listed]
    if not isinstance(value, dict):
        raise WrongAt((top,), "is not a table of named sections")
    named = cast("dict[str, object]", value).items()
    return [((top, name), _name(top, name), _table((top, name), each)) for name, each in named]


def _table(place: Place, value: object) -> Table:
    if not isinstance(value, dict):
        raise WrongAt(place, "is not a table")
    return cast("dict[str, object]", value)


def _name(top: str, name: str) -> str:
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise WrongAt((top, name), "cannot be a name", f"Use 1 to {_LONGEST_NAME} that print.")
    return name
