"""Wallet rules in the store: whose credits requests use, by which weights, and when to warn."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Final

import msgspec

from tokonomi.calls import NAMED_DIMENSIONS, TAG_PREFIX
from tokonomi.credits.grant import credits_to_text
from tokonomi.credits.package import weight_from_text
from tokonomi.credits.wallet import WalletRule, wallet_id
from tokonomi.credits.weights import MILLI, Weights
from tokonomi.errors import BadInput, NotFound
from tokonomi.naming import escaped, meant
from tokonomi.storage.call_rows import microseconds
from tokonomi.storage.changes import Change, change_of_rules
from tokonomi.storage.database import Database

_CREDITS: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class StoredRule:
    """A wallet rule with what a credit is in its wallets.

    Attributes:
        rule: whose wallet a request uses.
        weights: what the classes of its tokens count.
        low_at: milli-credits at which a wallet is told to run low, None for never.
    """

    rule: WalletRule
    weights: Weights = field(default_factory=Weights)
    low_at: int | None = None


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    per: str
    required: bool = True
    tokens: int = MILLI
    weights: dict[str, str | int] = {}
    low_at: str | int | None = None


def rule_from_table(stated: Mapping[str, object]) -> StoredRule:
    """The rule that a table states: `per`, `required`, `tokens`, `weights`, `low_at` in credits.

    Raises:
        BadInput: an unknown key, class or dimension, or a wrong type.

    >>> rule = rule_from_table({"per": "user", "weights": {"output": "8"}, "low_at": "10"})
    >>> rule.weights.weight("output"), rule.low_at
    (Fraction(8, 1), 10000)
    """
    try:
        table = msgspec.convert(dict(stated), _Table)
    except msgspec.ValidationError as wrong:
        raise BadInput(
            f"a wallet rule: {wrong}", remedy=f"It may have {', '.join(_Table.__struct_fields__)}."
        ) from None
    weights = {name: weight_from_text(text, name) for name, text in table.weights.items()}
    return StoredRule(
        WalletRule(per=table.per, required=table.required),
        Weights(table.tokens, weights),
        None if table.low_at is None else credits_from_text(str(table.low_at)),
    )


def rule_to_table(stored: StoredRule) -> dict[str, object]:
    """The table that states a rule; `rule_from_table` reads it back."""
    table: dict[str, object] = {
        "per": stored.rule.per,
        "required": stored.rule.required,
        "tokens": stored.weights.tokens_per_credit,
        "weights": {name: str(weight) for name, weight in sorted(stored.weights.stated.items())},
    }
    if stored.low_at is not None:
        table["low_at"] = credits_to_text(stored.low_at)
    return table


def credits_from_text(text: str) -> int:
    """The milli-credits that a person states in credits: `300` or `0.5`.

    Raises:
        BadInput: not a number of credits, or finer than a thousandth.

    >>> credits_from_text("0.5")
    500
    """
    if not _CREDITS.fullmatch(text):
        raise BadInput(
            f"{text!r} is no number of credits",
            remedy="Write 300 or 0.5, with at most three decimals.",
        )
    return int(Fraction(Decimal(text)) * MILLI)


def wallet_named(text: str) -> str:
    """The id of the wallet that a person names, as `user=ani` or by its id, `user:ani`.

    Raises:
        BadInput: it names no dimension, or no value.

    >>> wallet_named("tag:document=d:7"), wallet_named("user:ani")
    ('tag.document:d%3A7', 'user:ani')
    """
    per, equals, value = text.partition("=")
    if equals and value:
        WalletRule(per=per)
        return wallet_id(per, value)
    kind, colon, rest = text.partition(":")
    tag = kind.startswith("tag.") and len(kind) > len("tag.")
    if not colon or not rest or not (kind in NAMED_DIMENSIONS or tag) or ":" in rest:
        raise BadInput(f'"{text}" names no wallet', remedy="Write user=ani or tag:document=d-7.")
    return text


def wallet_prefix(per: str) -> str:
    """What the ids of all wallets of a rule begin with.

    >>> wallet_prefix("tag:document")
    'tag.document:'
    """
    if per.startswith(TAG_PREFIX):
        return f"tag.{escaped(per.removeprefix(TAG_PREFIX))}:"
    return f"{per}:"


def set_rule(
    database: Database, stored: StoredRule, *, now: datetime, dry_run: bool = False
) -> Change[StoredRule]:
    """The rule of its dimension, and the one that it replaces where there was one."""
    with change_of_rules(database, dry_run=dry_run):
        old = _find(database, stored.rule.per)
        database.execute(
            "INSERT INTO wallet_rule (per, definition, changed_us) VALUES (?, ?, ?)"
            " ON CONFLICT (per) DO UPDATE SET definition = excluded.definition,"
            " changed_us = excluded.changed_us",
            (
                stored.rule.per,
                msgspec.json.encode(rule_to_table(stored)).decode(),
                microseconds(now),
            ),
        )
    return Change(old, stored)


def remove_rule(database: Database, per: str, *, dry_run: bool = False) -> Change[StoredRule]:
    """The rule that is no more: requests use no wallet of this dimension. Wallets stay.

    Raises:
        NotFound: there is no rule for this dimension.
    """
    with change_of_rules(database, dry_run=dry_run):
        old = _find(database, per)
        if old is None:
            known = [each.rule.per for each in every_rule(database)]
            raise NotFound(
                f'there is no wallet rule for "{per}"',
                remedy=meant(per, known) if known else "There is none at all.",
            )
        database.execute("DELETE FROM wallet_rule WHERE per = ?", (per,))
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
