"""Queries over all calls: the lake's files and the store's tail, as one Ibis table.

The manifest, the watermark and the rows behind it are read in one snapshot of the store, so an
export that runs meanwhile neither hides a call nor shows it twice.
"""

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, cast

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq

from tokonomi.errors import StoreError
from tokonomi.storage.call_rows import microseconds
from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store
from tokonomi.storage.journal import absorb
from tokonomi.storage.lake_files import LakeFile, live_files, watermark
from tokonomi.storage.lake_rows import STORED_NAME, lake_batch, schema_of
from tokonomi.storage.location import Location

TAIL_ROWS: Final = 20_000
MEMORY_LIMIT: Final = "1GB"
WHOLE: Final = dt.Decimal(38, 0)
_MAX_US: Final = 2**62


@dataclass(frozen=True, slots=True)
class Period:
    """From `since`, included, to `until`, excluded, in UTC; None is no bound."""

    since: datetime | None = None
    until: datetime | None = None


ALWAYS: Final = Period()


@dataclass(frozen=True, slots=True)
class Calls:
    """All calls of a period, ready to be queried.

    Attributes:
        table: one row a call, with the asked columns of `LAKE_SCHEMA`.
        tail_rows: how many of them are not in the lake yet.
    """

    table: ir.Table
    tail_rows: int


@contextmanager
def open_calls(
    location: Location, columns: Iterable[str], period: Period = ALWAYS
) -> Generator[Calls]:
    """All calls of a period, each once, while the block runs.

    The memory is bounded by `MEMORY_LIMIT`; what does not fit goes to a temporary folder.

    Raises:
        StoreError: the store or a file of the lake cannot be read.
    """
    names = list(dict.fromkeys(["seq", "at", *columns]))
    with TemporaryDirectory(prefix="tokonomi-") as folder:
        tail = Path(folder) / "tail.parquet"
        files, tail_rows = _snapshot(location, names, period, tail)
        missing = [file for file in files if not file.is_file()]
        if missing:
            raise StoreError(
                f"the lake's file {missing[0]} is missing",
                remedy="Restore the lake's folder from a backup.",
            )
        backend = ibis.duckdb.connect(
            memory_limit=MEMORY_LIMIT, temp_directory=str(Path(folder) / "spill")
        )
        backend.raw_sql("SET TimeZone = 'UTC'")
        try:
            table = backend.read_parquet([str(path) for path in [*files, tail]], union_by_name=True)
            yield Calls(_within(table.select(names), period), tail_rows)
        finally:
            backend.disconnect()


def exact_sum(amounts: ir.Value, *, where: ir.BooleanValue | None = None) -> ir.Scalar:
    """The sum of 64-bit integers in 128 bits, as a decimal without a fraction; NULL of no rows.

    A sum in 64 bits would wrap or fail at 9.2 million dollars. 38 digits hold any sum of fewer than
    10**19 rows.
    """
    # Ibis gives the sum of whole decimals two decimals of its own, so it is cast once more.
    return cast("ir.Scalar", as_whole(as_whole(amounts).sum(where=where)))


def as_whole(value: ir.Value) -> ir.DecimalColumn:
    """The value as a decimal of 38 digits without a fraction."""
    # The signature of `cast` knows UUIDs only.
    return cast("Any", value).cast(WHOLE)


def literal(value: str | datetime) -> ir.Scalar:
    """The value as an expression."""
    return ibis.literal(value)  # pyright: ignore[reportUnknownMemberType] - one optional argument has no type


def fetch(table: ir.Table) -> list[dict[str, Any]]:
    """The rows of a query; decimals without a fraction come back as whole numbers."""
    result: pa.Table = table.to_pyarrow()
    whole = [name for name, kind in table.schema().items() if kind == WHOLE]
    rows: list[dict[str, Any]] = result.to_pylist()
    for row in rows:
        for name in whole:
            row[name] = None if row[name] is None else int(row[name])
    return rows


def _snapshot(
    location: Location, names: Sequence[str], period: Period, tail: Path
) -> tuple[list[Path], int]:
    """The lake's files and the length of the tail, which is written to `tail`."""
    with closing(open_store(location.readable)) as database:
        # Calls that a process of the SDK left behind when it died are as good as any other.
        absorb(location.journal, database)
        with database.snapshot():
            rows = _write_tail(database, names, period, tail)
            return [location.lake / file.path for file in _files(database, period)], rows


def _files(database: Database, period: Period) -> list[LakeFile]:
    return live_files(
        database,
        since=period.since.date() if period.since else None,
        until=period.until.date() if period.until else None,
    )


def _write_tail(database: Database, names: Sequence[str], period: Period, tail: Path) -> int:
    """The number of rows written, only the asked columns of them, a batch at a time."""
    stored = ", ".join(STORED_NAME[name] for name in names)
    batches = database.batches(
        f"SELECT {stored} FROM call WHERE seq > ? AND at_us >= ? AND at_us < ?",  # noqa: S608 - our own names
        (
            watermark(database),
            microseconds(period.since) if period.since else -_MAX_US,
            microseconds(period.until) if period.until else _MAX_US,
        ),
        TAIL_ROWS,
    )
    total = 0
    with pq.ParquetWriter(tail, schema_of(names), compression="lz4") as writer:
        for rows in batches:
            writer.write_batch(lake_batch(rows, names))
            total += len(rows)
    return total


def _within(table: ir.Table, period: Period) -> ir.Table:
    if period.since is not None:
        table = table.filter(table["at"] >= literal(period.since))
    if period.until is not None:
        table = table.filter(table["at"] < literal(period.until))
    return table
