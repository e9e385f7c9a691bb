"""Alarms about implausible price rows. An alarm never changes a price."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tokonomi.pricing.book import ModelEntry
from tokonomi.pricing.listing import Rank
from tokonomi.pricing.row import Meter, PriceRow, Rate


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    """A bill would be wrong, and the file that says so is ours or the user's."""
    WARNING = "warning"
    """Unusual: to be compared with the provider's page."""
    NOTICE = "notice"
    """Right for most rows that show it."""


class Rule(StrEnum):
    """What is looked at."""

    DYNAMIC_PRICE = "dynamic_price"
    """A negative price, by which some catalogues mean one that changes."""
    READ_ABOVE_INPUT = "read_above_input"
    """A cache read that costs more than reading the input afresh."""
    WRITE_NOT_FIVE_QUARTERS = "write_not_1.25x_input"
    """A cache write that is not 1.25 times the input price, where an hour's write is stated."""
    HOUR_NOT_TWICE = "write_1h_not_2x_input"
    """A cache write for an hour that is not twice the input price."""
    OUTPUT_MISSING = "output_missing"
    """A model that takes input tokens and has no price for output: right for embeddings."""
    RATE_ROUNDED = "rate_rounded"
    """A figure finer than a sub-unit of its currency, rounded half-up."""


_NOTICES: Final = frozenset({Rule.OUTPUT_MISSING, Rule.RATE_ROUNDED})


@dataclass(frozen=True, slots=True)
class Finding:
    """One alarm about one row, with the figures."""

    severity: Severity
    rule: Rule
    row_id: str
    message: str


def lint_entry(entry: ModelEntry) -> Iterator[Finding]:
    """The alarms about a model's rows."""
    if entry.unpriced.startswith("negative price"):
        yield Finding(Severity.ERROR, Rule.DYNAMIC_PRICE, entry.asked, entry.unpriced)
    for ranked in entry.rows:
        yield from lint_row(ranked.row, own=ranked.rank is not Rank.CATALOGUE)


def lint_row(row: PriceRow, *, own: bool = False) -> Iterator[Finding]:
    """The alarms about a row; `own` says that its file is ours or the user's to mend."""
    brackets = {"": row.rates} | {
        f" from {tier.first_tokens} input tokens": {**row.rates, **tier.rates}
        for tier in row.context_tiers
    }
    for where, rates in brackets.items():
        for rule, message in _alarms(rates):
            yield Finding(_severity(rule, own=own), rule, row.id, f"{message}{where}")


def _severity(rule: Rule, *, own: bool) -> Severity:
    if rule in _NOTICES:
        return Severity.NOTICE
    return Severity.ERROR if own and rule is Rule.READ_ABOVE_INPUT else Severity.WARNING


def _alarms(rates: Mapping[Meter, Rate]) -> Iterator[tuple[Rule, str]]:
    price = {meter: rate.sub_units for meter, rate in rates.items()}
    text = {meter: rate.text for meter, rate in rates.items()}
    fresh = price.get(Meter.INPUT)
    if fresh is not None:
        if Meter.OUTPUT not in price:
            yield Rule.OUTPUT_MISSING, "input has a price and output has none"
        if price.get(Meter.CACHE_READ, fresh) > fresh:
            yield Rule.READ_ABOVE_INPUT, _against_input(text, Meter.CACHE_READ, "above")
        hour, write = price.get(Meter.CACHE_WRITE_1H), price.get(Meter.CACHE_WRITE_5M)
        if hour is not None and hour != 2 * fresh:
            yield Rule.HOUR_NOT_TWICE, _against_input(text, Meter.CACHE_WRITE_1H, "not twice")
        if hour is not None and write is not None and 4 * write != 5 * fresh:
            yield (
                Rule.WRITE_NOT_FIVE_QUARTERS,
                _against_input(text, Meter.CACHE_WRITE_5M, "not 1.25 times"),
            )
    for meter, rate in rates.items():
        if not rate.exact:
            yield Rule.RATE_ROUNDED, f"{meter} {rate.text} per {rate.per:,} is {rate.sub_units}"


def _against_input(text: Mapping[Meter, str], meter: Meter, how: str) -> str:
    return f"{meter} {text[meter]} is {how} input {text[Meter.INPUT]}"
