"""What both databases promise behind their one port: meanings of errors, blocks, locks, life."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tokonomi.errors import StoreError
from tokonomi.storage import postgres, workers
from tokonomi.storage.database import Database, StoreBusy, StoreRefused, only_row
from tokonomi.storage.engine import open_store

AT = datetime(2026, 1, 30, 12, tzinfo=UTC)
ACCOUNT = "INSERT INTO account (name, asset, floor, credits_posted) VALUES (?, 'USD', 0, 10)"
COUNT = "SELECT count(*) FROM account"
LIVES = """
import sys
from datetime import UTC, datetime
from tokonomi.storage import workers
from tokonomi.storage.engine import open_store

store = open_store(sys.argv[1])
print(workers.register(store, now=datetime(2026, 1, 30, tzinfo=UTC)), flush=True)
sys.stdin.read()
"""
LOST = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = ?"


@pytest.fixture
def other(store: Path | str, database: Database) -> Iterator[Database]:
    """A second connection to the store of `database`."""
    assert database.schema_version() > 0
    with closing(open_store(store)) as opened:
        yield opened


@pytest.fixture
def shared(postgres_store: str) -> Iterator[Callable[[], Database]]:
    """Opens connections to one new PostgreSQL store."""
    with ExitStack() as opened:
        yield lambda: opened.enter_context(closing(open_store(postgres_store)))


def lose(connection: Database, through: Database) -> None:
    """The server ends a connection, and both sides know it."""
    pid = int(only_row(connection, "SELECT pg_backend_pid()")[0])
    through.execute(LOST, (pid,))
    gone = "SELECT count(*) FROM pg_stat_activity WHERE pid = ?"
    while only_row(through, gone, (pid,)) != (0,):
        pass


def test_a_row_that_breaks_a_rule_of_the_schema_is_refused(database: Database) -> None:
    database.execute(ACCOUNT, ("a",))
    for broken in (
        "UPDATE account SET debits_pending = 11",
        "INSERT INTO account (name, asset) VALUES ('a', 'USD')",
        "INSERT INTO account (name) VALUES ('b')",
        "INSERT INTO worker (id, host, pid, process_start) VALUES (99, 'h', 1, 's')",
        "INSERT INTO transfer (kind, account, sink, amount, at_us) VALUES ('fund', 99, 's', 1, 1)",
    ):
        with pytest.raises(StoreRefused), database.transaction():
            database.execute(broken)
        with pytest.raises(StoreRefused):
            database.execute(broken)
    assert only_row(database, "SELECT count(*), sum(debits_pending) FROM account") == (1, 0)


def test_a_statement_that_cannot_run_is_a_store_error_outside_of_a_transaction_too(
    database: Database,
) -> None:
    with pytest.raises(StoreError, match="cannot be written") as told:
        database.execute("SELECT * FROM nothing_of_this_name")
    assert not isinstance(told.value, (StoreBusy, StoreRefused))
    assert only_row(database, COUNT) == (0,)


def test_an_error_of_our_own_leaves_nothing_behind_and_comes_out_unchanged(
    database: Database,
) -> None:
    def fail_half_way() -> None:
        with database.transaction():
            database.execute(ACCOUNT, ("a",))
            raise KeyError("ours")

    with pytest.raises(KeyError, match="ours"):
        fail_half_way()
    assert only_row(database, COUNT) == (0,)


def test_a_commit_that_fails_leaves_nothing_behind_and_the_next_one_passes(
    database: Database,
) -> None:
    database.define("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
    deferred = "REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED"
    database.define(f"CREATE TABLE child (id INTEGER {deferred})")
    with pytest.raises(StoreRefused), database.transaction():
        database.execute("INSERT INTO child (id) VALUES (1)")
    with database.transaction():
        database.execute("INSERT INTO parent (id) VALUES (2)")
    assert only_row(database, "SELECT count(*) FROM child") == (0,)
    assert only_row(database, "SELECT id FROM parent") == (2,)


def test_a_snapshot_sees_the_store_of_one_instant(database: Database, other: Database) -> None:
    with database.snapshot():
        before = only_row(database, COUNT)
        other.execute(ACCOUNT, ("a",))
        assert only_row(database, COUNT) == before == (0,)
    assert only_row(database, COUNT) == (1,)


def test_the_rows_of_batches_are_those_of_the_snapshot_in_portions(
    database: Database, other: Database
) -> None:
    database.executemany(ACCOUNT, [(f"{n}",) for n in range(5)])
    with database.snapshot():
        portions = database.batches("SELECT name FROM account ORDER BY id", (), 2)
        first = next(portions)
        other.execute(ACCOUNT, ("late",))
        assert [first, *portions] == [[("0",), ("1",)], [("2",), ("3",)], [("4",)]]


def test_one_transaction_at_a_time_works_on_a_subject(database: Database, other: Database) -> None:
    reached: list[str] = []
    done = threading.Event()

    def second() -> None:
        with other.transaction():
            other.serialise("lake")
            reached.append("second")
        done.set()

    waiting = threading.Thread(target=second)
    with database.transaction():
        database.serialise("lake")
        waiting.start()
        assert not done.wait(0.2)
        reached.append("first")
    assert done.wait(15)
    waiting.join()
    assert reached == ["first", "second"]


def test_subjects_do_not_wait_for_each_other_on_postgresql(
    shared: Callable[[], Database],
) -> None:
    database, other = shared(), shared()
    with database.transaction():
        database.serialise("lake")
        with other.transaction():
            other.serialise("calls")
            other.execute(ACCOUNT, ("a",))
    assert only_row(database, COUNT) == (1,)


def test_a_worker_is_alive_for_all_until_its_process_is_killed(
    store: Path | str, database: Database
) -> None:
    command = [sys.executable, "-c", LIVES, str(store)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        assert database.is_alive(worker)
        with database.transaction():
            assert workers.dead_workers(database) == []
        process.kill()
    wait_until(lambda: not database.is_alive(worker))
    with database.transaction():
        assert workers.dead_workers(database) == [worker]


def test_a_worker_that_lets_go_is_not_alive_and_may_be_let_go_of_again(
    database: Database, other: Database
) -> None:
    worker = workers.register(database, now=AT)
    assert other.is_alive(worker)
    database.die(worker)
    assert not other.is_alive(worker)
    other.die(worker)
    assert not database.is_alive(worker)


def test_a_connection_cannot_let_go_of_the_life_of_another_on_postgresql(
    shared: Callable[[], Database],
) -> None:
    database, other = shared(), shared()
    worker = workers.register(database, now=AT)
    other.die(worker)
    assert other.is_alive(worker)


def test_a_file_that_another_process_writes_is_busy(tmp_path: Path) -> None:
    file = tmp_path / "tokonomi.db"
    with closing(open_store(file)) as first, closing(open_store(file)) as second:
        second.impatient()
        with (
            first.transaction(),
            pytest.raises(StoreBusy, match="locked"),
            second.transaction(),
        ):
            pytest.fail("two write transactions at once")
        with second.transaction():
            second.execute(ACCOUNT, ("a",))
        assert only_row(first, COUNT) == (1,)


def test_an_impatient_writer_does_not_wait_for_a_frozen_one_for_ever_on_postgresql(
    shared: Callable[[], Database],
) -> None:
    frozen, writer = shared(), shared()
    writer.impatient()
    with frozen.transaction():
        frozen.serialise("calls")
        with pytest.raises(StoreBusy, match="lock timeout"), writer.transaction():
            writer.serialise("calls")
    with writer.transaction():
        writer.serialise("calls")
    assert only_row(writer, "SHOW lock_timeout") == ("1s",)


def test_a_transaction_that_cannot_even_be_rolled_back_is_an_error_of_the_store(
    tmp_path: Path,
) -> None:
    database = open_store(tmp_path / "tokonomi.db")
    with pytest.raises(StoreError, match="closed database"), database.transaction():
        database.close()


def test_a_file_flushes_each_power_safe_commit_and_no_other(tmp_path: Path) -> None:
    with closing(open_store(tmp_path / "tokonomi.db")) as database:
        for power_safe, level in ((True, 2), (False, 1), (False, 1), (True, 2)):
            with database.transaction(power_safe=power_safe):
                assert only_row(database, "PRAGMA synchronous") == (level,)


def test_postgresql_flushes_each_power_safe_commit_and_no_other(
    shared: Callable[[], Database],
) -> None:
    database = shared()
    for power_safe, level in ((True, "on"), (False, "off"), (True, "on")):
        with database.transaction(power_safe=power_safe):
            assert only_row(database, "SHOW synchronous_commit") == (level,)
    assert only_row(database, "SHOW synchronous_commit") == ("on",)


def test_a_lost_connection_is_made_anew_between_transactions_on_postgresql(
    shared: Callable[[], Database],
) -> None:
    database, other = shared(), shared()
    database.impatient()
    lose(database, other)
    with pytest.raises(StoreError, match="cannot be written"), database.transaction():
        database.execute(ACCOUNT, ("a",))
    with database.transaction():
        database.execute(ACCOUNT, ("b",))
    assert database.execute("SELECT name FROM account").fetchall() == [("b",)]
    assert only_row(database, "SHOW lock_timeout") == ("1s",)


def test_a_connection_that_was_left_among_many_statements_is_made_anew_on_postgresql(
    postgres_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, made = psycopg.connect, list[psycopg.Connection[Any]]()

    def noted(dsn: str, *, autocommit: bool) -> psycopg.Connection[Any]:
        made.append(connect(dsn, autocommit=autocommit))
        return made[-1]

    monkeypatch.setattr(psycopg, "connect", noted)
    with closing(open_store(postgres_store)) as database:
        # What psycopg leaves when the server ends a connection in the middle of `executemany`.
        made[0].pgconn.enter_pipeline_mode()
        with database.transaction():
            database.execute(ACCOUNT, ("a",))
        assert only_row(database, COUNT) == (1,)
        assert [connection.closed for connection in made] == [True, False]


def test_a_connection_lost_in_a_transaction_writes_no_half_of_it_on_postgresql(
    shared: Callable[[], Database],
) -> None:
    database, other = shared(), shared()

    def lose_it_half_way() -> None:
        with database.transaction():
            database.execute(ACCOUNT, ("a",))
            lose(database, other)
            with pytest.raises(StoreError, match="cannot be written"):
                database.execute(ACCOUNT, ("b",))
            database.execute(ACCOUNT, ("c",))

    with pytest.raises(StoreError, match="cannot be written"):
        lose_it_half_way()
    assert only_row(other, COUNT) == (0,)


def test_a_sign_of_life_comes_back_with_the_connection_on_postgresql(
    shared: Callable[[], Database],
) -> None:
    database, other = shared(), shared()
    worker = workers.register(database, now=AT)
    lose(database, other)
    assert not other.is_alive(worker)
    with pytest.raises(StoreError):
        only_row(database, COUNT)
    assert only_row(database, COUNT) == (0,)
    assert other.is_alive(worker)


def test_a_sign_of_life_that_a_lost_connection_still_holds_is_waited_for_within_a_bound(
    shared: Callable[[], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, other = shared(), shared()
    worker = workers.register(database, now=AT)
    lose(database, other)
    # The server has not noticed yet: to it the old connection lives, and holds the sign.
    lock = (postgres.WORKER_LOCKS, worker)
    other.execute("SELECT pg_advisory_lock(?, ?)", lock)
    old = only_row(other, "SELECT pg_backend_pid()")[0]
    monkeypatch.setattr(postgres, "_SIGN_TIMEOUT_MS", 100)
    with pytest.raises(StoreError, match=f"worker {worker} to the connection of") as told:
        workers.keep_alive(database, worker)
    assert f"server process {old}" in str(told.value)
    assert "it waited 0.1 s. It is tried again." in str(told.value)
    other.execute("SELECT pg_advisory_unlock(?, ?)", lock)
    workers.keep_alive(database, worker)
    assert other.is_alive(worker)
    assert only_row(database, "SHOW lock_timeout") == ("0",)
    pids = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    wait_until(lambda: only_row(other, pids) == (2,))


def test_a_server_that_cannot_be_reached_is_told_with_what_to_check() -> None:
    with pytest.raises(StoreError, match="cannot be reached") as told:
        open_store("postgresql://nobody@127.0.0.1:1/tokonomi?connect_timeout=2")
    assert "DSN" in str(told.value)


def wait_until(condition: Callable[[], bool]) -> None:
    done = threading.Event()
    for _ in range(200):
        if condition():
            return
        done.wait(0.05)
    pytest.fail("it did not come true within ten seconds")
