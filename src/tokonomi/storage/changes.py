"""Changes that people make: as a rehearsal where they ask for one, and never without a trace."""

import contextlib
from collections.abc import Generator
from dataclasses import dataclass
from typing import Generic, TypeVar

from tokonomi.storage.database import Database, only_row

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """What stood before a change, and what stands after it; None where there was nothing."""

    old: T | None
    new: T | None


class _Rehearsed(Exception):
    """Ends a transaction that was only tried."""


@contextlib.contextmanager
def change(database: Database, *, dry_run: bool = False) -> Generator[None]:
    """A write transaction; with `dry_run` everything in it happens, and then none of it did.

    So a rehearsal answers what the change itself would answer, refusals among them.
    """
    with contextlib.suppress(_Rehearsed), database.transaction():
        yield
        if dry_run:
            raise _Rehearsed


@contextlib.contextmanager
def change_of_rules(database: Database, *, dry_run: bool = False) -> Generator[int]:
    """A change of what requests must pass, with its number: gateways see that there is news.

    The row that counts the changes is locked, so they are made one after the other.
    """
    with change(database, dry_run=dry_run):
        raised = "UPDATE rules_version SET version = version + 1 RETURNING version"
        yield int(only_row(database, raised)[0])


def for_update(database: Database) -> str:
    """What a SELECT ends with to lock its rows; SQLite has locked everything already."""
    return " FOR UPDATE" if database.dialect == "postgresql" else ""
