"""A statement for machines: JSON with everything, CSV and Parquet with the rows alone.

Amounts are exact: decimal strings in JSON and CSV, decimals in Parquet. CSV and Parquet carry no
total row, so that adding a column up is right.
"""

# The stubs of pyarrow leave the type parameters of arrays open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
import csv
import json
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from io import BytesIO, StringIO
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from tokonomi.money import currency_of, round_half_up
from tokonomi.reports.statement import Cell, Column, Kind, Row, Statement, exact_decimal, iso
from tokonomi.reports.words import word

VERSION: Final = 1
SHARE_DECIMALS: Final = 6
_DIGITS: Final = 38


def as_json(statement: Statement) -> str:
    """The statement as one JSON object, keys sorted; see `docs/reference/reports.md`."""
    content = {"version": VERSION, **json_object(statement)}
    return json.dumps(content, sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def json_object(statement: Statement) -> dict[str, Any]:
    """What JSON says of a statement, without the version."""
    other, period = statement.other, statement.period
    return {
        "title": statement.title,
        **({"subject": statement.subject} if statement.subject else {}),
        "period": period and {"since": iso(period.since), "until": iso(period.until)},
        "dimensions": list(statement.dimensions),
        "columns": [
            {"name": column.name, "kind": column.kind, "unit": column.unit or None}
            for column in statement.columns
        ],
        "rows": [_object(row, statement.columns) for row in statement.rows],
        "other": other and {"groups": other.groups, **_measured(other.row, statement)},
        "totals": _measured(statement.totals, statement) if statement.totals else None,
        "notes": [{"code": note.code, **note.figures} for note in statement.notes],
    }


def as_csv(statement: Statement) -> str:
    """The rows as CSV with a heading; text that a spreadsheet would run begins with a quote."""
    lines = StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(column.name for column in statement.columns)
    for row in _rows_with_other(statement):
        writer.writerow(
            _plain(cell, column) for cell, column in zip(row, statement.columns, strict=True)
        )
    return lines.getvalue()


def as_parquet(statement: Statement) -> bytes:
    """The rows as a Parquet file; counts are int64, or decimals when one does not fit."""
    rows = _rows_with_other(statement)
    arrays = [
        _array([row[place] for row in rows], column)
        for place, column in enumerate(statement.columns)
    ]
    table = pa.table(arrays, names=[column.name for column in statement.columns])
    file = BytesIO()
    pq.write_table(table, file, compression="zstd")
    return file.getvalue()


def _rows_with_other(statement: Statement) -> list[Row]:
    if statement.other is None:
        return list(statement.rows)
    name = word("other", "en", groups=str(statement.other.groups))
    return [*statement.rows, (name, *statement.other.row[1:])]


def _measured(row: Row, statement: Statement) -> Mapping[str, Any]:
    skip = len(statement.dimensions)
    return _object(row[skip:], statement.columns[skip:])


def _object(row: Row, columns: tuple[Column, ...]) -> dict[str, Any]:
    return {
        column.name: _json_cell(cell, column) for cell, column in zip(row, columns, strict=True)
    }


def _json_cell(cell: Cell, column: Column) -> object:
    match column.kind, cell:
        case Kind.MONEY, Fraction():
            return {"amount": exact_decimal(cell), "currency": column.unit}
        case Kind.SHARE | Kind.NUMBER, Fraction():
            return _share(cell)
        case _:
            return cell


_RUN_BY_SPREADSHEETS: Final = ("=", "+", "-", "@", "\t", "\r")


def _plain(cell: Cell, column: Column) -> str:
    match column.kind, cell:
        case _, None:
            return ""
        case Kind.TEXT | Kind.WORD, str():
            return f"'{cell}" if cell.startswith(_RUN_BY_SPREADSHEETS) else cell
        case Kind.MONEY, Fraction():
            return exact_decimal(cell)
        case Kind.SHARE | Kind.NUMBER, Fraction():
            return _share(cell)
        case _:
            return str(cell)


def _share(ratio: Fraction) -> str:
    """A share as a decimal string, rounded half-up: thirds have no end."""
    return exact_decimal(Fraction(round_half_up(ratio * 10**SHARE_DECIMALS), 10**SHARE_DECIMALS))


def _array(cells: list[Cell], column: Column) -> "pa.Array[Any]":
    match column.kind:
        case Kind.TEXT | Kind.WORD:
            return pa.array(cells, pa.string())
        case Kind.COUNT:
            return pa.array(cells, pa.int64())
        case Kind.SHARE | Kind.NUMBER:
            return _decimals(cells, column, SHARE_DECIMALS)
        case Kind.MONEY:
            return _decimals(cells, column, currency_of(column.unit).exponent)


def _decimals(cells: list[Cell], column: Column, scale: int) -> "pa.Array[Any]":
    """Exact decimals; an amount that was converted may have more of them than its currency."""
    values = [None if cell is None else Decimal(_plain(cell, column)) for cell in cells]
    needed = max((-int(v.as_tuple().exponent) for v in values if v is not None), default=0)
    if needed <= scale:
        return pa.array(values, pa.decimal128(_DIGITS, scale))
    return pa.array(values, pa.decimal256(2 * _DIGITS, needed))
