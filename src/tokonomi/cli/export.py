"""`tokonomi export`: the calls themselves, as rows of a file."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tokonomi.cli.report import condition
from tokonomi.cli.store_options import DEFAULT_STORE, Place
from tokonomi.reports.calls_file import write_calls
from tokonomi.reports.period import period_of
from tokonomi.reports.query import Query


def export_file(
    file: Path,
    *,
    since: str = "",
    until: str = "",
    where: Annotated[list[str] | None, Parameter(negative=())] = None,
    place: Place = DEFAULT_STORE,
) -> None:
    """Write calls to a file, one row each, that other programs and `tokonomi import` read.

    Args:
        file: the file; its name ends with .parquet, .csv or .jsonl.
        since: first day, or first instant, in UTC.
        until: last day, or the instant before which to end, in UTC.
        where: a dimension and the value that it must have, such as provider=openai. Repeatable.
        place: which store.
    """
    query = Query(
        period=period_of(since, until), where=tuple(condition(text) for text in where or ())
    )
    rows = write_calls(place.location, file, query)
    sys.stdout.write(f"wrote {rows:,} calls to {file}\n")
