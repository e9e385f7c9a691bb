"""The demo's folder: its configuration, its key, its lock."""

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tokonomi.cli.demo import DemoFolder, configure, demo_key, document, prepare
from tokonomi.configuration.checks import warnings
from tokonomi.configuration.document import Document, Item, Kind
from tokonomi.configuration.toml_text import to_toml
from tokonomi.errors import StartError
from tokonomi.gateway.config import load, store_of
from tokonomi.providers.local_model import LocalModel
from tokonomi.storage.changes import Author
from tokonomi.storage.config_files import apply_text
from tokonomi.storage.config_store import apply, in_force
from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store
from tokonomi.storage.keys import every_key, revoke
from tokonomi.storage.price_files import load_book

MODEL = LocalModel(port=5001, embedding_port=5002, api_key="a-secret")
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def demo(tmp_path: Path, environ: dict[str, str], model: LocalModel = MODEL) -> Document:
    return document(DemoFolder(tmp_path), model, environ)


def in_store(database: Database) -> Document:
    return in_force(database).document


def test_without_keys_in_the_environment_only_the_local_model_is_configured(tmp_path: Path) -> None:
    made = demo(tmp_path, {"OPENAI_API_KEY": ""})
    assert {name: alias.targets[0].provider for name, alias in made.models.items()} == {
        "smollm2-135m": "local",
        "smollm2-135m-embed": "local-embedding",
    }
    assert made.providers["local"].base_url == "http://127.0.0.1:5001/v1"
    assert MODEL.api_key not in to_toml(made)


def test_each_key_in_the_environment_adds_its_provider(tmp_path: Path) -> None:
    environ = {"OPENAI_API_KEY": "1", "OPENROUTER_API_KEY": "2", "AI_GATEWAY_API_KEY": "3"}
    made = demo(tmp_path, environ)
    added = {name: each.api_key_env for name, each in made.providers.items() if each.api_key_env}
    assert added == {
        "openai": "OPENAI_API_KEY",
        "openrouter": "OPENROUTER_API_KEY",
        "vercel": "AI_GATEWAY_API_KEY",
    }
    assert {alias for alias in made.models if alias.endswith("*")} == {
        "openai/*",
        "openrouter/*",
        "vercel/*",
    }


def test_what_up_wrote_follows_the_demo_and_what_a_person_changed_stays(tmp_path: Path) -> None:
    later = replace(MODEL, port=6001)
    keys = {"OPENAI_API_KEY": "1", "OPENROUTER_API_KEY": "2"}
    with closing(open_store(tmp_path / "tokonomi.db")) as database:
        configure(database, demo(tmp_path, keys), now=NOW)
        first = in_force(database)
        configure(database, demo(tmp_path, keys), now=NOW)
        assert in_force(database) == first
        own = """
            [providers.local]
            base_url = "http://127.0.0.1:5001/v1"
            allow_private = true
            timeouts = { total = 60 }
            [models."openai/*"]
            provider = "local"
        """
        apply_text(database, own, now=NOW, by=Author("ani"))
        configure(database, demo(tmp_path, {"OPENAI_API_KEY": "1"}, later), now=NOW)
        after = in_store(database)
    assert after.providers["local"].base_url == "http://127.0.0.1:6001/v1"
    assert after.providers["local"].timeouts.total == 60
    assert after.models["openai/*"].targets[0].provider == "local"
    assert "openrouter" not in after.providers
    assert "openrouter/*" not in after.models


def test_what_a_person_removed_does_not_come_back(tmp_path: Path) -> None:
    environ = {"OPENAI_API_KEY": "1"}
    with closing(open_store(tmp_path / "tokonomi.db")) as database:
        configure(database, demo(tmp_path, environ), now=NOW)
        stored = in_force(database)
        gone = {Item(Kind.MODEL, "openai/*"), Item(Kind.PROVIDER, "openai")}
        rest = {item: table for item, table in stored.document.tables.items() if item not in gone}
        by = Author("ani")
        apply(database, Document.of(rest), based_on=stored.version, now=NOW, by=by)
        configure(database, demo(tmp_path, environ), now=NOW)
        assert gone.isdisjoint(in_store(database).tables)


def test_a_provider_that_a_persons_model_names_stays_when_its_key_is_gone(tmp_path: Path) -> None:
    with closing(open_store(tmp_path / "tokonomi.db")) as database:
        configure(database, demo(tmp_path, {"OPENAI_API_KEY": "1"}), now=NOW)
        apply_text(database, '[models.mine]\nprovider = "openai"', now=NOW, by=Author("ani"))
        configure(database, demo(tmp_path, {}), now=NOW)
        after = in_store(database)
    assert ("openai" in after.providers, "openai/*" in after.models) == (True, False)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-4o-mini"),
        ("openrouter", "mistralai/mistral-medium-3.1"),
        ("vercel", "openai/gpt-4o-mini"),
    ],
)
def test_the_models_that_the_pages_name_have_a_price(provider: str, model: str) -> None:
    entry = load_book().find(provider, model)
    assert entry is not None
    assert entry.rows


def test_the_models_of_the_demo_have_a_price(tmp_path: Path) -> None:
    assert [*warnings(demo(tmp_path, {}), load_book(), at=NOW)] == []


def test_the_prepared_folder_is_what_the_gateway_loads(tmp_path: Path) -> None:
    folder = DemoFolder(tmp_path / "var")
    model = prepare(folder, 4000, {})
    config = load(folder.config)
    assert Path(store_of(config, {})) == folder.store.absolute()
    with closing(open_store(folder.store)) as database:
        local = in_store(database).providers["local"]
    assert Path(config.inside(local.api_key_file)).read_text().strip() == model.api_key
    assert folder.master_key_file.stat().st_mode & 0o777 == 0o600


def test_the_demos_key_is_made_once_and_again_when_it_was_revoked(tmp_path: Path) -> None:
    folder = DemoFolder(tmp_path)
    first, second = demo_key(folder), demo_key(folder)
    with closing(open_store(folder.store)) as store:
        [key] = every_key(store)
        revoke(store, key.id, now=NOW)
    third = demo_key(folder)
    assert (first == second, first == third) == (True, False)


def test_a_folder_that_is_held_says_so_and_refuses_a_second_stack(tmp_path: Path) -> None:
    folder = DemoFolder(tmp_path)
    assert folder.running() is None
    with folder.hold(4321):
        running = folder.running()
        with pytest.raises(StartError, match="another `tokonomi up` is running"), folder.hold(1):
            pass
    assert running is not None
    assert running.port == 4321
    assert folder.running() is None
