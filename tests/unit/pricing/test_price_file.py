"""Price files are read strictly, and errors tell the file, the place and what to do."""

import pytest

from tokonomi.errors import BadPrices
from tokonomi.pricing.overlay import compile_overlay
from tokonomi.pricing.price_file import read_contract_file, read_price_file
from tokonomi.pricing.row import Comparator, Meter, SearchUnit

MODEL = """
about = "a test"
[[model]]
provider = "p"
id = "m"
source = "a page"
"""
PRICE = f"""{MODEL}
[[model.price]]
source = "a page of 2026-01-01"
rates = {{ input = "1.25", output = "10" }}
"""


def complaint(text: str) -> str:
    with pytest.raises(BadPrices) as caught:
        compile_overlay({"mine": read_price_file(text, "mine.toml")})
    return str(caught.value)


def test_a_price_file_becomes_rows_with_their_source() -> None:
    overlay = compile_overlay({"mine": read_price_file(PRICE, "mine.toml")})
    listing = overlay.listings["p", "m"]
    assert [(row.id, row.source) for row in listing.rows] == [("mine:p/m", "a page of 2026-01-01")]
    assert overlay.providers == {"p"}


def test_everything_that_a_price_may_depend_on_is_read() -> None:
    text = f"""{PRICE}
from = 2026-03-01
to = 2026-04-01T08:00:00+08:00
tier = "flex"
batch = true
search_unit = "prompt"
windows = [{{ from = "22:00", to = "02:00", weekdays = ["fri"], closed = "days" }}]
[[model.price.above]]
threshold = 200_000
comparator = ">="
rates = {{ input = "2.50" }}
[calendar.days]
source = "a page"
days = ["2026-03-06", "2026-03-20..2026-03-21"]
"""
    (row,) = compile_overlay({"mine": read_price_file(text, "f")}).listings["p", "m"].rows
    assert row.id == "mine:p/m@2026-03-01+flex+batch+22:00-02:00/5"
    assert f"{row.valid_to:%Y-%m-%d %H:%M %Z}" == "2026-04-01 00:00 UTC"
    assert row.window is not None
    assert sorted(str(day) for day in row.window.closed_on) == [
        "2026-03-06",
        "2026-03-20",
        "2026-03-21",
    ]
    assert row.search_unit is SearchUnit.PROMPT
    assert row.context_tiers[0].comparator is Comparator.FROM
    assert row.context_tiers[0].rates[Meter.INPUT].text == "2.50"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            PRICE.replace("input", "inptu"),
            (
                "bad_prices: mine.toml, in model number 1, price number 1, rates: "
                "Invalid enum value 'inptu'. Did you mean 'input'?"
            ),
        ),
        (
            PRICE.replace("input", "xyzzy"),
            "Meters are input, cache_read,",
        ),
        (
            PRICE.replace("rates", "ratse"),
            (
                "bad_prices: mine.toml, in model number 1, price number 1: "
                "Object contains unknown field `ratse`. Did you mean 'rates'?"
            ),
        ),
        (PRICE.replace("rates", "qqqq"), "Remove the key."),
        (PRICE.replace('"1.25"', "1.25"), "Write figures as text in quotes"),
        (
            PRICE.replace('source = "a page of 2026-01-01"', ""),
            "Object missing required field `source`. Add source; a price needs its source",
        ),
        (f"{PRICE}tier = 1", "Write figures as text in quotes"),
        (f"{PRICE}batch = 1", "See docs/reference/prices.md"),
        (f"{PRICE}from = 2026-01-01T00:00:00", "Expected a time with its zone"),
        (f"{PRICE}from = 'today'", "Expected a date such as 2026-10-12"),
        (f"{PRICE}x", "mine.toml is not TOML"),
        (PRICE.replace('"1.25"', '"1,25"'), "mine, model p/m: '1,25' per 1000000 is not a price"),
        (PRICE.replace('"1.25"', '"-1"'), "negative price -1 per 1000000"),
        (PRICE + PRICE.partition('source = "a page"')[2], "for the same tier and hours"),
        (PRICE + PRICE.partition('a test"')[2], "mine: p/m is listed twice"),
        (f"{PRICE}from = 2026-01-02\nto = 2026-01-01", "before it begins"),
        (f'{PRICE}windows = [{{ from = "1 am" }}]', "'1 am' is not an hour"),
        (f'{PRICE}windows = [{{ to = "24:30" }}]', "'24:30' is not an hour"),
        (f'{PRICE}windows = [{{ closed = "x" }}]', "no calendar 'x'"),
        (
            f'{PRICE}windows = [{{ closed = "x" }}]\n[calendar.x]\nsource="s"\ndays=["soon"]',
            "'soon' is not a day",
        ),
        (
            (
                f'{PRICE}windows = [{{ closed = "x" }}]\n[calendar.x]\nsource="s"\n'
                'days=["2026-01-02..2026-01-01"]'
            ),
            "ends before it begins",
        ),
    ],
)
def test_a_wrong_price_file_is_refused_with_the_place_and_the_remedy(text: str, told: str) -> None:
    assert told in complaint(text)


def test_a_wrong_contract_is_refused_with_the_nearest_key() -> None:
    with pytest.raises(BadPrices, match="Did you mean 'discount'"):
        read_contract_file("[[discuont]]", "contract.toml")
