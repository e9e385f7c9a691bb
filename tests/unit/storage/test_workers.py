"""A worker that lives stays one, also when the server drops its connection."""

import contextlib
from datetime import UTC, datetime

import psycopg

from tokonomi.storage import workers
from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store

AT = datetime(2026, 1, 30, tzinfo=UTC)


def test_keeping_a_worker_alive_takes_back_that_it_ended(database: Database) -> None:
    worker = workers.register(database, now=AT)
    workers.keep_alive(database, worker)
    with database.transaction():
        workers.end(database, worker, now=AT)
    workers.keep_alive(database, worker)
    [ended] = database.execute("SELECT ended_us FROM worker WHERE id = ?", (worker,)).fetchall()
    assert ended[0] is None


def test_a_worker_whose_connection_was_lost_is_alive_after_the_next_round(
    postgres_store: str,
) -> None:
    with (
        contextlib.closing(open_store(postgres_store)) as database,
        contextlib.closing(open_store(postgres_store)) as other,
    ):
        worker = workers.register(database, now=AT)
        [(process,)] = database.execute("SELECT pg_backend_pid()").fetchall()
        with psycopg.connect(postgres_store, autocommit=True) as server:
            server.execute("SELECT pg_terminate_backend(%s, 5000)", (process,))
        assert workers.dead_workers(other) == [worker]
        with other.transaction():
            workers.end(other, worker, now=AT)
        workers.keep_alive(database, worker)
        assert other.is_alive(worker)
        assert workers.dead_workers(other) == []
        rows = other.execute("SELECT id FROM worker WHERE ended_us IS NULL").fetchall()
        assert [row[0] for row in rows] == [worker]
