"""`tokonomi export`: calls as rows of a file, and the configuration as TOML."""

import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from tokonomi.cli.report import condition
from tokonomi.cli.store_options import DEFAULT_STORE, Place
from tokonomi.configuration.toml_text import to_toml
from tokonomi.reports.calls_file import write_calls
from tokonomi.reports.period import period_of
from tokonomi.reports.query import Query
from tokonomi.storage.config_store import document_of, in_force
from tokonomi.storage.engine import open_store

app = App(name="export", help="Write calls to a file, or the configuration as TOML.")


@app.default
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


@app.command(name="config")
def export_configuration(*, version: int | None = None, place: Place = DEFAULT_STORE) -> None:
    """Print the configuration as the TOML that `tokonomi apply` reads; secrets are not in it.

    Args:
        version: an earlier version, in place of the one in force.
        place: which store.
    """
    with closing(open_store(place.location.readable)) as database:
        if version is None:
            document = in_force(database).document
        else:
            document = document_of(database, version)
    sys.stdout.write(to_toml(document))
