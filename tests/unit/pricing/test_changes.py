"""What changed between two dates and between two books."""

from datetime import UTC, datetime
from fractions import Fraction

from tokonomi.pricing.book import PriceBook
from tokonomi.pricing.catalogue import Catalogue
from tokonomi.pricing.changes import Change, changes_between, changes_of_books
from tokonomi.pricing.overlay import compile_overlay
from tokonomi.pricing.price_file import read_price_file
from tokonomi.pricing.row import Meter

JANUARY, MARCH = datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 3, 15, tzinfo=UTC)
HEAD = 'about = "a test"\n[[model]]\nprovider = "p"\nid = "m"\nsource = "s"\n'


def price(told: str) -> str:
    return f'[[model.price]]\nsource = "s"\n{told}\n'


def book_of(*prices: str) -> PriceBook:
    text = HEAD + "".join(map(price, prices))
    return PriceBook(Catalogue([], "1"), compile_overlay({"f": read_price_file(text, "f")}))


def told(change: Change) -> tuple[str, int, str, str, Fraction | None]:
    before = change.before.text if change.before else "-"
    after = change.after.text if change.after else "-"
    return change.meter.value, change.first_tokens, before, after, change.ratio


def test_only_meters_whose_price_differs_are_told() -> None:
    book = book_of(
        'to = 2026-02-01\nrates = { input = "2.0", output = "8", search = "0" }',
        'from = 2026-02-01\nrates = { input = "2", output = "6", search = "1" }',
    )
    found = [*changes_between(book, JANUARY, MARCH)]
    assert [told(change) for change in found] == [
        ("output", 0, "8", "6", Fraction(-1, 4)),
        ("search", 0, "0", "1", None),
    ]
    assert (found[0].row_before, found[0].row_after) == ("f:p/m", "f:p/m@2026-02-01")


def test_a_price_that_begins_or_ends_is_a_change_from_or_to_unknown() -> None:
    book = book_of('from = 2026-02-01\ntier = "flex"\nrates = { input = "1" }')
    assert [told(change) for change in changes_between(book, JANUARY, MARCH)] == [
        ("input", 0, "-", "1", None)
    ]
    assert [told(change) for change in changes_between(book, MARCH, JANUARY)] == [
        ("input", 0, "1", "-", None)
    ]


def test_a_changed_context_tier_is_told_with_its_threshold() -> None:
    tier = '[[model.price.above]]\nthreshold = 200_000\ncomparator = ">"\nrates = { input = "4" }'
    book = book_of(
        'to = 2026-02-01\nrates = { input = "2" }',
        f'from = 2026-02-01\nrates = {{ input = "2" }}\n{tier}',
    )
    assert [told(change) for change in changes_between(book, JANUARY, MARCH)] == [
        ("input", 200_001, "-", "4", None)
    ]


def test_nothing_changes_where_the_same_row_holds() -> None:
    book = book_of('rates = { input = "2" }')
    assert [*changes_between(book, JANUARY, MARCH)] == []


def test_two_books_are_compared_where_both_have_a_price() -> None:
    lower = book_of('rates = { input = "2", output = "8" }')
    upper = book_of(
        'rates = { input = "1", output = "8" }', 'tier = "flex"\nrates = { input = "9" }'
    )
    changes = [*changes_of_books(lower, upper, MARCH)]
    assert [(change.tier, change.meter, change.ratio) for change in changes] == [
        ("standard", Meter.INPUT, Fraction(-1, 2))
    ]
