"""Wallet rules in the store: whose credits requests use, by which weights, and when to warn."""

from datetime import datetime

import msgspec

from tokonomi.configuration.document import Kind
from tokonomi.credits.rule_table import StoredRule, rule_from_table, rule_to_table
from tokonomi.errors import NotFound
from tokonomi.naming import meant
from tokonomi.storage.call_rows import microseconds
from tokonomi.storage.changes import UNNAMED, Author, Change, Changing, change_of_rules
from tokonomi.storage.database import Database


def set_rule(
    database: Database,
    stored: StoredRule,
    *,
    now: datetime,
    by: Author = UNNAMED,
    dry_run: bool = False,
) -> Change[StoredRule]:
    """The rule of its dimension, and the one that it replaces where there was one."""
    with change_of_rules(database, now=now, by=by, dry_run=dry_run) as changing:
        return put_rule(changing, stored)


def put_rule(changing: Changing, stored: StoredRule) -> Change[StoredRule]:
    """The rule of its dimension, as `set_rule` sets it."""
    per, table = stored.rule.per, rule_to_table(stored)
    old = _find(changing.database, per)
    changing.database.execute(
        "INSERT INTO wallet_rule (per, definition, changed_us) VALUES (?, ?, ?)"
        " ON CONFLICT (per) DO UPDATE SET definition = excluded.definition,"
        " changed_us = excluded.changed_us",
        (per, msgspec.json.encode(table).decode(), microseconds(changing.now)),
    )
    changing.note(Kind.WALLET_RULE, per, old and rule_to_table(old), table)
    return Change(old, stored)


def remove_rule(
    database: Database, per: str, *, now: datetime, by: Author = UNNAMED, dry_run: bool = False
) -> Change[StoredRule]:
    """The rule that is no more: requests use no wallet of this dimension. Wallets stay.

    Raises:
        NotFound: there is no rule for this dimension.
    """
    with change_of_rules(database, now=now, by=by, dry_run=dry_run) as changing:
        return drop_rule(changing, per)


def drop_rule(changing: Changing, per: str) -> Change[StoredRule]:
    """The rule that is no more, as `remove_rule` removes it.

    Raises:
        NotFound: there is no rule for this dimension.
    """
    old = _find(changing.database, per)
    if old is None:
        known = [each.rule.per for each in every_rule(changing.database)]
        raise NotFound(
            f'there is no wallet rule for "{per}"',
            remedy=meant(per, known) if known else "There is none at all.",
        )
    changing.database.execute("DELETE FROM wallet_rule WHERE per = ?", (per,))
    changing.note(Kind.WALLET_RULE, per, rule_to_table(old), None)
    return Change(old, None)


def every_rule(database: Database) -> tuple[StoredRule, ...]:
    """All rules, in the order of their dimensions."""
    rows = database.execute("SELECT definition FROM wallet_rule")
    return tuple(sorted((_read(row[0]) for row in rows), key=lambda each: each.rule.per))


def _find(database: Database, per: str) -> StoredRule | None:
    row = database.execute("SELECT definition FROM wallet_rule WHERE per = ?", (per,)).fetchone()
    return None if row is None else _read(row[0])


def _read(definition: str) -> StoredRule:
    return rule_from_table(msgspec.json.decode(definition, type=dict[str, object]))
