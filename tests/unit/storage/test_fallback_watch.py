"""The fallback watch of running gateways, on both databases."""

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Final

import pytest
from routed_calls import AT, attempt, fallen_back, served, settle

from tokonomi.calls import Status
from tokonomi.errors import BadInput
from tokonomi.money import ExchangeRate, Money
from tokonomi.routing.watch import Cause
from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store
from tokonomi.storage.event_store import Event, claim_event, latest_events
from tokonomi.storage.fallback_watch import (
    count_settled,
    in_one_currency,
    watch_fallbacks,
    watched_hours,
)
from tokonomi.storage.rate_store import set_rate
from tokonomi.storage.watch_files import load_watch_rules

RULES: Final = replace(load_watch_rules(), minimum_calls=20)
HOUR: Final = timedelta(hours=1)
NOON: Final = AT.replace(hour=0, minute=0)


def hour(database: Database, fallbacks: int, *, of: int = 20, http_status: int = 503) -> None:
    calls = [served(AT) for _ in range(of - fallbacks)]
    calls += [fallen_back(AT, http_status=http_status) for _ in range(fallbacks)]
    settle(database, [call for each in calls for call in each])


def rupiah_rate(database: Database) -> None:
    rate = ExchangeRate("USD", "IDR", Fraction(16_000), date(2026, 1, 30), "seed 001")
    set_rate(database, rate, now=AT)


def names(events: list[Event]) -> list[str]:
    return [each.name for each in events]


def test_a_share_above_a_threshold_is_told_once_for_its_hour_with_its_numbers(
    database: Database,
) -> None:
    hour(database, 1)
    assert watch_fallbacks(database, RULES, AT) == []
    hour(database, 2, of=20)
    [warned] = watch_fallbacks(database, RULES, AT)
    assert warned == Event(
        None,
        "fallback_rate warning 2026-11-26T09",
        "alias",
        "alias writer",
        "alias writer: a fallback served 3 of 40 calls (7.5%) in the hour from 2026-11-26 09:00"
        " UTC, above 5%. Contact the support of the primary's provider: its gateway does not pass"
        " calls on.",
    )
    assert watch_fallbacks(database, RULES, AT + HOUR) == []
    hour(database, 10, of=10, http_status=429)
    [critical] = watch_fallbacks(database, RULES, AT)
    assert critical.name == "fallback_rate critical 2026-11-26T09"
    assert critical.text.endswith("raise its limits: it refuses calls as too many.")
    hour(database, 0, of=200)
    assert watch_fallbacks(database, RULES, AT) == []


def test_an_hour_that_is_critical_at_once_is_not_told_as_a_warning_besides(
    database: Database,
) -> None:
    hour(database, 20)
    assert names(watch_fallbacks(database, RULES, AT)) == ["fallback_rate critical 2026-11-26T09"]
    hour(database, 0, of=200)
    assert watch_fallbacks(database, RULES, AT) == []


def test_a_new_hour_is_told_anew_and_one_that_is_long_over_not_at_all(database: Database) -> None:
    hour(database, 20)
    assert watch_fallbacks(database, RULES, AT + 4 * HOUR) == []
    later = [call for _ in range(20) for call in fallen_back(AT + 4 * HOUR)]
    settle(database, later)
    found = watch_fallbacks(database, RULES, AT + 4 * HOUR)
    assert names(found) == ["fallback_rate critical 2026-11-26T13"]


def test_aliases_are_watched_apart(database: Database) -> None:
    settle(database, [call for _ in range(30) for call in served(AT, alias="chat")])
    settle(database, [call for _ in range(20) for call in fallen_back(AT, alias="draft")])
    found = watch_fallbacks(database, RULES, AT)
    assert [each.subject for each in found] == ["alias draft"]


def test_a_day_of_the_seed_s_papers_warns_above_a_hundred_thousand_rupiah(
    database: Database,
) -> None:
    rupiah_rate(database)
    rules = replace(RULES, minimum_calls=10_000)
    hour(database, 3, of=3)
    assert watch_fallbacks(database, rules, AT) == []
    hour(database, 1, of=1)
    [warned] = watch_fallbacks(database, rules, AT)
    assert (warned.name, warned.text) == (
        "fallback_cost warning 2026-11-26",
        "alias writer: fallbacks cost Rp 108,000 on 2026-11-26 (UTC), above Rp 100,000",
    )
    hour(database, 15, of=15)
    [critical] = watch_fallbacks(database, rules, AT)
    assert critical.text.startswith("alias writer: fallbacks cost Rp 513,000 on")
    assert watch_fallbacks(database, rules, AT) == []


def test_a_cost_without_a_rate_is_not_judged(database: Database) -> None:
    rules = replace(RULES, minimum_calls=10_000)
    hour(database, 20)
    assert watch_fallbacks(database, rules, AT) == []
    rupiah_rate(database)
    assert names(watch_fallbacks(database, rules, AT)) == ["fallback_cost critical 2026-11-26"]


def test_an_event_of_an_alias_reaches_the_webhook_s_queue_like_any_other(
    database: Database,
) -> None:
    hour(database, 20)
    [event] = watch_fallbacks(database, RULES, AT)
    assert [each.event for each in latest_events(database, "alias", last=5)] == [event]
    assert latest_events(database, "wallet", last=5) == []
    claimed = claim_event(database, now=AT)
    assert claimed is not None
    assert claimed.event == event


def test_what_counts_is_a_request_and_who_served_it(database: Database) -> None:
    cut = attempt("cut", 1, at=AT, route="primary", status=Status.CUT)
    resumed = attempt("cut", 2, at=AT, route="fallback")
    left = attempt("left", 1, at=AT, route="fallback", status=Status.DISCONNECTED)
    unrouted = attempt("plain", 1, at=AT, route="")
    failed = fallen_back(AT, http_status=500)[:1]
    settle(database, [cut, resumed, left, unrouted, *failed])
    count_settled(database, now=AT)
    [counted] = watched_hours(database, since=NOON)
    assert (counted.watched.calls, counted.watched.fallbacks) == (3, 2)
    assert counted.watched.failures == {Cause.PRIMARY: 1, Cause.LIMIT: 0, Cause.GATEWAY: 0}
    assert counted.costs == {"USD": 2 * 1_687_500_000_000}


def test_each_call_is_counted_once_whoever_looks(new_store: Callable[[], Path | str]) -> None:
    store = new_store()
    with closing(open_store(store)) as database:
        hour(database, 20)
    events: list[Event] = []
    start = threading.Barrier(4)

    def look() -> None:
        with closing(open_store(store)) as database:
            start.wait()
            events.extend(watch_fallbacks(database, RULES, AT))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names(events) == ["fallback_rate critical 2026-11-26T09"]
    with closing(open_store(store)) as database:
        [counted] = watched_hours(database, since=NOON)
        assert (counted.watched.calls, counted.watched.fallbacks) == (20, 20)


def test_what_is_old_is_forgotten(database: Database) -> None:
    hour(database, 5)
    count_settled(database, now=AT)
    settle(database, served(AT + timedelta(days=40)))
    count_settled(database, now=AT + timedelta(days=40))
    assert [each.hour.day for each in watched_hours(database, since=NOON)] == [5]


def test_amounts_of_two_currencies_are_added_at_the_dated_rate_or_not_at_all() -> None:
    rate = ExchangeRate("USD", "IDR", Fraction(16_000), date(2026, 1, 30), "seed 001")
    amounts = {"USD": 10**12, "IDR": 500 * 10**8}
    assert in_one_currency(amounts, "IDR", [rate]) == Money.parse("16500", "IDR")
    assert in_one_currency(amounts, "IDR", []) is None


def test_the_rules_in_the_package_are_those_of_the_seed_in_both_languages() -> None:
    rules = load_watch_rules()
    assert (rules.rate_warning, rules.rate_critical) == (Fraction(5, 100), Fraction(15, 100))
    assert rules.cost_warning == Money.parse("100000", "IDR")
    assert rules.cost_critical == Money.parse("500000", "IDR")
    assert rules.minimum_calls == 200
    assert {*rules.actions} == {*Cause}
    assert all({*texts} == {"en", "id"} for texts in rules.actions.values())


GOOD: Final = """
source = "ours"
minimum_calls = 10
currency = "USD"
rate = { warning = "1/3", critical = "50%" }
day_cost = { warning = "5", critical = "12.50" }
action = [{ cause = "limit", en = "Call us.", id = "Hubungi kami." }]
"""


def test_own_rules_are_read_from_a_file_in_any_currency(tmp_path: Path) -> None:
    file = tmp_path / "watch.toml"
    file.write_text(GOOD, "utf-8")
    rules = load_watch_rules(file)
    assert (rules.currency, rules.cost_critical) == ("USD", Money.parse("12.50", "USD"))
    assert rules.rate_warning == Fraction(1, 3)
    assert rules.actions[Cause.LIMIT]["id"] == "Hubungi kami."
    assert rules.actions[Cause.GATEWAY] == load_watch_rules().actions[Cause.GATEWAY]


def test_what_own_rules_leave_out_is_as_the_package_says(tmp_path: Path) -> None:
    file = tmp_path / "watch.toml"
    file.write_text('source = "ours"\nminimum_calls = 3', "utf-8")
    bundled = load_watch_rules()
    assert load_watch_rules(file) == replace(bundled, source="ours", minimum_calls=3)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("minimum_calls", "minimal_calls", "unknown field"),
        ('"50%"', '"half"', "is not a share"),
        ('"50%"', '"10%"', "rate is critical at 10%, before it warns at 1/3"),
        ('"12.50"', '"4"', "day_cost is critical at 4, before it warns at 5"),
        ('currency = "USD"\n', "", "State currency and day_cost together"),
        ("= 10", "= 0", "minimum_calls is 0"),
        ("action = [", 'action = [{ cause = "limit", en = "a", id = "b" }, ', "two actions"),
        ("source =", "source", "watch.toml"),
    ],
)
def test_wrong_rules_are_refused_with_what_is_wrong(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    file = tmp_path / "watch.toml"
    file.write_text(GOOD.replace(old, new), "utf-8")
    with pytest.raises(BadInput, match=said):
        load_watch_rules(file)


def test_rules_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"missing\.toml cannot be read"):
        load_watch_rules(tmp_path / "missing.toml")
