"""Options that commands on the store share: where it is, how answers are written, rehearsals."""

import getpass
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cyclopts import Parameter

from tokonomi.cli.printing import Listing, print_table
from tokonomi.errors import WrongUsage
from tokonomi.money import Locale
from tokonomi.reports.amounts import Wording
from tokonomi.reports.events import events_table
from tokonomi.reports.forms import Form
from tokonomi.reports.tables import Table
from tokonomi.storage.changes import Author
from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store
from tokonomi.storage.event_store import About, latest_events
from tokonomi.storage.location import Location, locate


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which store is meant.

    Attributes:
        store: path of the store, or the DSN of a PostgreSQL database.
        data: folder of the store and its lake.
    """

    store: str = ""
    data: Path | None = None

    @property
    def location(self) -> Location:
        """Where the store and its lake lie."""
        return locate(self.store, data=self.data)

    @contextmanager
    def opened(self) -> Generator[Database]:
        """A connection to the store, closed at the end."""
        with closing(open_store(self.location.address)) as database:
            yield database


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How an answer is written.

    Attributes:
        format: the form.
        locale: whose way of writing amounts: en or id.
        output: a file to write to instead of the terminal.
    """

    format: Form = "table"
    locale: Locale = "en"
    output: Path | None = None

    @property
    def words(self) -> Wording:
        """How its amounts are written."""
        return Wording(self.format, self.locale)

    def print(self, table: Table, *, dry_run: bool = False) -> None:
        """Nothing: the table is written, and says when it was a rehearsal."""
        if dry_run:
            said = "A rehearsal (--dry-run): nothing was written."
            table = replace(table, notes=(*table.notes, said))
        print_table(table, Listing(format=self.format, output=self.output))


def print_events(about: About, *, last: int, place: Place, answer: Answer) -> None:
    """Nothing: the newest events of budgets, of wallets or of aliases are written.

    Raises:
        WrongUsage: fewer than one is asked for.
    """
    if last < 1:
        raise WrongUsage(f"--last {last} is no number of events", remedy="Ask for 1 or more.")
    with place.opened() as database:
        found = latest_events(database, about, last=last)
    answer.print(events_table(f"Events of {_SEVERAL[about]}, the newest first", found))


_SEVERAL: Final = {"budget": "budgets", "wallet": "wallets", "alias": "aliases"}
DEFAULT_STORE: Final = Place()
PLAIN: Final = Answer()


def utc_now() -> datetime:
    """This instant, in UTC."""
    return datetime.now(UTC)


def author(message: str = "") -> Author:
    """Who types, for the history of the configuration, and what they say of the change."""
    try:
        return Author(getpass.getuser(), message)
    except (KeyError, OSError):
        return Author("a user without a name", message)


def in_utc(at: datetime | None) -> datetime | None:
    """The instant in UTC; a time without a zone is meant in UTC."""
    if at is None:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def pairs(texts: list[str] | None, option: str) -> dict[str, str]:
    """The names and values of texts like `feature=growth`.

    Raises:
        WrongUsage: a text has no `=`.
    """
    found: dict[str, str] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise WrongUsage(f"{option} {text!r} has no =", remedy="Write NAME=VALUE.")
        found[name] = value
    return found
