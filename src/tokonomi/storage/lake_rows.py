"""The lake's columns: rows of the store with the types that analytics engines understand."""

# The stubs of pyarrow leave the type parameters of arrays and fields open.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false
from collections.abc import Sequence, Sized
from itertools import accumulate
from typing import Any, Final

import msgspec
import pyarrow as pa

from tokonomi.storage.call_rows import COLUMNS

SqlValue = str | int | bytes | None
Row = tuple[SqlValue, ...]

INSTANT: Final = pa.timestamp("us", tz="UTC")
TAGS: Final = pa.map_(pa.string(), pa.string())
LINE: Final = pa.struct(
    [
        pa.field("meter", pa.string(), nullable=False),
        pa.field("quantity", pa.int64(), nullable=False),
        pa.field("rate", pa.int64(), nullable=False),
        pa.field("amount", pa.int64(), nullable=False),
    ]
)
LINES: Final = pa.list_(LINE)

_RENAMED: Final = {"at_us": "at"}
_RETYPED: Final[dict[str, pa.DataType]] = {
    "at_us": INSTANT,
    "batch": pa.bool_(),
    "tags": TAGS,
    "lines": LINES,
}

STORED_NAME: Final[dict[str, str]] = {
    "seq": "seq",
    **{_RENAMED.get(name, name): name for name in COLUMNS},
}
"""Column of the lake -> the column of `call` that it is made from."""

LAKE_SCHEMA: Final = pa.schema(
    [
        pa.field("seq", pa.int64()),
        *(
            pa.field(_RENAMED.get(name, name), _RETYPED.get(name, kind))
            for name, kind in COLUMNS.items()
        ),
    ]
)
"""Amounts and counts are int64, `at` is a UTC timestamp in microseconds, `tags` is a map, `lines`
is a list of structs that can be unnested."""

_lines_of = msgspec.json.Decoder(list[tuple[str, int, int, int]]).decode
_tags_of = msgspec.json.Decoder(dict[str, str]).decode


def schema_of(columns: Sequence[str]) -> pa.Schema:
    """The part of the lake's schema that has these columns, in their order."""
    return pa.schema([LAKE_SCHEMA.field(name) for name in columns])


def lake_batch(rows: Sequence[Row], columns: Sequence[str]) -> pa.RecordBatch:
    """Rows of `call` as a batch of the lake; each row holds `columns`, named as in the lake."""
    schema = schema_of(columns)
    values = zip(*rows, strict=True) if rows else ((),) * len(columns)
    arrays = [_array(name, each) for name, each in zip(columns, values, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(name: str, values: Sequence[SqlValue]) -> "pa.Array[Any]":
    match name:
        case "at":
            return pa.array(values, pa.int64()).cast(INSTANT)
        case "batch":
            return pa.array(values, pa.int64()).cast(pa.bool_())
        case "tags":
            return _tag_array(values)
        case "lines":
            return _line_array(values)
        case _:
            return pa.array(values, LAKE_SCHEMA.field(name).type)


def _tag_array(values: Sequence[SqlValue]) -> "pa.Array[Any]":
    rows = [_tags_of(_text(each)) for each in values]
    return pa.MapArray.from_arrays(
        _offsets(rows),
        pa.array([key for row in rows for key in row], pa.string()),
        pa.array([value for row in rows for value in row.values()], pa.string()),
    )


def _line_array(values: Sequence[SqlValue]) -> "pa.Array[Any]":
    rows = [_lines_of(_text(each)) for each in values]
    every = [line for row in rows for line in row]
    meters, quantities, rates, amounts = zip(*every, strict=True) if every else ((),) * 4
    structs = pa.StructArray.from_arrays(
        [
            pa.array(meters, pa.string()),
            pa.array(quantities, pa.int64()),
            pa.array(rates, pa.int64()),
            pa.array(amounts, pa.int64()),
        ],
        fields=list(LINE),
    )
    return pa.ListArray.from_arrays(_offsets(rows), structs, type=LINES)


def _offsets(rows: Sequence[Sized]) -> Any:
    return pa.array(accumulate(map(len, rows), initial=0), pa.int32())


def _text(value: SqlValue) -> str:
    assert isinstance(value, str), "the store declares this column as text"
    return value
