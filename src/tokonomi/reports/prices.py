"""Tables about prices: rows of the book, changes, alarms, and one charge opened to its lines."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from tokonomi.money import Money, format_percent
from tokonomi.pricing.book import ModelEntry, PriceBook
from tokonomi.pricing.changes import Change
from tokonomi.pricing.charge import Charge
from tokonomi.pricing.lint import Finding, Severity
from tokonomi.pricing.row import BEGINNING, FOREVER, PER, Meter, PriceRow, Rate
from tokonomi.reports.tables import Cell, Heading, Table

_METERS: Final = tuple(Meter)
_RATES: Final = tuple(Heading(meter.value, numeric=True, optional=True) for meter in _METERS)
_UNITS: Final = "Prices per million tokens, and per thousand searches or requests."


def models_table(book: PriceBook, entries: Iterable[ModelEntry], at: datetime) -> Table:
    """One line per model: its standard price at an instant, or why there is none."""
    headings = (
        Heading("provider"),
        Heading("model"),
        Heading("state"),
        Heading("currency"),
        *_RATES,
        Heading("context_window", numeric=True, optional=True),
        Heading("max_output", numeric=True, optional=True),
        Heading("reason", optional=True),
    )
    return Table(
        f"Standard prices at {at:%Y-%m-%d %H:%M} UTC",
        headings,
        tuple(_model(book, entry, at) for entry in entries),
        (_UNITS,),
    )


def _model(book: PriceBook, entry: ModelEntry, at: datetime) -> tuple[Cell, ...]:
    row = book.row_at(entry.provider, entry.model, at)
    card = (entry.card.context_window, entry.card.max_output)
    if not isinstance(row, PriceRow):
        nothing = (None,) * len(_METERS)
        return (entry.provider, entry.model, "unknown", "", *nothing, *card, row.reason)
    state = "free" if row.free else "priced"
    return (entry.provider, entry.model, state, row.currency, *_figures(row.rates), *card, "")


def rows_table(entry: ModelEntry) -> Table:
    """Every row of one model, the winning source first, and its context tiers below each."""
    headings = (
        Heading("source_rank"),
        Heading("tier"),
        Heading("batch"),
        Heading("valid_from"),
        Heading("valid_to"),
        Heading("window", optional=True),
        Heading("from_tokens", numeric=True, optional=True),
        Heading("currency"),
        *_RATES,
        Heading("row_id"),
        Heading("source"),
    )
    notes = [f"Asked for {entry.asked}: {step}." for step in entry.how]
    if entry.card.context_window:
        notes.append(f"Context window {entry.card.context_window:,} tokens.")
    if entry.card.max_output:
        notes.append(f"Longest output {entry.card.max_output:,} tokens.")
    if entry.uncounted:
        notes.append(f"Also priced, but not counted: {', '.join(entry.uncounted)}.")
    if entry.unpriced:
        notes.append(f"No price: {entry.unpriced}.")
    ranked = sorted(entry.rows, key=lambda each: each.rank, reverse=True)
    lines = [line for each in ranked for line in _row(each.rank.name.lower(), each.row)]
    return Table(f"{entry.provider}/{entry.model}", headings, tuple(lines), (_UNITS, *notes))


def _row(rank: str, row: PriceRow) -> Iterable[tuple[Cell, ...]]:
    since = "" if row.valid_from == BEGINNING else f"{row.valid_from:%Y-%m-%d %H:%M}"
    until = "" if row.valid_to == FOREVER else f"{row.valid_to:%Y-%m-%d %H:%M}"
    window = row.window.name if row.window else ""
    start = (rank, row.tier, row.batch, since, until, window)
    yield (*start, None, row.currency, *_figures(row.rates), row.id, row.source)
    for tier in row.context_tiers:
        figures = _figures({**row.rates, **tier.rates})
        yield (*start, tier.first_tokens, row.currency, *figures, row.id, row.source)


def _figures(rates: Mapping[Meter, Rate]) -> tuple[Cell, ...]:
    return tuple(_figure(rates.get(meter)) for meter in _METERS)


def _figure(rate: Rate | None) -> str | None:
    return None if rate is None else rate.text


def changes_table(title: str, changes: Iterable[Change]) -> Table:
    """One line per meter whose price differs."""
    headings = (
        Heading("provider"),
        Heading("model"),
        Heading("tier"),
        Heading("batch"),
        Heading("meter"),
        Heading("from_tokens", numeric=True, optional=True),
        Heading("before", numeric=True),
        Heading("after", numeric=True),
        Heading("change", numeric=True),
        Heading("row_before"),
        Heading("row_after"),
    )
    rows = tuple(
        (
            change.provider,
            change.model,
            change.tier,
            change.batch,
            change.meter.value,
            change.first_tokens or None,
            _figure(change.before),
            _figure(change.after),
            None if change.ratio is None else format_percent(change.ratio),
            change.row_before,
            change.row_after,
        )
        for change in changes
    )
    return Table(title, headings, rows, (_UNITS, "An empty price is one that is not known."))


def findings_table(findings: Sequence[Finding]) -> Table:
    """One line per alarm, with the row that it is about, and how many there are of each kind."""
    headings = (Heading("severity"), Heading("rule"), Heading("row_id"), Heading("message"))
    rows = tuple(
        (finding.severity.value, finding.rule.value, finding.row_id, finding.message)
        for finding in findings
    )
    found = Counter(finding.severity for finding in findings)
    counts = ", ".join(_counted(found[each], each.value) for each in Severity)
    note = "An alarm never changes a price; compare the row with the provider's page."
    return Table("Implausible prices", headings, rows, (f"{counts}.", note))


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def charge_table(entry: ModelEntry, row: PriceRow, cost: Charge) -> Table:
    """One amount opened to its lines: quantity x price, exactly, with the row and its source."""
    headings = (
        Heading("meter"),
        Heading("quantity", numeric=True),
        Heading("price", numeric=True),
        Heading("per", numeric=True),
        Heading("amount", numeric=True),
        Heading("currency"),
    )
    lines = tuple(
        (
            line.meter.value,
            line.quantity,
            Money(line.rate * PER[line.meter], cost.currency).decimal(),
            PER[line.meter],
            Money(line.amount, cost.currency).decimal(),
            cost.currency,
        )
        for line in cost.lines
    )
    total = ("total", None, None, None, cost.total.decimal(), cost.currency)
    return Table(
        f"{entry.provider}/{entry.model}", headings, (*lines, total), _told(entry, row, cost)
    )


def _told(entry: ModelEntry, row: PriceRow, cost: Charge) -> tuple[str, ...]:
    notes = [f"Row: {row.id}.", f"Source: {row.source}."]
    notes.append(_validity(row))
    if row.window:
        notes.append(f"Hours: {row.window.name} UTC.")
    if row.context_tiers:
        tier = f"from {cost.bracket_from:,} input tokens" if cost.bracket_from else "the lowest"
        notes.append(f"Context tier: {tier}.")
    notes += [f"Name: {step}." for step in entry.how]
    if entry.uncounted:
        notes.append(f"Also priced, but not counted: {', '.join(entry.uncounted)}.")
    return tuple(notes)


def _validity(row: PriceRow) -> str:
    match row.valid_from == BEGINNING, row.valid_to == FOREVER:
        case True, True:
            return "Holds at all times, as far as its source says."
        case True, False:
            return f"Holds until {row.valid_to:%Y-%m-%d %H:%M} UTC."
        case False, True:
            return f"Holds since {row.valid_from:%Y-%m-%d %H:%M} UTC."
        case _:
            return (
                f"Holds from {row.valid_from:%Y-%m-%d %H:%M} to {row.valid_to:%Y-%m-%d %H:%M} UTC."
            )
