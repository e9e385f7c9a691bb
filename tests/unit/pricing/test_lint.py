"""Alarms about implausible rows."""

from tokonomi.pricing.book import ModelEntry
from tokonomi.pricing.lint import Finding, Rule, Severity, lint_entry, lint_row
from tokonomi.pricing.listing import ModelCard, Rank
from tokonomi.pricing.row import PER, Comparator, ContextTier, Meter, PriceRow, Rate
from tokonomi.pricing.schedule import RankedRow


def rates(**prices: str) -> dict[Meter, Rate]:
    return {
        Meter(name): Rate.of(text, per=PER[Meter(name)], currency="USD")
        for name, text in prices.items()
    }


def row(*tiers: ContextTier, **prices: str) -> PriceRow:
    return PriceRow("row", "p", "m", "USD", "a test", rates(**prices), context_tiers=tiers)


def entry(*rows: RankedRow, unpriced: str = "") -> ModelEntry:
    return ModelEntry("p", "m", "p/m", (), ModelCard(), rows, unpriced)


def test_a_plausible_row_raises_no_alarm() -> None:
    claude = row(input="3", cache_read="0.3", cache_write_5m="3.75", cache_write_1h="6", output="9")
    assert [*lint_row(claude)] == []
    assert [*lint_row(row(search="2"))] == []


def test_each_implausible_figure_is_told_with_the_one_that_it_was_held_against() -> None:
    odd = row(input="4", cache_read="5", cache_write_5m="4", cache_write_1h="6", output="20")
    assert [(finding.rule, finding.message) for finding in lint_row(odd)] == [
        (Rule.READ_ABOVE_INPUT, "cache_read 5 is above input 4"),
        (Rule.HOUR_NOT_TWICE, "cache_write_1h 6 is not twice input 4"),
        (Rule.WRITE_NOT_FIVE_QUARTERS, "cache_write_5m 4 is not 1.25 times input 4"),
    ]


def test_a_model_without_an_output_price_is_told() -> None:
    [finding] = lint_row(row(input="1"), own=True)
    assert (finding.severity, finding.rule) == (Severity.NOTICE, Rule.OUTPUT_MISSING)


def test_a_context_tier_is_looked_at_with_what_it_inherits() -> None:
    tier = ContextTier(200_000, Comparator.ABOVE, rates(cache_read="3"))
    told = [*lint_row(row(tier, input="2", cache_read="1", output="8"))]
    assert [finding.message for finding in told] == [
        "cache_read 3 is above input 2 from 200001 input tokens"
    ]


def test_a_read_above_input_is_an_error_only_in_our_own_files() -> None:
    odd = row(input="1", cache_read="2", output="3")
    found = [
        next(lint_entry(entry(RankedRow(rank, odd)))).severity
        for rank in (Rank.CATALOGUE, Rank.OVERLAY, Rank.CONTRACT)
    ]
    assert found == [Severity.WARNING, Severity.ERROR, Severity.ERROR]


def test_a_dynamic_price_is_an_error_about_the_model() -> None:
    unpriced = entry(unpriced="negative price -1 per 1000000")
    assert [*lint_entry(unpriced)] == [
        Finding(Severity.ERROR, Rule.DYNAMIC_PRICE, "p/m", "negative price -1 per 1000000")
    ]
    assert [*lint_entry(entry(unpriced="listed without a price"))] == []
