"""The size of a hold over a chain of targets, in the currency of a budget."""

from datetime import date
from fractions import Fraction

import pytest

from tokonomi.budgets.hold_size import (
    HoldSize,
    OutputLimit,
    Refused,
    Target,
    amount_to_hold,
    converted_up,
    hold_size,
    output_limit,
    rate_between,
)
from tokonomi.budgets.limit import Budget, Mode
from tokonomi.budgets.window import Period, Window
from tokonomi.errors import BadInput
from tokonomi.money import ExchangeRate, Money
from tokonomi.pricing.bound import Bounds, Unbounded
from tokonomi.pricing.charge import Unpriced
from tokonomi.pricing.row import Meter, PriceRow, Rate

RATE = ExchangeRate("USD", "IDR", Fraction(16_000), date(2026, 1, 30), "seed 001")
BOUNDS = Bounds(input_tokens=1_000, output_tokens=1_000)


def row(name: str, price_in: str, price_out: str, currency: str = "USD") -> PriceRow:
    return PriceRow(
        id=name,
        provider="openrouter",
        model=name,
        currency=currency,
        source="seed 001, 2026-01-30",
        rates={
            Meter.INPUT: Rate.of(price_in, per=10**6, currency=currency),
            Meter.OUTPUT: Rate.of(price_out, per=10**6, currency=currency),
        },
    )


def target(*rows: PriceRow, name: str = "", bounds: Bounds = BOUNDS) -> Target:
    return Target(name=name or rows[0].id, rows=rows, bounds=bounds)


def usd(text: str) -> Money:
    return Money.parse(text, "USD")


def size(text: str, *, currency: str = "USD", free: bool = False) -> HoldSize:
    return HoldSize(money=Money.parse(text, currency), dearest="gpt-5.1", free=free)


GEMINI, GPT = row("gemini-2.5-flash", "0.30", "2.50"), row("gpt-5.1", "1.25", "10.00")
LOCAL = row("smollm2", "0", "0")


def budget(mode: Mode = Mode.HARD, **amounts: str) -> Budget:
    money = {name: usd(text) for name, text in amounts.items()}
    return Budget(
        id="team",
        window=Window(period=Period.DAY),
        currency="USD",
        mode=mode,
        amount=money.get("amount"),
        per_request=money.get("per_request"),
        overshoot=money.get("overshoot"),
    )


def test_the_dearest_target_of_the_seed_s_chain_sets_the_hold_in_either_order() -> None:
    for chain in ([target(GEMINI), target(GPT)], [target(GPT), target(GEMINI)]):
        assert hold_size(chain, currency="USD") == HoldSize(
            money=usd("0.01125"), dearest="gpt-5.1", free=False
        )


def test_the_seed_s_thousand_tokens_in_rupiah() -> None:
    held = hold_size([target(GPT)], currency="IDR", rates=[RATE])
    assert held == HoldSize(money=Money.parse("180", "IDR"), dearest="gpt-5.1", free=False)


def test_every_row_that_may_serve_counts() -> None:
    priority = row("gpt-5.1/priority", "2.50", "20.00")
    held = hold_size([target(GPT, priority)], currency="USD")
    assert isinstance(held, HoldSize)
    assert held.money == usd("0.0225")


def test_every_attempt_that_may_be_billed_is_held() -> None:
    held = hold_size([target(GEMINI), target(GPT)], currency="USD", billed_attempts=3)
    assert isinstance(held, HoldSize)
    assert held.money == usd("0.03375")


def test_a_target_without_a_row_makes_the_cost_unknown() -> None:
    unknown = Target(name="new/model", rows=(), bounds=BOUNDS)
    assert hold_size([target(GPT), unknown], currency="USD") == Unpriced(
        "new/model has no price row"
    )


def test_a_target_without_a_price_for_searches_makes_the_cost_unknown() -> None:
    searching = target(GPT, bounds=Bounds(input_tokens=1, output_tokens=1, searches=1))
    assert hold_size([searching], currency="USD") == Unpriced(
        "gpt-5.1 has no price for search", (Meter.SEARCH,)
    )


def test_a_currency_without_a_rate_makes_the_cost_unknown() -> None:
    assert hold_size([target(GPT)], currency="EUR", rates=[RATE]) == Unpriced(
        "prices are in USD, and no rate to EUR is given; set it with"
        " `tokonomi budget rate USD EUR RATE --source WHERE`"
    )


def test_a_row_in_rupiah_is_held_in_dollars_at_the_same_rate_turned_round() -> None:
    contract = row("contract", "16000", "16000", "IDR")
    held = hold_size([target(contract)], currency="USD", rates=[RATE])
    assert isinstance(held, HoldSize)
    assert held.money == usd("0.002")


def test_a_chain_is_free_only_if_every_target_is() -> None:
    alone = hold_size([target(LOCAL)], currency="IDR")
    backed = hold_size([target(LOCAL), target(GEMINI)], currency="USD")
    assert isinstance(alone, HoldSize)
    assert isinstance(backed, HoldSize)
    assert (alone.free, alone.money) == (True, Money(0, "IDR"))
    assert (backed.free, backed.money) == (False, usd("0.0028"))


@pytest.mark.parametrize(("targets", "attempts"), [((), 1), ((target(GPT),), 0)])
def test_a_request_that_goes_nowhere_is_refused(targets: tuple[Target, ...], attempts: int) -> None:
    with pytest.raises(BadInput, match="targets and"):
        hold_size(targets, currency="USD", billed_attempts=attempts)


def test_a_hold_that_no_ledger_can_keep_is_refused_with_both_numbers() -> None:
    endless = Bounds(input_tokens=1, output_tokens=10**13)
    size = hold_size([target(GPT, bounds=endless)], currency="USD")
    assert size == Unbounded(
        "it may cost 100,000,000 USD at gpt-5.1, and a ledger holds at most 9,223,372 USD",
        remedy="Lower max_tokens or n.",
        code="request_too_dear",
    )
    refused = amount_to_hold(budget(amount="1"), size)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.what.partition(":")[0]) == (
        "request_too_dear",
        "budget team is hard, and no balance can hold this request",
    )
    assert amount_to_hold(budget(Mode.NOTIFY, amount="1"), size) == 0


def test_a_hold_that_only_its_attempts_make_too_large_is_refused() -> None:
    large = Bounds(input_tokens=1, output_tokens=5 * 10**11)
    assert isinstance(hold_size([target(GPT, bounds=large)], currency="USD"), HoldSize)
    twice = hold_size([target(GPT, bounds=large)], currency="USD", billed_attempts=2)
    assert isinstance(twice, Unbounded)


@pytest.mark.parametrize(
    ("size", "what"),
    [
        (
            Unbounded("`x` is odd", remedy="Leave it out.", param="x"),
            "budget team is hard, and the cost of this request is not known: `x` is odd",
        ),
        (
            Unbounded("`x` is odd", remedy="Leave it out.", param="x", code="invalid_request"),
            "`x` is odd",
        ),
    ],
)
def test_a_field_without_a_bound_is_refused_by_its_name_and_with_its_own_remedy(
    size: Unbounded, what: str
) -> None:
    assert amount_to_hold(budget(amount="1"), size) == Refused(
        code=size.code, source="budget team", what=what, remedy="Leave it out.", param="x"
    )


def test_a_rate_is_found_as_stated_turned_round_or_not_at_all() -> None:
    euro = ExchangeRate("EUR", "USD", Fraction(11, 10), date(2026, 1, 30), "a test")
    assert rate_between([euro, RATE], "USD", "IDR") == RATE
    assert rate_between([RATE, euro], "USD", "EUR") == ExchangeRate(
        "USD", "EUR", Fraction(10, 11), date(2026, 1, 30), "a test"
    )
    assert rate_between([RATE], "EUR", "IDR") is None


def test_a_hold_rounds_up_where_its_capture_rounds_half_up() -> None:
    odd = ExchangeRate("USD", "IDR", Fraction(1, 3), date(2026, 1, 30), "a test")
    ten_thousand_and_one = Money(10_001, "USD")
    assert converted_up(ten_thousand_and_one, odd) == Money(1, "IDR")
    assert odd.convert(ten_thousand_and_one) == Money(0, "IDR")


def test_a_budget_that_can_refuse_refuses_an_unknown_price() -> None:
    unknown = Unpriced("new/model has no price row")
    for able in (
        budget(amount="10"),
        budget(Mode.SOFT, amount="10", overshoot="1"),
        budget(per_request="1"),
    ):
        refused = amount_to_hold(able, unknown)
        assert isinstance(refused, Refused)
        assert (refused.code, refused.source) == ("price_unknown", "budget team")
        assert "new/model has no price row" in refused.what
    assert amount_to_hold(budget(), unknown) == 0
    assert amount_to_hold(budget(Mode.NOTIFY, amount="10"), unknown) == 0


def test_a_request_above_the_cap_is_refused_with_both_numbers() -> None:
    refused = amount_to_hold(budget(amount="10", per_request="0.01"), size("0.01125"))
    assert refused == Refused(
        code="request_too_dear",
        source="budget team",
        what="this request may cost $0.0113 at gpt-5.1, budget team allows $0.01 a request",
        remedy="Lower max_tokens or n, shorten the prompt, or raise per_request.",
    )
    assert (
        amount_to_hold(budget(per_request="0.01125"), size("0.01125")) == usd("0.01125").sub_units
    )


def test_a_free_request_holds_nothing() -> None:
    assert amount_to_hold(budget(amount="0"), size("0", free=True)) == 0


@pytest.mark.parametrize(
    ("asked", "model_maximum", "cap", "limit"),
    [
        (500, 128_000, None, OutputLimit(500, None)),
        (500, None, 4_096, OutputLimit(500, None)),
        (0, None, None, OutputLimit(0, None)),
        (9_000, 128_000, 4_096, OutputLimit(4_096, 4_096)),
        (None, None, 4_096, OutputLimit(4_096, 4_096)),
        (None, 2_048, 4_096, OutputLimit(2_048, None)),
        (9_000, 2_048, 4_096, OutputLimit(2_048, None)),
        (None, 128_000, None, OutputLimit(128_000, None)),
    ],
)
def test_the_output_is_bounded_by_the_request_the_cap_or_the_model(
    asked: int | None, model_maximum: int | None, cap: int | None, limit: OutputLimit
) -> None:
    assert output_limit(asked, model_maximum=model_maximum, cap=cap) == limit


def test_an_output_that_nothing_bounds_has_no_known_price() -> None:
    assert isinstance(output_limit(None, model_maximum=None, cap=None), Unpriced)
