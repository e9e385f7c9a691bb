"""`tokonomi export`: the calls themselves, as rows of a file."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tokonomi.cli.report import condition
from tokonomi.reports.calls_file import write_calls
from tokonomi.reports.period import period_of
from tokonomi.reports.query import Query
from tokonomi.storage.location import locate


def export_file(
    file: Path,
    *,
    since: str = "",
    until: str = "",
    where: Annotated[list[str] | None, Parameter(negative=())] = None,
    store: Path | None = None,
    data: Path | None = None,
) -> None:
    """Write calls to a file, one row each, that other programs and `tokonomi import` read.

    Args:
        file: the file; its name ends with .parquet, .csv or .jsonl.
        since: first day, or first instant, in UTC.
        until: last day, or the instant before which to end, in UTC.
        where: a dimension and the value that it must have, such as provider=openai. Repeatable.
        store: path of the store.
        data: folder of the store and its lake.
    """
    query = Query(
        period=period_of(since, until), where=tuple(condition(text) for text in where or ())
    )
    rows = write_calls(locate(store, data=data), file, query)
    sys.stdout.write(f"wrote {rows:,} calls to {file}\n")
