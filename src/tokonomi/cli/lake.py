"""`tokonomi lake`: export, compact and thin out the files that reports read."""

import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

from cyclopts import App

from tokonomi.cli.store_options import DEFAULT_STORE, Place
from tokonomi.errors import WrongUsage
from tokonomi.storage.compaction import compact
from tokonomi.storage.database import only_row
from tokonomi.storage.engine import open_store
from tokonomi.storage.lake import export
from tokonomi.storage.lake_files import live_files, watermark
from tokonomi.storage.retention import drop_days, prune, sweep

app = App(name="lake", help="Export, compact and thin out the files that reports read.")

_NANOSECONDS = 1_000
"""In a microsecond."""


@app.command
def status(*, place: Place = DEFAULT_STORE) -> None:
    """Show what the lake holds and what waits to be exported.

    Args:
        place: which store.
    """
    location = place.location
    with closing(open_store(location.address)) as connection:
        files = live_files(connection)
        waiting = only_row(
            connection, "SELECT count(*) FROM call WHERE seq > ?", (watermark(connection),)
        )[0]
    days = sorted({file.day for file in files})
    spans = f" of {len(days)} days, {days[0]} to {days[-1]}" if days else ""
    _say(
        f"{location.lake}: {sum(file.rows for file in files):,} calls in {len(files)} files{spans}"
    )
    _say(f"{sum(file.size for file in files):,} bytes; {waiting:,} calls wait to be exported")


@app.command(name="export")
def export_calls(*, place: Place = DEFAULT_STORE) -> None:
    """Move settled calls to the lake, each exactly once. Safe to run at any time.

    Args:
        place: which store.
    """
    location = place.location
    with closing(open_store(location.address)) as connection:
        done = export(connection, location.lake)
    _say(f"exported {done.rows:,} calls to {done.files} files in {location.lake}")


@app.command(name="compact")
def compact_files(*, place: Place = DEFAULT_STORE) -> None:
    """Merge the small files of each day, and remove files that were replaced an hour ago.

    Args:
        place: which store.
    """
    location = place.location
    with closing(open_store(location.address)) as connection:
        done = compact(connection, location.lake, now_us=_now_us())
        removed = sweep(connection, location.lake, now_us=_now_us())
    _say(f"merged {done.replaced} files into {done.written}; removed {removed} from the disk")


@app.command
def retain(
    *,
    keep_days: int | None = None,
    keep_days_in_store: int | None = None,
    place: Place = DEFAULT_STORE,
) -> None:
    """Drop whole old days from the lake, and exported rows from the store.

    Calls that are not in the lake yet stay. Importing a file again adds nothing even after its
    calls were removed.

    Args:
        keep_days: days, today among them, that the lake and all reports keep.
        keep_days_in_store: days of exported calls that the store keeps besides.
        place: which store.
    """
    if keep_days is None and keep_days_in_store is None:
        raise WrongUsage("nothing to do", remedy="Say --keep-days N or --keep-days-in-store N.")
    location = place.location
    with closing(open_store(location.address)) as connection:
        if keep_days is not None:
            first = _first_day(keep_days)
            dropped = drop_days(connection, before=first.date(), now_us=_now_us())
            _say(f"dropped {dropped.rows:,} calls before {first.date()} from the lake")
        if keep_days_in_store is not None:
            first = _first_day(keep_days_in_store)
            bound_us = int(first.timestamp()) * 1_000_000
            removed = prune(connection, before_us=bound_us)
            _say(f"removed {removed:,} exported calls before {first.date()} from the store")
        sweep(connection, location.lake, now_us=_now_us())


def _first_day(keep_days: int) -> datetime:
    if keep_days < 1:
        raise WrongUsage(f"{keep_days} days cannot be kept", remedy="Keep 1 or more.")
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=keep_days - 1)


def _now_us() -> int:
    return time.time_ns() // _NANOSECONDS


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
