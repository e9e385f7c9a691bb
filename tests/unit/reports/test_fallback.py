"""The report on fallback, over the lake and the tail of both databases."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any, Final

import pytest
from msgspec import structs
from routed_calls import AT, attempt, fallen_back, served, settle

from tokonomi.calls import Call, Status
from tokonomi.money import ExchangeRate
from tokonomi.pricing.charge import Unpriced
from tokonomi.reports.amounts import Wording
from tokonomi.reports.fallback import FallbackView, Stretch, fallback_rows, fallback_table
from tokonomi.reports.forms import FORMS
from tokonomi.reports.tables import tabulated
from tokonomi.routing.watch import Cause
from tokonomi.storage.analytics import Period
from tokonomi.storage.engine import open_store
from tokonomi.storage.lake import export
from tokonomi.storage.location import Location
from tokonomi.storage.price_files import load_book
from tokonomi.storage.watch_files import load_watch_rules

RULES: Final = replace(load_watch_rules(), minimum_calls=10)
RATES: Final = (ExchangeRate("USD", "IDR", Fraction(16_000), date(2026, 1, 30), "seed 001"),)
MACHINE: Final = Wording("json")
NewLocation = Callable[[], Location]


def kept(location: Location, *calls: list[Call]) -> Location:
    """A store with half of the calls in the lake and half behind its watermark."""
    every = [call for each in calls for call in each]
    with closing(open_store(location.address)) as database:
        settle(database, every[::2])
        export(database, location.lake)
        settle(database, every[1::2])
    return location


def lines(
    location: Location, *, by: Stretch = "hour", words: Wording = MACHINE, rates: Any = RATES
) -> list[dict[str, object]]:
    table = fallback_table(
        fallback_rows(location, load_book(), by=by), FallbackView(RULES, rates, words, by)
    )
    names = [each.name for each in table.headings]
    return [dict(zip(names, row, strict=True)) for row in table.rows]


def test_a_paper_of_the_seed_that_fell_back_costs_twenty_thousand_rupiah_more(
    new_location: NewLocation,
):
    location = kept(new_location(), fallen_back(AT), *(served(AT) for _ in range(9)))
    assert lines(location) == [
        {
            "alias": "writer",
            "hour": "2026-11-26 09:00",
            "calls": 10,
            "fallbacks": 1,
            "rate": "0.1",
            "fallback_cost": "27000",
            "primary_cost": "6720",
            "extra_cost": "20280",
            "currency": "IDR",
            "unpriced": None,
            "served_by": "openai/gpt-5.1 (1)",
            "level": "warning",
            "action": RULES.actions[Cause.GATEWAY]["en"],
        }
    ]


def test_rows_are_by_alias_and_hour_in_the_order_of_time_and_of_a_period(
    new_location: NewLocation,
):
    later = AT + timedelta(hours=2)
    location = kept(
        new_location(), served(later), fallen_back(AT, alias="draft"), served(AT), served(AT)
    )
    found = [(each["hour"], each["alias"], each["calls"]) for each in lines(location)]
    assert found == [
        ("2026-11-26 09:00", "draft", 1),
        ("2026-11-26 09:00", "writer", 2),
        ("2026-11-26 11:00", "writer", 1),
    ]
    within = fallback_rows(location, load_book(), period=Period(since=later))
    assert [*within] == [("writer", "2026-11-26 11:00")]


def test_a_day_is_judged_by_its_cost_as_well(new_location: NewLocation):
    location = kept(
        new_location(), *(fallen_back(AT) for _ in range(4)), *(served(AT) for _ in range(100))
    )
    assert [each["level"] for each in lines(location)] == ["ok"]
    [day] = lines(location, by="day")
    assert (day["day"], day["fallback_cost"], day["level"]) == ("2026-11-26", "108000", "warning")


@pytest.mark.parametrize(
    ("http_status", "said"), [(429, "Pertimbangkan"), (500, "Selidiki"), (502, "Hubungi")]
)
def test_the_action_follows_from_what_the_primary_s_failures_point_to(
    new_location: NewLocation, http_status: int, said: str
):
    calls = [fallen_back(AT, http_status=http_status) for _ in range(10)]
    [line] = lines(kept(new_location(), *calls), words=Wording("table", "id"))
    assert str(line["action"]).startswith(said)
    assert (line["rate"], line["extra_cost"], line["level"]) == ("100,0%", "Rp 202.800", "critical")


def test_what_the_primary_would_have_cost_is_unknown_where_no_call_went_there(
    new_location: NewLocation,
):
    [line] = lines(kept(new_location(), fallen_back(AT)[1:]))
    assert (line["fallback_cost"], line["primary_cost"], line["extra_cost"]) == (
        "27000",
        None,
        None,
    )


def test_without_a_rate_costs_stand_in_their_own_currency_and_are_not_judged(
    new_location: NewLocation,
):
    location = kept(new_location(), *(fallen_back(AT) for _ in range(9)))
    [line] = lines(location, by="day", rates=())
    assert (line["fallback_cost"], line["currency"], line["level"]) == ("15.1875", "USD", "ok")
    rows = fallback_rows(location, load_book())
    table = fallback_table(rows, FallbackView(RULES, (), Wording()))
    assert "`tokonomi budget rate USD IDR RATE` sets one" in table.notes[-1]


def test_a_fallback_served_each_call_once_whatever_its_attempts_were_billed(
    new_location: NewLocation,
):
    [failed, fallback] = fallen_back(AT)
    billed = [
        structs.replace(
            fallback,
            intent=structs.replace(fallback.intent, id=f"{fallback.intent.request_id}.{number}"),
            status=Status.FAILED,
        )
        for number in (3, 4)
    ]
    [other, free] = fallen_back(AT)
    unpriced = structs.replace(free, cost=Unpriced("no price"))
    [line] = lines(kept(new_location(), [failed, fallback, *billed], [other, unpriced]))
    assert (line["fallbacks"], line["served_by"]) == (2, "openai/gpt-5.1 (2)")


def test_a_cost_of_which_a_part_is_unknown_is_unknown(new_location: NewLocation):
    [failed, fallback] = fallen_back(AT)
    unpriced = structs.replace(fallback, cost=Unpriced("no price"))
    [line] = lines(kept(new_location(), [failed, unpriced], fallen_back(AT)))
    assert (line["fallbacks"], line["unpriced"]) == (2, 1)
    assert (line["fallback_cost"], line["extra_cost"]) == (None, None)


def test_calls_without_a_route_and_resumed_ones_are_counted_right(new_location: NewLocation):
    cut = attempt("cut", 1, at=AT, route="primary", status=Status.CUT)
    resumed = attempt("cut", 2, at=AT, route="fallback")
    plain = attempt("plain", 1, at=AT, route="")
    [line] = lines(kept(new_location(), [cut, resumed, plain]))
    assert (line["calls"], line["fallbacks"]) == (1, 1)


def test_a_period_without_chains_says_so_in_every_form(new_location: NewLocation):
    rows = fallback_rows(kept(new_location(), []), load_book())
    table = fallback_table(rows, FallbackView(RULES, RATES, MACHINE))
    assert table.notes == ("No call of this period went through a chain of targets.",)
    assert all(tabulated(table, form) for form in FORMS)
