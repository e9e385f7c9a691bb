"""Changes that people make: as a rehearsal where they ask for one, and never without a trace."""

import contextlib
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Generic, NamedTuple, TypeVar

import msgspec

from tokonomi.configuration.document import Table
from tokonomi.storage.call_rows import microseconds
from tokonomi.storage.database import Database, only_row

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """What stood before a change, and what stands after it; None where there was nothing."""

    old: T | None
    new: T | None


class Author(NamedTuple):
    """Who makes a change, and what they say of it."""

    who: str
    message: str = ""


UNNAMED: Final = Author("unnamed")
"""A program that uses the store directly and does not say who it is."""


class _Rehearsed(Exception):
    """Ends a transaction that was only tried."""


@contextlib.contextmanager
def change(database: Database, *, dry_run: bool = False) -> Generator[None]:
    """A write transaction; with `dry_run` everything in it happens, and then none of it did.

    So a rehearsal answers what the change itself would answer, refusals among them.
    """
    with contextlib.suppress(_Rehearsed), database.transaction(accounts=True):
        yield
        if dry_run:
            raise _Rehearsed


@dataclass(frozen=True, slots=True)
class Changing:
    """A change of what requests must pass, while it is made.

    Attributes:
        database: in a transaction.
        number: of this change; gateways see by it that there is news.
        now: when it is made, in UTC.
    """

    database: Database
    number: int
    now: datetime
    _noted: dict[tuple[str, str], tuple[Table | None, Table | None]] = field(
        default_factory=dict[tuple[str, str], tuple[Table | None, Table | None]]
    )

    def note(self, kind: str, name: str, before: Table | None, after: Table | None) -> None:
        """Keeps what an item was and what it is, for good; nothing where both are the same."""
        if before != after:
            self._noted[kind, name] = before, after

    def keep(self, by: Author) -> None:
        """Writes what was noted as the version of this change; nothing where nothing was."""
        if not self._noted:
            return
        self.database.execute(
            "INSERT INTO config_version (version, at_us, who, message) VALUES (?, ?, ?, ?)",
            (self.number, microseconds(self.now), by.who, by.message),
        )
        self.database.executemany(
            "INSERT INTO config_change (kind, name, version, old_table, new_table)"
            " VALUES (?, ?, ?, ?, ?)",
            [
                (*item, self.number, _encoded(before), _encoded(after))
                for item, (before, after) in self._noted.items()
            ],
        )


@contextlib.contextmanager
def change_of_rules(
    database: Database, *, now: datetime, by: Author = UNNAMED, dry_run: bool = False
) -> Generator[Changing]:
    """A change of what requests must pass, with its number: gateways see that there is news.

    The row that counts the changes is locked, so they are made one after the other. What is noted
    becomes a version of the configuration.
    """
    with change(database, dry_run=dry_run):
        raised = "UPDATE rules_version SET version = version + 1 RETURNING version"
        changing = Changing(database, int(only_row(database, raised)[0]), now)
        yield changing
        changing.keep(by)


def for_update(database: Database) -> str:
    """What a SELECT ends with to lock its rows; SQLite has locked everything already."""
    return " FOR UPDATE" if database.dialect == "postgresql" else ""


def _encoded(table: Mapping[str, object] | None) -> str | None:
    return None if table is None else msgspec.json.encode(dict(table)).decode()
