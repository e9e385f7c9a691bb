"""The configuration in the store: its versions, what changed in each, and who changed it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Final

import msgspec

from tokonomi.budgets.rate_table import decimal_text
from tokonomi.configuration.canonical import rate_of
from tokonomi.configuration.changes import ItemChange, changes_between
from tokonomi.configuration.document import Document, Item, Kind, Table
from tokonomi.credits.rule_table import rule_from_table
from tokonomi.errors import NotFound
from tokonomi.storage.budget_store import checked_budget, end_budget, put_budget
from tokonomi.storage.call_rows import instant
from tokonomi.storage.changes import UNNAMED, Author, Changing, change_of_rules
from tokonomi.storage.database import Database, only_row
from tokonomi.storage.ledger import Conflict
from tokonomi.storage.rate_store import drop_rate, put_rate
from tokonomi.storage.wallet_rules import drop_rule, put_rule

KIND_OF_SECRETS: Final = "secret"
"""The kind of changes that are kept beside the document: a secret was set, or removed."""
_NAMED_CHANGES: Final = 5


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the configuration: its number, when it was made, by whom, and why."""

    number: int
    at: datetime
    who: str
    message: str


@dataclass(frozen=True, slots=True)
class InForce:
    """The document that is in force, and the number of its version, 0 before the first one."""

    version: int
    document: Document


@dataclass(frozen=True, slots=True)
class AuditRow:
    """What happened to one item in one version; None where it was not there."""

    version: Version
    kind: str
    name: str
    before: Table | None
    after: Table | None


@dataclass(frozen=True, slots=True)
class Applied:
    """What was changed, and the version that it became; the old one when nothing was."""

    version: int
    changes: tuple[ItemChange, ...]


def in_force(database: Database) -> InForce:
    """The document that is in force, with its version, all of one instant."""
    with database.snapshot():
        version = version_in_force(database)
        return InForce(version, _document(database, version))


def version_in_force(database: Database) -> int:
    """The number of the newest version, 0 before the first one."""
    return int(only_row(database, "SELECT COALESCE(MAX(version), 0) FROM config_version")[0])


def document_of(database: Database, version: int) -> Document:
    """The document of a version.

    Raises:
        NotFound: there is no such version.
    """
    find_version(database, version)
    return _document(database, version)


def find_version(database: Database, number: int) -> Version:
    """The version with this number.

    Raises:
        NotFound: there is none.
    """
    known = 0 < number <= version_in_force(database)
    row = known and database.execute(f"{_VERSIONS} WHERE version = ?", (number,)).fetchone()
    if not row:
        raise NotFound(
            f"the configuration has no version {number}",
            remedy="`tokonomi config history` lists them.",
        )
    return _version(*row)


def latest_versions(database: Database, *, last: int) -> list[Version]:
    """The newest versions, the newest first."""
    rows = database.execute(f"{_VERSIONS} ORDER BY version DESC LIMIT ?", (last,))
    return [_version(*row) for row in rows]


def audit_of(database: Database, number: int) -> list[AuditRow]:
    """What happened in one version, in the order of kinds and names."""
    version = find_version(database, number)
    rows = database.execute(
        "SELECT kind, name, old_table, new_table FROM config_change WHERE version = ?"
        " ORDER BY kind, name",
        (number,),
    )
    return [
        AuditRow(version, kind, name, _decoded(before), _decoded(after))
        for kind, name, before, after in rows
    ]


def last_author(database: Database, item: Item) -> str | None:
    """Who has changed an item last, also by removing it; None when there never was one."""
    row = database.execute(
        "SELECT who FROM config_change JOIN config_version USING (version)"
        " WHERE kind = ? AND name = ? ORDER BY version DESC LIMIT 1",
        (item.kind, item.name),
    ).fetchone()
    return None if row is None else str(row[0])


def apply(
    database: Database,
    wanted: Document,
    *,
    based_on: int,
    now: datetime,
    by: Author = UNNAMED,
    dry_run: bool = False,
) -> Applied:
    """What was changed so that the wanted document, a checked one, is in force: all or nothing.

    `based_on` is the version that was looked at when the wanted document was made. What was spent
    stays spent: budgets go through the same functions as when they are changed one by one.

    Raises:
        Conflict: another version is in force by now.
        BadInput: a budget's currency would change, or a rate is of a day to come.
    """
    with change_of_rules(database, now=now, by=by, dry_run=dry_run) as changing:
        current = refuse_other_than(database, based_on)
        changes = changes_between(_document(database, current), wanted)
        for each in changes:
            _carry_out(changing, each)
    return Applied(changing.number if changes and not dry_run else current, changes)


def refuse_other_than(database: Database, version: int) -> int:
    """The version in force, which is this one.

    Raises:
        Conflict: another version is in force by now; says what was changed since.
    """
    current = version_in_force(database)
    if current != version:
        raise _conflict(database, version, current)
    return current


def _conflict(database: Database, based_on: int, current: int) -> Conflict:
    rows = database.execute(
        "SELECT DISTINCT kind, name FROM config_change WHERE version > ? ORDER BY kind, name",
        (based_on,),
    ).fetchall()
    names = [f"{kind} {name}".rstrip() for kind, name in rows[:_NAMED_CHANGES]]
    more = [f"{len(rows) - _NAMED_CHANGES} more"] if len(rows) > _NAMED_CHANGES else []
    last = find_version(database, current)
    return Conflict(
        f"the configuration is at version {current} by now, made by {last.who}, and this change"
        f" was made on version {based_on}; changed since: {', '.join([*names, *more])}",
        remedy="Look at it again, and apply anew.",
    )


def _carry_out(changing: Changing, change: ItemChange) -> None:
    before, after = change.before, change.after
    match change.item.kind:
        case Kind.BUDGET if after is not None:
            put_budget(changing, checked_budget(after))
        case Kind.BUDGET:
            end_budget(changing, change.item.name)
        case Kind.RATE if after is not None:
            put_rate(changing, rate_of(after))
        case Kind.RATE if before is not None:
            drop_rate(changing, rate_of(before))
        case Kind.WALLET_RULE if after is not None:
            put_rule(changing, rule_from_table(after))
        case Kind.WALLET_RULE:
            drop_rule(changing, change.item.name)
        case kind:
            changing.note(kind, change.item.name, before, after)


_VERSIONS: Final = "SELECT version, at_us, who, message FROM config_version"


def _version(number: int, at_us: int, who: str, message: str) -> Version:
    return Version(number, instant(at_us), who, message)


def _document(database: Database, version: int) -> Document:
    rows: Sequence[tuple[str, str, str]] = database.execute(
        "SELECT kind, name, new_table FROM config_change AS newest"
        " WHERE new_table IS NOT NULL AND kind <> ? AND version ="
        " (SELECT MAX(version) FROM config_change AS other WHERE other.kind = newest.kind"
        " AND other.name = newest.name AND other.version <= ?)",
        (KIND_OF_SECRETS, version),
    ).fetchall()
    return Document.of({Item(Kind(kind), name): _table(kind, text) for kind, name, text in rows})


def _table(kind: str, text: str) -> Table:
    table = msgspec.json.decode(text, type=dict[str, object])
    if kind == Kind.RATE:
        # Stores of before versions kept a rate as a fraction.
        return table | {"rate": decimal_text(Fraction(str(table["rate"])))}
    return table


def _decoded(text: str | None) -> Table | None:
    return None if text is None else msgspec.json.decode(text, type=dict[str, object])
