"""Every price of the seed documents, by name, and the costs that they make of them."""

import json
import os
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tokonomi.money import ExchangeRate, Money, format_amount
from tokonomi.pricing.charge import Charge, Unpriced, charge
from tokonomi.pricing.row import Meter, PriceRow
from tokonomi.storage.price_files import load_book
from tokonomi.usage import Usage

BOOK = load_book()
AT = datetime(2026, 1, 30, tzinfo=UTC)
RUPIAH = ExchangeRate("USD", "IDR", Fraction(16_000), date(2026, 1, 30), "seed 001")
SHARED = Path(
    os.environ.get("TOKONOMI_SHARED_DATA", Path(__file__).parents[2] / ".." / "shared" / "data")
)

PRICES = [
    ("seed-000", "mistral-medium-3.1", "0.40", "2.00"),
    ("seed-000", "deepseek-r1", "0.40", "2.00"),
    ("seed-000", "gpt-4o", "2.50", "10.00"),
    ("seed-001", "gemini-2.5-flash", "0.30", "2.50"),
    ("seed-001", "gpt-5.1", "1.25", "10.00"),
    ("seed-001", "gpt-4o", "2.50", "10.00"),
    ("seed-001", "gpt-5.2", "1.75", "14.00"),
    ("seed-001", "o3", "2.00", "8.00"),
    ("seed-003", "haiku", "0.25", None),
    ("seed-003", "gpt-4o-mini", "0.25", None),
    ("seed-003", "sonnet", "3.00", None),
    ("seed-003", "gpt-4o", "3.00", None),
    ("seed-003", "opus", "15.00", None),
    ("seed-003", "o1", "15.00", None),
    ("seed-004", "gpt-4o", "5.00", "15.00"),
    ("seed-004", "gpt-4o-mini", "0.15", "0.60"),
    ("seed-004", "gpt-4-turbo", "10.00", "30.00"),
    ("seed-004", "gpt-3.5-turbo", "0.50", "1.50"),
    ("seed-004", "claude-3-5-sonnet-20241022", "3.00", "15.00"),
    ("seed-004", "claude-3-haiku-20240307", "0.25", "1.25"),
    ("seed-004", "gemini-1.5-pro", "3.50", "10.50"),
    ("seed-004", "gemini-1.5-flash", "0.075", "0.30"),
]


def row_of(provider: str, model: str) -> PriceRow:
    row = BOOK.row_at(provider, model, AT)
    assert isinstance(row, PriceRow), row
    return row


def cost(provider: str, model: str, *, input_tokens: int, output_tokens: int) -> Money:
    usage = Usage(at=AT, uncached_input=input_tokens, output=output_tokens)
    charged = charge(usage, row_of(provider, model))
    assert isinstance(charged, Charge)
    return charged.total


@pytest.mark.parametrize(("provider", "model", "price_in", "price_out"), PRICES)
def test_a_seed_states_its_price_under_its_own_name(
    provider: str, model: str, price_in: str, price_out: str | None
) -> None:
    rates = {meter: rate.text for meter, rate in row_of(provider, model).rates.items()}
    expected = {Meter.INPUT: price_in, Meter.OUTPUT: price_out}
    assert rates == {meter: text for meter, text in expected.items() if text is not None}


def test_a_seed_that_states_no_output_price_leaves_output_unpriced() -> None:
    charged = charge(Usage(at=AT, uncached_input=1, output=1), row_of("seed-003", "sonnet"))
    assert isinstance(charged, Unpriced)
    assert charged.meters == (Meter.OUTPUT,)


def test_the_seeds_price_lists_do_not_touch_the_price_of_real_calls() -> None:
    rates = row_of("openai", "gpt-4o").rates
    assert (rates[Meter.INPUT].text, rates[Meter.OUTPUT].text) == ("2.5", "10")
    assert row_of("openai", "gpt-4o-2024-05-13").rates[Meter.INPUT].text == "5"


@pytest.mark.parametrize(
    ("model", "context_window", "max_output"),
    [
        ("gpt-4o", 128_000, 4_096),
        ("gpt-4o-mini", 128_000, 16_384),
        ("gpt-4-turbo", None, 4_096),
        ("gpt-3.5-turbo", 16_000, None),
        ("claude-3-5-sonnet", 200_000, None),
        ("claude-3-haiku", 200_000, None),
        ("gemini-1.5-pro", 1_000_000, None),
        ("gemini-1.5-flash", 1_000_000, None),
    ],
)
def test_seed_004_states_context_windows_and_longest_outputs(
    model: str, context_window: int | None, max_output: int | None
) -> None:
    entry = BOOK.find("seed-004", model)
    assert entry is not None
    assert (entry.card.context_window, entry.card.max_output) == (context_window, max_output)


@pytest.mark.parametrize(
    ("provider", "model"),
    [("seed-000", "mistral-medium-3.1"), ("seed-000", "deepseek-r1")],
)
def test_a_session_of_seed_000_on_a_cheap_model_costs_88_hundred_thousandths(
    provider: str, model: str
) -> None:
    session = cost(provider, model, input_tokens=200, output_tokens=400)
    assert session.decimal() == "0.00088"
    assert (session * 4_000).decimal() == "3.52"


def test_the_month_of_seed_000_costs_eight_dollars_and_two_cents() -> None:
    cheap = cost("seed-000", "mistral-medium-3.1", input_tokens=200, output_tokens=400)
    premium = cost("seed-000", "gpt-4o", input_tokens=200, output_tokens=400)
    assert premium.decimal() == "0.0045"
    assert (cheap * 4_000 + premium * 1_000).format() == "$8.02"


@pytest.mark.parametrize(
    ("model", "per_thousand_in", "per_thousand_out"),
    [
        ("gpt-5.1", "Rp 20,00", "Rp 160,00"),
        ("gpt-4o", "Rp 40,00", "Rp 160,00"),
        ("gemini-2.5-flash", "Rp 4,80", "Rp 40,00"),
    ],
)
def test_seed_001_states_rates_in_rupiah_per_thousand_tokens(
    model: str, per_thousand_in: str, per_thousand_out: str
) -> None:
    rupiah = [
        RUPIAH.convert_exactly(cost("seed-001", model, input_tokens=i, output_tokens=o))
        for i, o in ((1_000, 0), (0, 1_000))
    ]
    assert [format_amount(each, "IDR", "id", decimals=2) for each in rupiah] == [
        per_thousand_in,
        per_thousand_out,
    ]


@pytest.mark.parametrize(
    ("model", "costs"),
    [
        ("gpt-5.1", ["Rp 27.000", "Rp 4.500", "Rp 9.000"]),
        ("gemini-2.5-flash", ["Rp 6.720", "Rp 1.120", "Rp 2.240"]),
        ("gpt-4o", ["Rp 30.000", "Rp 5.000", "Rp 10.000"]),
    ],
)
def test_the_packages_of_seed_001_cost_what_it_says(model: str, costs: list[str]) -> None:
    halves = (150_000, 25_000, 50_000)
    shown = [
        RUPIAH.convert(cost("seed-001", model, input_tokens=n, output_tokens=n)).format("id")
        for n in halves
    ]
    assert shown == costs


def test_the_prices_of_seed_001_are_those_of_the_catalogue() -> None:
    pairs = [("google", "gemini-2.5-flash"), ("openai", "gpt-5.1"), ("openai", "gpt-5.2")]
    pairs += [("openai", "gpt-4o"), ("openai", "o3")]
    for provider, model in pairs:
        real, stated = row_of(provider, model), row_of("seed-001", model)
        for meter in (Meter.INPUT, Meter.OUTPUT):
            assert real.rates[meter].sub_units == stated.rates[meter].sub_units, (model, meter)


def figures(name: str) -> list[dict[str, Any]]:
    path = SHARED / "seeds" / name
    if not path.is_file():
        pytest.skip(f"the shared figures {path} are not on this machine")
    return json.loads(path.read_text(encoding="utf-8"))["figures"]


def test_every_price_in_the_recomputed_figures_is_the_price_of_its_seed() -> None:
    by_id = {figure["id"]: figure["inputs"] for figure in figures("seed001_check.json")}
    stated = {
        "001-001": ("gpt-5.1", Meter.INPUT),
        "001-002": ("gpt-5.1", Meter.OUTPUT),
        "001-003": ("gpt-4o", Meter.INPUT),
        "001-004": ("gpt-4o", Meter.OUTPUT),
        "001-005": ("gemini-2.5-flash", Meter.INPUT),
        "001-006": ("gemini-2.5-flash", Meter.OUTPUT),
    }
    for figure, (model, meter) in stated.items():
        assert by_id[figure]["usd_per_m"] == row_of("seed-001", model).rates[meter].text, figure
    router = {figure["id"]: figure for figure in figures("seed_figures.json")}
    for figure, (model, meter) in {
        "004-001": ("gpt-4o-mini", Meter.INPUT),
        "004-002": ("gpt-4o-mini", Meter.OUTPUT),
        "004-003": ("gpt-4o", Meter.INPUT),
        "004-004": ("gpt-4o", Meter.OUTPUT),
        "004-005": ("gpt-4-turbo", Meter.INPUT),
        "004-006": ("gpt-4-turbo", Meter.OUTPUT),
    }.items():
        rate = row_of("seed-004", model).rates[meter]
        assert Fraction(router[figure]["exact_fraction"]) == Fraction(rate.text), figure
