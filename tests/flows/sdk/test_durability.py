"""What becomes of rows when processes end, in whatever way, and when the store is not there."""

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import openai
import psycopg
import pytest
import tracked_program
from gateway_process import until
from sdk_provider import SdkProvider

from tokonomi import sdk
from tokonomi.reports.query import Query
from tokonomi.reports.spend import spend
from tokonomi.storage.engine import open_store
from tokonomi.storage.location import Location, locate

PROGRAM = Path(tracked_program.__file__)
TALK: Any = tracked_program.TALK
SECONDS = 60


@pytest.fixture
def place(store: Path | str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Location:
    """Where the store, its journal and its lake are."""
    # A database's journal lies beside the configuration, which is looked for here.
    monkeypatch.chdir(tmp_path)
    return locate(store)


def start(how: str, provider: SdkProvider, place: Location) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(PROGRAM), how, provider.base_url, str(place.address)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def ended(process: subprocess.Popen[bytes]) -> int:
    _, errors = process.communicate(timeout=SECONDS)
    # A loop that ends closes the http client's own generators in any order, with or without us.
    assert errors == b"" or b"aclose(): asynchronous generator" in errors, errors.decode()
    return process.returncode


def statuses(place: Location) -> list[str]:
    """What a report sees: it brings in what dead processes left."""
    spend(place, Query(by=("model",)), rate=None)
    with closing(open_store(place.address)) as database:
        return [row[0] for row in database.execute("SELECT status FROM call ORDER BY id")]


def left_behind(place: Location) -> list[Path]:
    return sorted(place.journal.glob("*.calls"))


def test_a_process_that_is_killed_right_after_a_call_loses_nothing(
    provider: SdkProvider, place: Location
) -> None:
    assert ended(start("killed_after_a_call", provider, place)) == -signal.SIGKILL
    assert place.begun
    assert len(left_behind(place)) == 1
    assert statuses(place) == ["ok"]
    assert left_behind(place) == []
    assert statuses(place) == ["ok"]


def test_a_process_that_is_killed_in_a_call_leaves_a_row_that_says_so(
    provider: SdkProvider, place: Location
) -> None:
    assert ended(start("killed_in_a_call", provider, place)) == -signal.SIGKILL
    assert statuses(place) == ["orphaned"]


def test_the_next_tracked_client_brings_in_what_a_dead_one_left(
    provider: SdkProvider, place: Location
) -> None:
    ended(start("killed_after_a_call", provider, place))
    ended(start("ends", provider, place))
    assert left_behind(place) == []
    with closing(open_store(place.address)) as database:
        assert database.execute("SELECT count(*) FROM call").fetchone() == (2,)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("ends", ["ok"]),
        ("ends_in_a_stream", ["disconnected"]),
        ("ends_with_an_async_stream", ["ok", "disconnected"]),
        ("forks", ["ok"] * 7),
    ],
)
def test_a_process_that_ends_has_written_all_and_leaves_no_file(
    how: str, expected: list[str], provider: SdkProvider, place: Location
) -> None:
    assert ended(start(how, provider, place)) == 0
    assert left_behind(place) == []
    assert statuses(place) == expected


def test_processes_and_threads_share_one_store(provider: SdkProvider, place: Location) -> None:
    running = [start("twenty_calls", provider, place) for _ in range(3)]
    assert [ended(each) for each in running] == [0, 0, 0]
    assert statuses(place) == ["ok"] * 60


def test_a_store_that_cannot_be_opened_costs_the_caller_nothing_and_gets_its_rows_later(
    provider: SdkProvider, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = tmp_path / "store.db"
    store.mkdir()
    with openai.OpenAI(base_url=provider.base_url, api_key="k") as plain:
        client = sdk.track(plain, provider="openai", store=store)
        for _ in range(2):
            tracked_program.call(client)
    assert sdk.costs_of(client).spend().priced == 2
    assert not sdk.flush(0.2)
    waiting = [record for record in caplog.records if "calls wait in" in record.getMessage()]
    assert len(waiting) == 1
    store.rmdir()
    assert until(lambda: sdk.flush(1))
    assert statuses(Location(store)) == ["ok", "ok"]


def test_a_database_that_comes_back_gets_the_calls_of_the_meantime(
    provider: SdkProvider, postgres_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dsn = postgres_server.replace("/postgres?", "/not_made_yet?")
    with openai.OpenAI(base_url=provider.base_url, api_key="k") as plain:
        client = sdk.track(plain, provider="openai", store=dsn)
        tracked_program.call(client)
        assert not sdk.flush(0.2)
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            connection.execute("CREATE DATABASE not_made_yet")
        assert until(lambda: sdk.flush(1))
    assert statuses(locate(dsn)) == ["ok"]


def test_a_folder_that_cannot_be_made_is_one_line_of_warning_and_no_more(
    provider: SdkProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("a file where a folder should be")
    process = start("ends_with_its_cost", provider, locate(tmp_path / "taken" / "tokonomi.db"))
    told, errors = process.communicate(timeout=SECONDS)
    assert (process.returncode, told) == (0, b"1 False\n")
    [line] = errors.decode().splitlines()
    assert "writing a call to the journal failed; the call itself is not touched" in line
    assert "taken" in line


def test_nothing_is_opened_or_written_before_the_first_call(tmp_path: Path) -> None:
    with openai.OpenAI(base_url="http://127.0.0.1:9/v1", api_key="k") as plain:
        sdk.track(plain, store=tmp_path / "store.db")
    assert [*tmp_path.iterdir()] == []


def test_neither_sdk_is_imported_by_us() -> None:
    code = "import sys, tokonomi.sdk; print({'openai', 'anthropic', 'httpx'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == "set()"
