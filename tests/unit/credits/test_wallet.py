"""Whose wallet a request uses, and what its statement says."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from tokonomi.calls import Dimensions
from tokonomi.credits.wallet import (
    Entry,
    EntryKind,
    Statement,
    WalletName,
    WalletRule,
    statement,
    wallet_name,
    wallet_of,
)
from tokonomi.errors import BadInput
from tokonomi.money import Money

FEBRUARY, MARCH = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
ANI = Dimensions(
    project="paper-app", feature="draft", user="ani", key_id="key-1", tags=(("document", "d:7"),)
)


@pytest.mark.parametrize(
    ("per", "wallet"),
    [
        ("user", "paper-app:user:ani"),
        ("project", "project:paper-app"),
        ("feature", "paper-app:feature:draft"),
        ("key", "paper-app:key:key-1"),
        ("tag:document", "paper-app:tag.document:d%3A7"),
    ],
)
def test_a_request_uses_the_wallet_of_its_user_project_or_document(per: str, wallet: str) -> None:
    assert wallet_of(WalletRule(per=per), ANI) == wallet


@pytest.mark.parametrize("per", ["user", "project", "feature", "tag:document"])
def test_the_same_name_in_another_project_has_another_wallet(per: str) -> None:
    elsewhere = replace(ANI, project="acme/paper-app")
    assert wallet_of(WalletRule(per=per), ANI) != wallet_of(WalletRule(per=per), elsewhere)


def test_a_request_that_does_not_say_whose_wallet_has_none() -> None:
    assert wallet_of(WalletRule(per="tag:document"), Dimensions(user="ani")) is None
    assert wallet_of(WalletRule(per="session"), ANI) is None


def test_a_tag_called_user_is_not_the_user() -> None:
    assert WalletName("p", "tag:user", "ani").id != WalletName("p", "user", "ani").id


@pytest.mark.parametrize(
    "text",
    [
        "ani",
        "user:ani",
        "p:user:",
        ":user:ani",
        "p:colour:red",
        "p:tag.:x",
        "p:user:a:b",
        "project:",
    ],
)
def test_what_is_no_id_of_a_wallet_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        wallet_name(text)


@pytest.mark.parametrize("text", ["p:user:a,b", "p:project:p"])
def test_an_id_has_one_spelling(text: str) -> None:
    with pytest.raises(BadInput, match="names no wallet"):
        wallet_name(text)


@pytest.mark.parametrize("per", ["documnt", "tag:", "provider", ""])
def test_a_wallet_cannot_be_bound_to_what_a_request_does_not_say(per: str) -> None:
    with pytest.raises(BadInput, match="no wallet can be bound to"):
        WalletRule(per=per)


def entry(days: int, kind: EntryKind, amount: int, rupiah: str = "", grant: str = "g") -> Entry:
    return Entry(
        at=FEBRUARY + timedelta(days=days),
        grant=grant,
        kind=kind,
        amount=amount,
        reference=f"{kind} of day {days}",
        money=Money.parse(rupiah, "IDR") if rupiah else None,
    )


BOUGHT = entry(-5, EntryKind.PURCHASE, 300_000, "80000")
BURNT = entry(-1, EntryKind.BURN, 50_000)
INSIDE = (
    entry(0, EntryKind.PROMOTION, 10_000),
    entry(1, EntryKind.BURN, 60_000),
    entry(3, EntryKind.PURCHASE, 50_000, "25000"),
    entry(4, EntryKind.ROLLED_IN, 7_000),
    entry(5, EntryKind.ROLLED_OUT, 7_000),
    entry(6, EntryKind.EXPIRY, 3_000, "800"),
    entry(27, EntryKind.REFUND, 40_000, "20000"),
)
LATER = entry(28, EntryKind.BURN, 1)


def test_a_statement_opens_sums_and_closes() -> None:
    everything = [LATER, *reversed(INSIDE), BURNT, BOUGHT]
    assert statement("default:user:ani", everything, since=FEBRUARY, until=MARCH) == Statement(
        wallet="default:user:ani",
        since=FEBRUARY,
        until=MARCH,
        opening=250_000,
        totals={
            EntryKind.PURCHASE: 50_000,
            EntryKind.PROMOTION: 10_000,
            EntryKind.ROLLED_IN: 7_000,
            EntryKind.BURN: 60_000,
            EntryKind.EXPIRY: 3_000,
            EntryKind.ROLLED_OUT: 7_000,
            EntryKind.REFUND: 40_000,
        },
        closing=207_000,
        paid=(Money.parse("25000", "IDR"),),
        paid_back=(Money.parse("20000", "IDR"),),
        entries=INSIDE,
    )


def test_a_statement_of_one_period_needs_only_its_entries_and_the_balance_before() -> None:
    everything = [BOUGHT, BURNT, *INSIDE, LATER]
    whole = statement("default:user:ani", everything, since=FEBRUARY, until=MARCH)
    part = statement("default:user:ani", INSIDE, since=FEBRUARY, until=MARCH, before=250_000)
    assert part == whole


def test_money_in_two_currencies_is_not_added() -> None:
    dollars = Entry(
        at=FEBRUARY, grant="h", kind=EntryKind.PURCHASE, amount=1, money=Money.parse("5", "USD")
    )
    both = statement("default:user:ani", [BOUGHT, dollars], since=BOUGHT.at, until=MARCH)
    assert both.paid == (Money.parse("80000", "IDR"), Money.parse("5", "USD"))
