"""`tokonomi prices`: what models cost, when, by which source, and how an amount is made."""

import difflib
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter

from tokonomi.cli.printing import AS_TABLE, Listing, print_table
from tokonomi.errors import NotFound, WrongUsage
from tokonomi.pricing.book import ModelEntry, PriceBook
from tokonomi.pricing.changes import changes_between, changes_of_books
from tokonomi.pricing.charge import Unpriced, charge
from tokonomi.pricing.lint import Severity, lint_entry
from tokonomi.pricing.overlay import compile_overlay
from tokonomi.reports.prices import (
    changes_table,
    charge_table,
    findings_table,
    models_table,
    rows_table,
)
from tokonomi.storage.price_files import bundled_catalogue, load_book
from tokonomi.usage import STANDARD_TIER, Usage

app = App(name="prices", help="Show, find, compare, check and explain prices.")

NEAR_NAMES: Final = 3


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Which prices are read.

    Attributes:
        contract: your own prices and discounts, a TOML file that goes over all others.
    """

    contract: Path | None = None


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Consumption:
    """What a call consumed.

    Attributes:
        input: all input tokens, those below among them.
        cached: input tokens that were read from the provider's cache.
        cache_write: input tokens that were written to the cache for five minutes.
        cache_write_1h: input tokens that were written to the cache for an hour.
        audio_in: input tokens of audio.
        image_in: input tokens of images.
        output: all output tokens, those below among them.
        reasoning: output tokens of hidden reasoning.
        audio_out: output tokens of audio.
        image_out: output tokens of images.
        searches: billable web searches.
        requests: billable requests.
    """

    input: int = 0
    cached: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    audio_in: int = 0
    image_in: int = 0
    output: int = 0
    reasoning: int = 0
    audio_out: int = 0
    image_out: int = 0
    searches: int = 0
    requests: int = 1


BUNDLED: Final = Source()
NOTHING_CONSUMED: Final = Consumption()


@app.command
def show(
    model: str = "",
    /,
    *,
    provider: str = "",
    at: datetime | None = None,
    source: Source = BUNDLED,
    listing: Listing = AS_TABLE,
) -> None:
    """Show every price of a model, or the current standard prices of all models.

    Args:
        model: a model by any of its names, such as gpt-5.1 or openai/gpt-5.1.
        provider: who bills.
        at: the instant at which the list of all models is made, in UTC; now when not given.
        source: which prices are read.
        listing: how the answer is written.
    """
    book = load_book(source.contract)
    if model:
        print_table(rows_table(_entry(book, provider, model)), listing)
        return
    entries = [entry for entry in book.entries() if provider.lower() in {"", entry.provider}]
    if not entries:
        raise NotFound(f"no model of provider {provider!r}", remedy=_near_providers(book, provider))
    print_table(models_table(book, entries, _instant(at)), listing)


@app.command
def find(
    text: str,
    /,
    *,
    at: datetime | None = None,
    source: Source = BUNDLED,
    listing: Listing = AS_TABLE,
) -> None:
    """Find models whose id, name or provider has this text in it.

    Args:
        text: what to look for, in any case.
        at: the instant of the prices, in UTC; now when not given.
        source: which prices are read.
        listing: how the answer is written.
    """
    book = load_book(source.contract)
    wanted = text.lower()
    found = [
        entry
        for entry in book.entries()
        if wanted in f"{entry.provider}/{entry.model} {entry.card.display_name}".lower()
    ]
    if not found:
        raise NotFound(f"no model has {text!r} in its name", remedy=_near_models(book, text))
    print_table(models_table(book, found, _instant(at)), listing)


@app.command
def diff(
    *,
    from_: Annotated[date | None, Parameter(name="--from")] = None,
    to: date | None = None,
    source: Source = BUNDLED,
    listing: Listing = AS_TABLE,
) -> None:
    """Show what changed between two dates, or what our prices change in the bundled catalogue.

    Args:
        from_: the earlier day, at its first instant in UTC; without it, the catalogue is compared
            with the prices that lie over it.
        to: the later day; today when not given.
        source: which prices are read.
        listing: how the answer is written.
    """
    book = load_book(source.contract)
    after = _midnight(to) if to else _instant(None)
    if from_ is None:
        below = PriceBook(bundled_catalogue(), compile_overlay({}))
        title = f"Prices that differ from the bundled catalogue at {after:%Y-%m-%d} UTC"
        print_table(changes_table(title, changes_of_books(below, book, after)), listing)
        return
    before = _midnight(from_)
    if before >= after:
        raise WrongUsage(f"--from {from_} is not before {after:%Y-%m-%d}")
    title = f"Prices that changed between {before:%Y-%m-%d} and {after:%Y-%m-%d} UTC"
    print_table(changes_table(title, changes_between(book, before, after)), listing)


@app.command
def lint(*, provider: str = "", source: Source = BUNDLED, listing: Listing = AS_TABLE) -> int:
    """List implausible prices. Exits with 1 when one of them is an error, and never changes any.

    Args:
        provider: only this provider's models.
        source: which prices are read.
        listing: how the answer is written.
    """
    book = load_book(source.contract)
    findings = [
        finding
        for entry in book.entries()
        if provider.lower() in {"", entry.provider}
        for finding in lint_entry(entry)
    ]
    worst_first = [*Severity]
    findings.sort(key=lambda it: (worst_first.index(it.severity), it.rule, it.row_id))
    print_table(findings_table(findings), listing)
    return int(any(finding.severity is Severity.ERROR for finding in findings))


@app.command
def explain(
    model: str,
    /,
    *,
    provider: str = "",
    at: datetime | None = None,
    tier: str = STANDARD_TIER,
    batch: bool = False,
    consumption: Consumption = NOTHING_CONSUMED,
    source: Source = BUNDLED,
    listing: Listing = AS_TABLE,
) -> None:
    """Open an amount: tokens x price per line, the row that priced it, its source and date.

    Args:
        model: a model by any of its names.
        provider: who bills; without it the name says.
        at: the instant of the request, in UTC; now when not given.
        tier: the service tier that served it.
        batch: whether it went through a batch interface.
        consumption: what it consumed.
        source: which prices are read.
        listing: how the answer is written.
    """
    book = load_book(source.contract)
    entry = _entry(book, provider, model)
    usage = _usage(consumption, _instant(at), tier, batch=batch)
    row = book.row_at(provider, model, usage.at, tier, batch=batch)
    cost = row if isinstance(row, Unpriced) else charge(usage, row)
    if isinstance(row, Unpriced) or isinstance(cost, Unpriced):
        reason = cost.reason if isinstance(cost, Unpriced) else ""
        raise NotFound(
            f"{entry.asked} cannot be priced: {reason}",
            remedy="An unknown price is not 0; state it in a contract file, --contract.",
        )
    print_table(charge_table(entry, row, cost), listing)


def _entry(book: PriceBook, provider: str, model: str) -> ModelEntry:
    entry = book.find(provider, model)
    if entry is None:
        named = f"{provider}/{model}" if provider else model
        raise NotFound(f"no price source knows {named}", remedy=_near_models(book, named))
    return entry


def _usage(consumption: Consumption, at: datetime, tier: str, *, batch: bool) -> Usage:
    told = consumption
    for option, count in asdict(told).items():
        if count < 0:
            raise WrongUsage(f"--{option.replace('_', '-')} {count} is below 0")
    parts = told.cached + told.cache_write + told.cache_write_1h + told.audio_in + told.image_in
    spoken = told.audio_out + told.image_out
    if parts > told.input or spoken + told.reasoning > told.output:
        raise WrongUsage(
            f"the parts are more than the whole: {parts} of {told.input} input tokens, "
            f"{spoken + told.reasoning} of {told.output} output tokens",
            remedy="--input and --output are all tokens, the cached and others among them.",
        )
    return Usage(
        at=at,
        uncached_input=told.input - parts,
        cache_read=told.cached,
        cache_write_5m=told.cache_write,
        cache_write_1h=told.cache_write_1h,
        audio_in=told.audio_in,
        image_in=told.image_in,
        output=told.output - spoken,
        reasoning=told.reasoning,
        audio_out=told.audio_out,
        image_out=told.image_out,
        searches=told.searches,
        requests=told.requests,
        tier=tier,
        batch=batch,
    )


def _instant(at: datetime | None) -> datetime:
    """The instant in UTC; a time without a zone is meant in UTC; None is now."""
    if at is None:
        return datetime.now(UTC)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _near_models(book: PriceBook, name: str) -> str:
    names = [f"{entry.provider}/{entry.model}" for entry in book.entries()]
    names += [name.partition("/")[2] for name in names]
    near = difflib.get_close_matches(name.lower(), dict.fromkeys(names), n=NEAR_NAMES)
    return f"Near names: {', '.join(near)}." if near else "Look with `tokonomi prices find TEXT`."


def _near_providers(book: PriceBook, provider: str) -> str:
    known = sorted({entry.provider for entry in book.entries()})
    near = difflib.get_close_matches(provider.lower(), known, n=NEAR_NAMES)
    return f"Providers are {', '.join(near or known)}."
