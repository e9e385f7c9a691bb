"""What findings save, in exact amounts, with a cache and without one."""

from datetime import UTC, date, datetime
from fractions import Fraction

import pytest

from tokonomi.errors import BadInput
from tokonomi.money import Money
from tokonomi.pricing.charge import Unpriced
from tokonomi.pricing.row import Meter, PriceRow, Rate
from tokonomi.prompts.finding import Analysis, Finding, Kind, Piece
from tokonomi.prompts.model_facts import CacheMinimum, Marking
from tokonomi.prompts.place import Place
from tokonomi.prompts.request import Part
from tokonomi.prompts.savings import Savings, Terms, mended_prefix, savings

AT = datetime(2026, 11, 22, tzinfo=UTC)
PLACE = Place(0, 1, 1, 1, 1, 1)
MILLION = 1_000_000


def row(**prices: str) -> PriceRow:
    rates = {
        Meter(meter): Rate.of(text, per=MILLION, currency="USD") for meter, text in prices.items()
    }
    return PriceRow("row", "p", "m", "USD", "a test", rates)


PLAIN = row(input="1")
CACHED = row(input="10", cache_read="1", cache_write_5m="12.5")


def minimum(tokens: int, marking: Marking = "automatic") -> CacheMinimum:
    return CacheMinimum(
        label="",
        providers=("p",),
        models=("m",),
        tokens=tokens,
        step=1,
        marking=marking,
        source="a test",
        read_on=date(2026, 11, 22),
    )


def finding(kind: Kind, piece: int, saved: int = 0, *, certain: bool = True) -> Finding:
    pieces = (piece, piece + 1)
    return Finding(kind, "r", PLACE, "t", Part.SYSTEM, saved, saved, pieces, certain=certain)


def prompt(*findings: Finding, tokens: tuple[int, ...], marked: bool | None = None) -> Analysis:
    """A prompt of these pieces, with one turn of 100 tokens behind them."""
    moving = {each.pieces[0] for each in findings if each.kind is Kind.VOLATILE and each.certain}
    pieces = [Piece(n, Part.SYSTEM, volatile=at in moving) for at, n in enumerate(tokens)]
    turn = Piece(100, Part.TURNS, in_prefix=False)
    return Analysis("p", (*pieces, turn), findings, marked=marked)


def usd(text: str) -> Money:
    return Money.parse(text, "USD")


def amounts(found: Savings) -> list[str]:
    return [each.decimal() if isinstance(each, Money) else str(each) for each in found.each]


def test_text_that_goes_saves_its_tokens_in_every_call() -> None:
    analysis = prompt(finding(Kind.DEFAULT, 0, 10), finding(Kind.EXAMPLE, 1, 40), tokens=(10, 90))
    found = savings(analysis, Terms(PLAIN, AT, calls=MILLION))
    assert found.cost == usd("200")
    assert (amounts(found), found.total) == (["10", "40"], usd("50"))


def test_moved_text_saves_what_the_cache_then_holds_at_most() -> None:
    analysis = prompt(finding(Kind.VOLATILE, 1), tokens=(1000, 10, 2000))
    found = savings(analysis, Terms(CACHED, AT, calls=1000, minimum=minimum(1024)))
    # 3,110 tokens at 10; the prefix of 1,000 is too short; moved, 3,000 are read at 1.
    assert (found.cost, found.cache) == (usd("31.1"), usd("0"))
    assert amounts(found) == ["27"]
    assert mended_prefix(analysis) == 3000


def test_what_the_present_prefix_saves_is_told_apart_from_the_findings() -> None:
    analysis = prompt(finding(Kind.VOLATILE, 1), tokens=(1024, 10, 1000))
    found = savings(analysis, Terms(CACHED, AT, calls=1000, minimum=minimum(1024)))
    assert (found.cache, amounts(found)) == (usd("9.216"), ["9"])


def test_a_stated_share_of_hits_prices_the_prompt_as_it_is_cached_today() -> None:
    analysis = prompt(finding(Kind.DEFAULT, 0, 100), tokens=(2000,))
    hits = Fraction(9, 10)
    found = savings(analysis, Terms(CACHED, AT, 1000, minimum(1024), hits))
    # A token of the prefix costs 0.9 x 1 + 0.1 x 12.5 = 2.15 a million, a turn's 10.
    assert (found.cost, amounts(found), found.cache) == (usd("5.3"), ["0.215"], None)


def test_a_prefix_that_is_not_marked_is_not_cached_today() -> None:
    terms = Terms(CACHED, AT, 1000, minimum(1024, "explicit"), Fraction(1))
    unmarked = savings(prompt(tokens=(2000,), marked=False), terms)
    marked = savings(prompt(tokens=(2000,), marked=True), terms)
    unknown = savings(prompt(tokens=(2000,), marked=None), terms)
    assert (unmarked.cost, unmarked.cache) == (usd("21"), usd("18"))
    assert (marked.cost, marked.cache) == (unknown.cost, unknown.cache) == (usd("3"), None)


def test_shorter_text_that_falls_out_of_the_cache_saves_nothing() -> None:
    analysis = prompt(finding(Kind.DEFAULT, 0, 10), tokens=(1030,))
    found = savings(analysis, Terms(CACHED, AT, 1000, minimum(1024), Fraction(1)))
    assert (found.cost, amounts(found)) == (usd("2.03"), ["0"])
    assert mended_prefix(analysis) == 1020


def test_a_cache_that_costs_more_than_it_saves_is_not_used() -> None:
    analysis = prompt(finding(Kind.VOLATILE, 0), tokens=(10, 2000))
    found = savings(analysis, Terms(CACHED, AT, 1000, minimum(1024), Fraction(0)))
    assert (found.cost, found.cache, amounts(found)) == (usd("21.1"), usd("0"), ["0"])


def test_an_unknown_price_makes_no_amount_and_no_zero() -> None:
    unknown = Unpriced("nobody knows m")
    shown = finding(Kind.VOLATILE, 1, certain=False)
    analysis = prompt(finding(Kind.DEFAULT, 0, 10), shown, tokens=(10, 5))
    found = savings(analysis, Terms(unknown, AT, calls=5))
    assert (found.cost, found.each, found.total) == (unknown, (unknown, None), None)


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        (Terms(CACHED, AT, 5), "no source states the shortest prefix that row caches"),
        (Terms(PLAIN, AT, 5, minimum(1)), "row has no price for cache_read"),
    ],
)
def test_what_a_cache_saves_is_unpriced_where_a_figure_is_missing(
    terms: Terms, reason: str
) -> None:
    analysis = prompt(finding(Kind.DEFAULT, 0, 10), finding(Kind.VOLATILE, 1), tokens=(10, 5, 50))
    found = savings(analysis, terms)
    assert isinstance(found.cache, Unpriced)
    assert (found.cache.reason, found.each[1]) == (reason, found.cache)
    assert found.total == found.each[0]


def test_a_price_that_lacks_writes_takes_input_and_one_without_input_is_unpriced() -> None:
    no_writes = row(input="10", cache_read="1")
    found = savings(prompt(tokens=(2000,)), Terms(no_writes, AT, 1, minimum(1), Fraction(1, 2)))
    assert found.cost == usd("0.012")
    nothing = savings(prompt(tokens=(2000,)), Terms(row(output="1"), AT, 1))
    assert isinstance(nothing.cost, Unpriced)


def test_a_cache_write_too_dear_for_a_column_leaves_the_cache_unpriced() -> None:
    dear = row(input="1", cache_read="0.1", cache_write_5m="9000000000")
    analysis = prompt(finding(Kind.VOLATILE, 0), tokens=(10, 2000))
    never_hit = savings(analysis, Terms(dear, AT, 1, minimum(1), Fraction(0)))
    assert never_hit.cost == usd("0.00211")
    assert isinstance(never_hit.each[0], Unpriced)
    assert "do not fit a 64-bit column" in never_hit.each[0].reason
    always_hit = savings(analysis, Terms(dear, AT, 1, minimum(1)))
    assert amounts(always_hit) == ["0.0018"]


def test_savings_without_findings_have_no_total() -> None:
    assert savings(prompt(tokens=(5,)), Terms(PLAIN, AT, 5)).total is None


@pytest.mark.parametrize(("calls", "hits"), [(-1, None), (1, Fraction(-1)), (1, Fraction(2))])
def test_impossible_terms_are_refused(calls: int, hits: Fraction | None) -> None:
    with pytest.raises(BadInput, match="bad_input"):
        Terms(PLAIN, AT, calls, None, hits)
