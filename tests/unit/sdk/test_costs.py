"""Costs of a process: exact, by any dimension, and never 0 where they are not known."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.errors import BadMoney, WrongUsage
from tokonomi.money import Money
from tokonomi.pricing.charge import Charge, Unpriced
from tokonomi.sdk import Costs
from tokonomi.sdk.costs import MOST_VALUES, OTHER
from tokonomi.usage import Source, Usage

AT = datetime(2026, 1, 30, tzinfo=UTC)


def call(
    amount: int | None,
    *,
    model: str = "gpt-4o-mini",
    feature: str = "draft",
    user: str = "",
    currency: str = "USD",
    source: Source = Source.REPORTED,
) -> Call:
    cost = Unpriced("no price") if amount is None else Charge("row", currency, amount, ())
    who = Dimensions(feature=feature, user=user, provider="openai", tags=(("tenant", "a"),))
    return Call(
        intent=Intent(id="a.1", at=AT, dimensions=who, model=model),
        model_served=model,
        usage=Usage(at=AT, uncached_input=1_000, output=10, source=source),
        cost=cost,
        status=Status.OK,
    )


def costs_of(*calls: Call) -> Costs:
    costs = Costs()
    for each in calls:
        costs.add(each)
    return costs


def test_nothing_was_spent_before_the_first_call() -> None:
    costs = Costs()
    assert (costs.total(), costs.average_per_call()) == (Money(0, "USD"), Money(0, "USD"))
    assert (costs.last, costs.last_call, costs.by("model")) == (None, None, {})
    assert repr(costs) == "<Costs: no cost for 0 calls>"


def test_sums_are_exact_and_an_average_is_rounded_half_up() -> None:
    costs = costs_of(call(1), call(2), call(2, feature="summary"), call(None, feature="summary"))
    assert costs.total() == Money(5, "USD")
    assert costs.average_per_call() == Money(2, "USD")
    assert costs.by("feature")["summary"].cost == Money(2, "USD")
    assert costs.by("feature")["summary"].unpriced == 1
    assert costs.by("tag:tenant")["a"].calls == 4
    assert costs.by("tag:nobody") == {}
    assert costs.spend().input_tokens == 4_000
    assert costs.last == Unpriced("no price")


def test_calls_without_a_price_are_not_free() -> None:
    costs = costs_of(call(None), call(None))
    assert costs.total() == Unpriced("none of the 2 calls has a price")
    assert costs.average_per_call() == costs.total()


def test_two_currencies_are_not_added() -> None:
    costs = costs_of(call(10**12), call(2_700_000_000_000, currency="IDR"))
    assert costs.spend().amounts == (Money(2_700_000_000_000, "IDR"), Money(10**12, "USD"))
    with pytest.raises(BadMoney, match="priced in IDR, USD") as raised:
        costs.total()
    assert raised.value.remedy == "Read `amounts`, one for each currency."
    assert "Rp 27,000 + $1.00" in str(costs)


def test_an_unknown_dimension_is_named_with_the_one_that_was_meant() -> None:
    with pytest.raises(WrongUsage) as raised:
        Costs().by("modle")
    assert raised.value.remedy == 'Did you mean "model"?'


def test_a_dimension_with_very_many_values_keeps_its_sum() -> None:
    costs = costs_of(*(call(1, user=f"user-{number}") for number in range(MOST_VALUES + 5)))
    by_user = costs.by("user")
    assert len(by_user) == MOST_VALUES + 1
    assert by_user[OTHER].cost == Money(5, "USD")


def test_many_threads_lose_no_call() -> None:
    costs = Costs()
    threads = [
        threading.Thread(target=lambda: [costs.add(call(1)) for _ in range(500)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert costs.total() == Money(2_000, "USD")


def test_the_summary_reads_well() -> None:
    costs = costs_of(
        call(8_020_000_000_000),
        call(880_000_000, model="a-b-c", source=Source.ESTIMATED),
        call(None, model="not-known"),
    )
    assert str(costs) == (
        "model        calls  input  output      cost\n"
        "gpt-4o-mini      1  1,000      10     $8.02\n"
        "a-b-c            1  1,000      10  $0.00088\n"
        "not-known        1  1,000      10  unpriced\n"
        "total            3  3,000      30     $8.02\n"
        "1 call without a price.\n"
        "1 call with estimated tokens."
    )
    assert repr(costs) == "<Costs: $8.02 for 3 calls>"


def test_a_notebook_shows_a_table_in_which_names_cannot_be_markup() -> None:
    notebook: Any = costs_of(call(1, model="<script>"))
    shown = notebook._repr_html_()
    assert "<td>&lt;script&gt;</td>" in shown
    assert "<script>" not in shown
    assert shown.count("<tr>") == 3
