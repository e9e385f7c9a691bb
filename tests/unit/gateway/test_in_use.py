"""Which version of the configuration a gateway uses, and how a newer one takes its place."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tokonomi.errors import BadConfig, StoreError
from tokonomi.gateway.attempts import Attempts
from tokonomi.gateway.bookkeeping import Bookkeeper
from tokonomi.gateway.breakers import Breakers
from tokonomi.gateway.dispatch import Dispatcher
from tokonomi.gateway.in_use import ConfigurationInUse, read_configuration
from tokonomi.gateway.keys_of_providers import Surroundings
from tokonomi.gateway.metrics import Metrics
from tokonomi.gateway.observe import Observers
from tokonomi.gateway.rules import RulesInForce
from tokonomi.gateway.snapshot import Snapshot
from tokonomi.gateway.targets import Targets
from tokonomi.storage import workers
from tokonomi.storage.config_files import apply_text
from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store
from tokonomi.storage.location import MasterKeyPlace
from tokonomi.storage.recorder import Recorder

NOW = datetime(2026, 11, 28, tzinfo=UTC)
FIRST = """
[providers.a]
base_url = "https://a/v1"
[providers.b]
base_url = "https://b/v1"
[models.house]
provider = "a"
"""


def with_configuration(
    folder: Path, test: Callable[[ConfigurationInUse, Database], Awaitable[None]]
) -> None:
    """Uses the first version while a test changes it."""

    async def through() -> None:
        store = folder / "tokonomi.db"
        around = Surroundings({}, folder, MasterKeyPlace("", folder / "master.key"))
        with closing(open_store(store)) as database:
            apply_text(database, FIRST, now=NOW)
            worker = workers.register(database, now=NOW)
            recorder, metrics = Recorder(store, worker), Metrics()

            def dispatcher_of(snapshot: Snapshot) -> Dispatcher:
                observer = Observers()
                books = Bookkeeper(recorder, snapshot.book, RulesInForce(), metrics, observer)
                targets = Targets(snapshot.book, Breakers())
                return Dispatcher(Attempts(books, snapshot.upstreams, 9), targets, lambda: 0.0)

            first = read_configuration(database, around)
            in_use = ConfigurationInUse(first, around, dispatcher_of)
            await test(in_use, database)
            in_use.close()
            await recorder.close()
            workers.retire(database, worker, now=NOW)

    asyncio.run(through())


def test_a_newer_version_takes_over_what_did_not_change(tmp_path: Path) -> None:
    async def test(in_use: ConfigurationInUse, database: Database) -> None:
        before = in_use.now.snapshot
        assert not in_use.refresh(database)
        apply_text(database, '[providers.b]\nbase_url = "https://c/v1"', now=NOW)
        assert in_use.refresh(database)
        after = in_use.now.snapshot
        assert (in_use.version, in_use.failure) == (2, "")
        assert after.clients["a"] is before.clients["a"]
        assert after.clients["b"].upstream is not before.clients["b"].upstream
        assert after.book is before.book
        assert [*before.without(after)] == [before.clients["b"].upstream]
        await asyncio.sleep(0)

    with_configuration(tmp_path, test)


def test_a_change_of_budgets_alone_keeps_the_snapshot(tmp_path: Path) -> None:
    async def test(in_use: ConfigurationInUse, database: Database) -> None:
        before = in_use.now
        apply_text(database, "[[wallet_rule]]\nper = 'user'", now=NOW)
        assert in_use.refresh(database)
        assert in_use.now is before
        assert in_use.version == 2
        await asyncio.sleep(0)

    with_configuration(tmp_path, test)


def test_a_version_that_cannot_be_used_is_tried_again_until_it_can(tmp_path: Path) -> None:
    async def test(in_use: ConfigurationInUse, database: Database) -> None:
        before = in_use.now
        text = '[providers.a]\nbase_url = "https://a/v1"\napi_key_file = "a.key"'
        apply_text(database, text, now=NOW)
        assert in_use.refresh(database)
        assert (in_use.version, in_use.newest, in_use.now) == (1, 2, before)
        assert "a.key cannot be read" in in_use.failure
        assert not in_use.refresh(database)
        assert not in_use.refresh(database, again=True)
        (tmp_path / "a.key").write_text("sk-1\n", encoding="ascii")
        assert in_use.refresh(database, again=True)
        assert (in_use.version, in_use.failure) == (2, "")
        assert in_use.now.snapshot.clients["a"].key == "sk-1"
        assert "sk-1" not in repr(in_use.now.snapshot.clients["a"])
        await asyncio.sleep(0)

    with_configuration(tmp_path, test)


def test_a_store_that_cannot_be_read_is_looked_at_again(tmp_path: Path) -> None:
    async def test(in_use: ConfigurationInUse, database: Database) -> None:
        apply_text(database, '[providers.b]\nbase_url = "https://c/v1"', now=NOW)
        database.execute("ALTER TABLE secret RENAME TO gone")
        with pytest.raises(StoreError):
            in_use.refresh(database)
        assert (in_use.version, in_use.failure) == (1, "")
        database.execute("ALTER TABLE gone RENAME TO secret")
        assert in_use.refresh(database)
        assert in_use.version == 2
        await asyncio.sleep(0)

    with_configuration(tmp_path, test)


def test_a_document_that_another_version_wrote_is_told_as_such(tmp_path: Path) -> None:
    around = Surroundings({}, tmp_path, MasterKeyPlace("", tmp_path / "master.key"))
    with closing(open_store(tmp_path / "tokonomi.db")) as database:
        apply_text(database, FIRST, now=NOW)
        database.execute(
            "INSERT INTO config_version (version, at_us, who) VALUES (9, 0, 'the future')"
        )
        database.execute(
            "INSERT INTO config_change (kind, name, version, new_table)"
            " VALUES ('provider', 'a', 9, '{\"base_url\": \"https://a\", \"teleport\": true}')"
        )
        with pytest.raises(BadConfig, match="another version of Tokonomi"):
            read_configuration(database, around)
