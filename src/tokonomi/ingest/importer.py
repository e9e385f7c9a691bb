"""The import: past calls are priced by the same law as live ones and written exactly once."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import msgspec

from tokonomi.calls import Call, Intent
from tokonomi.ingest.draft import Draft, Rejected
from tokonomi.ingest.quarantine import QuarantineFile
from tokonomi.pricing.book import PriceBook
from tokonomi.pricing.charge import Charge, Unpriced, charge
from tokonomi.pricing.row import PriceRow
from tokonomi.storage.call_rows import COLUMNS, INSERT, Value, row_of
from tokonomi.storage.database import Database
from tokonomi.storage.retention import id_digest
from tokonomi.usage import Quarantined, Source, Usage

CHUNK_ROWS: Final = 5_000
"""Rows of one transaction: small, so that live calls wait a tenth of a second at most."""

_INSERT_NEW: Final = f"{INSERT} ON CONFLICT (id) DO NOTHING"
_KNOWN: Final = "SELECT 1 FROM call WHERE id = ?"
_ID: Final = list(COLUMNS).index("id")

_encode = msgspec.json.Encoder().encode

Row = tuple[Value, ...]


@dataclass(slots=True)
class Outcome:
    """What an import did, or would do.

    Attributes:
        imported: calls that are new in the store.
        present: calls that the store had, or had before retention removed them.
        quarantined: rows that could not be imported.
        unpriced: calls of the file that have no price at their instant.
        differing: calls for which the file itself states another cost than the price book gives.
        costs: exact cost of all calls of the file, in sub-units by currency.
    """

    imported: int = 0
    present: int = 0
    quarantined: int = 0
    unpriced: int = 0
    differing: int = 0
    costs: Counter[str] = field(default_factory=Counter[str])


class Pricer:
    """Prices drafts by the book, each at its own instant or all at one."""

    def __init__(self, book: PriceBook, *, priced_at: datetime | None = None) -> None:
        self._book = book
        self._priced_at = priced_at

    def call(self, draft: Draft) -> Call:
        """The settled call of a draft."""
        return Call(
            intent=Intent(
                id=draft.id,
                at=draft.at,
                dimensions=draft.dimensions,
                model=draft.model_asked,
            ),
            model_served=draft.model,
            usage=draft.usage,
            cost=self._cost(draft),
            status=draft.status,
            http_status=draft.http_status,
            first_token_ms=draft.first_token_ms,
            duration_ms=draft.duration_ms,
            provider_request_id=draft.provider_request_id,
            note=draft.note,
            exposure=draft.exposure,
        )

    def _cost(self, draft: Draft) -> Charge | Unpriced:
        usage = draft.usage
        if isinstance(usage, Quarantined):
            return Unpriced("its usage cannot be true")
        if usage.source is Source.ABSENT:
            return Unpriced("its usage is not known")
        row = self._row(draft.model, draft, usage)
        if isinstance(row, Unpriced) and draft.model_asked != draft.model:
            # As the gateway does for a served model that no source prices.
            asked = self._row(draft.model_asked, draft, usage)
            row = row if isinstance(asked, Unpriced) else asked
        return row if isinstance(row, Unpriced) else charge(usage, row)

    def _row(self, model: str, draft: Draft, usage: Usage) -> PriceRow | Unpriced:
        at = self._priced_at or usage.at
        provider = draft.dimensions.provider
        return self._book.row_at(provider, model, at, usage.tier, batch=usage.batch)


Insert = Callable[[Sequence[Row]], int]
"""Writes a chunk of rows, or pretends to, and says how many of them are new."""


def run(
    rows: Iterable[Draft | Rejected],
    pricer: Pricer,
    insert: Insert,
    *,
    quarantine: QuarantineFile | None = None,
    on_chunk: Callable[[Outcome], None] = lambda _: None,
) -> Outcome:
    """What was imported. Each chunk is one transaction, so a run that was cut is simply repeated.

    Bad rows go to `quarantine`; `on_chunk` is told how far it is after each chunk.
    """
    outcome = Outcome()
    chunk: list[Row] = []
    for each in rows:
        if isinstance(each, Rejected):
            outcome.quarantined += 1
            if quarantine is not None:
                quarantine.add(each)
            continue
        call = pricer.call(each)
        _count_cost(outcome, each, call.cost)
        chunk.append(row_of(call))
        if len(chunk) == CHUNK_ROWS:
            _flush(chunk, insert, outcome)
            on_chunk(outcome)
    _flush(chunk, insert, outcome)
    on_chunk(outcome)
    return outcome


def inserting(database: Database) -> Insert:
    """Writes rows whose ids the store never had."""

    def insert(rows: Sequence[Row]) -> int:
        with database.transaction():
            database.serialise("calls")
            return database.executemany(_INSERT_NEW, _never_seen(database, rows))

    return insert


def counting(database: Database | None) -> Insert:
    """Writes nothing, and counts the rows whose ids the store never had; without one, all."""

    def count(rows: Sequence[Row]) -> int:
        if database is None:
            return len(rows)
        fresh = [row[_ID] for row in _never_seen(database, rows)]
        return sum(database.execute(_KNOWN, (call_id,)).fetchone() is None for call_id in fresh)

    return count


def _never_seen(database: Database, rows: Sequence[Row]) -> Sequence[Row]:
    """The rows whose ids retention did not remove."""
    if database.execute("SELECT 1 FROM pruned_id LIMIT 1").fetchone() is None:
        return rows
    look_up = "SELECT 1 FROM pruned_id WHERE digest = ?"
    return [
        row
        for row in rows
        if database.execute(look_up, (id_digest(str(row[_ID])),)).fetchone() is None
    ]


def _flush(chunk: list[Row], insert: Insert, outcome: Outcome) -> None:
    if chunk:
        new = insert(chunk)
        outcome.imported += new
        outcome.present += len(chunk) - new
        chunk.clear()


def _count_cost(outcome: Outcome, draft: Draft, cost: Charge | Unpriced) -> None:
    if isinstance(cost, Unpriced):
        usage = draft.usage
        outcome.unpriced += isinstance(usage, Usage) and usage.source is not Source.ABSENT
        return
    outcome.costs[cost.currency] += cost.sub_units
    outcome.differing += draft.stated not in {None, (cost.sub_units, cost.currency)}
