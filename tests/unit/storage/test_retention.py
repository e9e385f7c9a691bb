from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.errors import StoreError
from tokonomi.pricing.charge import Unpriced
from tokonomi.storage.analytics import Period, fetch, open_calls
from tokonomi.storage.call_rows import INSERT, microseconds, row_of
from tokonomi.storage.compaction import Compacted, compact
from tokonomi.storage.database import Database, only_row
from tokonomi.storage.engine import open_store
from tokonomi.storage.lake import export
from tokonomi.storage.lake_files import live_files, watermark
from tokonomi.storage.location import Location
from tokonomi.storage.retention import Dropped, drop_days, id_digest, prune, sweep
from tokonomi.usage import Usage

START = datetime(2026, 1, 28, 12, tzinfo=UTC)
NOW_US = 2**52


@pytest.fixture
def location(new_location: Callable[[], Location]) -> Location:
    return new_location()


@pytest.fixture
def store(location: Location) -> Iterator[Database]:
    database = open_store(location.address)
    yield database
    database.close()


def settle(store: Database, *days: int) -> None:
    """A call on each of the days after START, numbered by the calls before it."""
    count = only_row(store, "SELECT coalesce(max(seq), 0) FROM call")[0]
    calls = [
        Call(
            intent=Intent(id=f"{count + n}.1", at=at, dimensions=Dimensions(), model="m"),
            model_served="m",
            usage=Usage(at=at, output=count + n),
            cost=Unpriced("not asked"),
            status=Status.OK,
        )
        for n, day in enumerate(days, 1)
        for at in [START + timedelta(days=day)]
    ]
    with store.transaction():
        store.executemany(INSERT, [row_of(call) for call in calls])


def seen(location: Location, period: Period | None = None) -> list[int]:
    with open_calls(location, ["output"], period or Period()) as calls:
        return sorted(row["output"] for row in fetch(calls.table))


def test_dropped_days_leave_reports_at_once_and_the_disk_after_the_grace(
    location: Location, store: Database
) -> None:
    settle(store, 0, 0, 1, 2)
    export(store, location.lake)
    dropped = drop_days(store, before=date(2026, 1, 29), now_us=NOW_US)
    assert dropped == Dropped(files=1, rows=2)
    assert seen(location) == [3, 4]
    assert sweep(store, location.lake, now_us=NOW_US + 9, grace_us=10) == 0
    assert sweep(store, location.lake, now_us=NOW_US + 10, grace_us=10) == 1
    assert drop_days(store, before=date(2026, 1, 29), now_us=NOW_US) == Dropped(0, 0)


def test_a_period_reads_only_the_files_of_its_days(location: Location, store: Database) -> None:
    settle(store, 0, 1, 2)
    export(store, location.lake)
    (location.lake / live_files(store)[0].path).unlink()
    settle(store, 0, 2)
    assert seen(location, Period(START + timedelta(days=1))) == [2, 3, 5]
    with pytest.raises(StoreError, match="is missing"):
        seen(location)


def test_pruning_takes_old_exported_calls_and_leaves_a_digest_of_each(
    location: Location, store: Database
) -> None:
    settle(store, 0, 2, 0)
    export(store, location.lake)
    settle(store, 0)
    assert prune(store, before_us=microseconds(START) + 1, chunk_rows=1) == 2
    assert store.execute("SELECT id FROM call ORDER BY seq").fetchall() == [("2.1",), ("4.1",)]
    left = {bytes(digest) for (digest,) in store.execute("SELECT digest FROM pruned_id")}
    assert left == {id_digest("1.1"), id_digest("3.1")}
    assert seen(location) == [1, 2, 3, 4]


def test_a_number_of_a_removed_call_is_never_given_again(
    location: Location, store: Database
) -> None:
    settle(store, 0, 0)
    export(store, location.lake)
    prune(store, before_us=NOW_US)
    settle(store, 0)
    assert watermark(store) == 2
    assert store.execute("SELECT seq FROM call").fetchall() == [(3,)]


def test_a_sweep_leaves_young_files_that_no_one_entered_yet(
    location: Location, store: Database
) -> None:
    settle(store, 0)
    export(store, location.lake)
    young = location.lake / "usage/day=2026-01-28/part-new.parquet"
    young.touch()
    now_us = young.stat().st_mtime_ns // 1000
    assert sweep(store, location.lake, now_us=now_us, grace_us=1_000_000) == 0
    assert sweep(store, location.lake, now_us=now_us + 1_000_000, grace_us=1_000_000) == 1
    assert seen(location) == [1]


def test_an_export_whose_file_vanished_enters_nothing(location: Location, store: Database) -> None:
    settle(store, 0)

    def remove(step: str) -> None:
        if step == "the folders are on disk":
            for path in location.lake.glob("usage/*/*"):
                path.unlink()

    with pytest.raises(StoreError, match="vanished before it was entered"):
        export(store, location.lake, on_step=remove)
    assert watermark(store) == 0
    assert seen(location) == [1]


def test_compaction_keeps_files_below_its_target_and_days_apart(
    location: Location, store: Database
) -> None:
    settle(store, 0, 0, 1, 0, 1)
    export(store, location.lake, chunk_rows=1)
    sizes = [file.size for file in live_files(store)]
    done = compact(store, location.lake, now_us=NOW_US, target_bytes=max(sizes) * 2)
    assert done == Compacted(replaced=4, written=2, rows=4)
    assert [file.rows for file in live_files(store)] == [2, 1, 2]
    assert seen(location) == [1, 2, 3, 4, 5]


def test_a_compaction_that_lost_its_sources_replaces_nothing(
    location: Location, store: Database
) -> None:
    settle(store, 0, 0)
    export(store, location.lake, chunk_rows=1)

    def drop(step: str) -> None:
        if step == "the folders are on disk":
            drop_days(store, before=date(2026, 2, 1), now_us=NOW_US)

    done = compact(store, location.lake, now_us=NOW_US, on_step=drop)
    assert done == Compacted(replaced=0, written=0, rows=0)
    assert seen(location) == []


def test_a_file_with_other_rows_than_its_entry_is_not_merged(
    location: Location, store: Database
) -> None:
    settle(store, 0, 0)
    export(store, location.lake, chunk_rows=1)
    store.execute("UPDATE lake_file SET rows = 5 WHERE first_seq = 1")
    with pytest.raises(StoreError, match="hold 2 rows, their entries say 6"):
        compact(store, location.lake, now_us=NOW_US)
    assert seen(location) == [1, 2]
