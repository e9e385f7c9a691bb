"""Wallet rules are stored as the table that states them."""

from datetime import UTC, datetime
from fractions import Fraction

import pytest

from tokonomi.credits.rule_table import (
    StoredRule,
    credits_from_text,
    rule_from_table,
    rule_to_table,
)
from tokonomi.credits.wallet import WalletRule
from tokonomi.credits.weights import Weights
from tokonomi.errors import BadInput, NotFound
from tokonomi.storage.database import Database
from tokonomi.storage.rules_in_force import load_rules, rules_version
from tokonomi.storage.wallet_rules import every_rule, remove_rule, set_rule

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
USER = StoredRule(
    WalletRule(per="user"),
    Weights(1000, {"output": Fraction(8), "cache_read": Fraction(1, 10)}),
    low_at=10_000,
)
PAPER = StoredRule(WalletRule(per="tag:document", required=False))


def test_a_rule_is_read_as_it_was_written(database: Database) -> None:
    assert set_rule(database, USER, now=NOW).old is None
    set_rule(database, PAPER, now=NOW)
    assert load_rules(database).wallets == every_rule(database) == (PAPER, USER)
    assert rule_from_table(rule_to_table(USER)) == USER


def test_a_change_and_a_removal_tell_what_was(database: Database) -> None:
    set_rule(database, USER, now=NOW)
    plain = StoredRule(WalletRule(per="user"))
    seen = rules_version(database)
    assert set_rule(database, plain, now=NOW).old == USER
    assert remove_rule(database, "user", now=NOW, dry_run=True).old == plain
    assert remove_rule(database, "user", now=NOW).old == plain
    assert (every_rule(database), rules_version(database)) == ((), seen + 2)
    with pytest.raises(NotFound, match='no wallet rule for "user"'):
        remove_rule(database, "user", now=NOW)


@pytest.mark.parametrize(
    ("stated", "what"),
    [
        ({"per": "colour"}, 'no wallet can be bound to "colour"'),
        ({"per": "user", "weight": {}}, "unknown field `weight`"),
        ({"per": "user", "weights": {"output": "-1"}}, "the weight of output"),
        ({"per": "user", "weights": {"outptu": "1"}}, 'no class of tokens is called "outptu"'),
        ({"per": "user", "low_at": "ten"}, "'ten' is no number of credits"),
        ({"per": "user", "tokens": 0}, "0 tokens in a credit"),
    ],
)
def test_a_wrong_rule_is_told(stated: dict[str, object], what: str) -> None:
    with pytest.raises(BadInput) as told:
        rule_from_table(stated)
    assert what in str(told.value)


def test_credits_have_at_most_three_decimals() -> None:
    assert [credits_from_text(text) for text in ("300", "0.5", "0.001")] == [300_000, 500, 1]
    with pytest.raises(BadInput, match="is no number of credits"):
        credits_from_text("0.0005")
