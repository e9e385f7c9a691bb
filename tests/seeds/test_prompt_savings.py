"""What seed 003 says of prompts: the cost of a system prompt, and of a shorter one."""

from datetime import UTC, datetime
from fractions import Fraction

from tokonomi.money import Money, format_percent
from tokonomi.prompts.finding import Analysis, Finding, Kind, Piece
from tokonomi.prompts.place import Place
from tokonomi.prompts.request import Part
from tokonomi.prompts.savings import Terms, savings
from tokonomi.storage.price_files import load_book

AT = datetime(2026, 1, 30, tzinfo=UTC)
SONNET = load_book().row_at("seed-003", "sonnet", AT)
QUERIES_A_DAY = 10_000


def test_a_system_prompt_of_1500_tokens_costs_45_dollars_a_day() -> None:
    prompt = Analysis("system", (Piece(1_500, Part.SYSTEM),), ())
    assert savings(prompt, Terms(SONNET, AT, QUERIES_A_DAY)).cost == Money.parse("45", "USD")


def test_going_from_2100_tokens_to_890_saves_58_percent_of_the_input() -> None:
    gone = 2_100 - 890
    place = Place(0, 1, 1, 1, 1, 1)
    found = Finding(Kind.EXAMPLE, "r", place, "t", Part.EXAMPLES, gone, gone, (0, 1))
    prompt = Analysis("system", (Piece(2_100, Part.SYSTEM),), (found,))
    told = savings(prompt, Terms(SONNET, AT, QUERIES_A_DAY))
    assert isinstance(told.cost, Money)
    assert isinstance(told.total, Money)
    assert (told.cost, told.total) == (Money.parse("63", "USD"), Money.parse("36.3", "USD"))
    share = Fraction(told.total.sub_units, told.cost.sub_units)
    assert format_percent(share, decimals=0) == "58%"
