"""All calls as rows of a file, for other programs and for `tokonomi import`."""

# The stubs of pyarrow leave the item types of its readers and arrays open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
import csv
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from tokonomi.errors import BadInput, WrongUsage
from tokonomi.reports.query import Query, selected
from tokonomi.reports.statement import iso
from tokonomi.storage.analytics import open_calls
from tokonomi.storage.lake_rows import LAKE_SCHEMA, schema_of
from tokonomi.storage.location import Location
from tokonomi.storage.whole_file import whole_file

NAMES: Final = [name for name in LAKE_SCHEMA.names if name != "seq"]
_BATCH_ROWS: Final = 20_000
_encode = msgspec.json.Encoder().encode

Batches = Iterable[pa.RecordBatch]
Writer = Callable[[Path, Batches], int]


def write_calls(location: Location, path: Path, query: Query) -> int:
    """The number of calls written to a file, whose kind is told by its name.

    The file appears under its name only when it is whole.

    Raises:
        WrongUsage: the name ends in none of .parquet, .csv, .jsonl.
        BadInput: the file cannot be written.
        StoreError: the store or the lake cannot be read.
    """
    writer = WRITERS.get(path.suffix)
    if writer is None:
        raise WrongUsage(
            f"{path.name} is no kind of file that calls are written to",
            remedy=f"End its name with {', '.join(WRITERS)}.",
        )
    columns = [*NAMES, *query.columns]
    try:
        with whole_file(path) as target, open_calls(location, columns, query.period) as calls:
            table = selected(calls.table, query).order_by(["at", "id"]).select(NAMES)
            return writer(target, table.to_pyarrow_batches(chunk_size=_BATCH_ROWS))
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error}") from error


def _write_parquet(path: Path, batches: Batches) -> int:
    schema = schema_of(NAMES)
    rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_table(pa.Table.from_batches([batch]).cast(schema))
            rows += batch.num_rows
    return rows


def _write_csv(path: Path, batches: Batches) -> int:
    def write(file: IO[str], rows: Iterable[Mapping[str, Any]]) -> None:
        csv.writer(file, lineterminator="\n").writerows(map(_cells, rows))

    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(f"{','.join(NAMES)}\n")
        return _each(batches, lambda rows: write(file, rows))


def _write_json_lines(path: Path, batches: Batches) -> int:
    with path.open("wb") as file:
        return _each(batches, lambda rows: file.writelines(_encode(r) + b"\n" for r in rows))


WRITERS: Final[Mapping[str, Writer]] = {
    ".parquet": _write_parquet,
    ".csv": _write_csv,
    ".jsonl": _write_json_lines,
}
"""By the end of a file's name."""


def _each(batches: Batches, write: Callable[[Iterable[Mapping[str, Any]]], object]) -> int:
    rows = 0
    for batch in batches:
        write(map(_plain, batch.to_pylist()))
        rows += batch.num_rows
    return rows


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """The row without what it does not have, its time as text and its tags as an object."""
    given = {name: value for name, value in row.items() if value is not None and value != ""}
    return {**given, "at": iso(row["at"]), "tags": dict(row["tags"])}


def _cells(row: Mapping[str, Any]) -> list[str]:
    return [_cell(row.get(name)) for name in NAMES]


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case dict() | list():
            return _encode(value).decode()
        case _:
            return str(value)
