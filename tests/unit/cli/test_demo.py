"""The demo's folder: its configuration, its key, its lock."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tokonomi.cli.demo import DemoFolder, configuration, demo_key, prepare
from tokonomi.errors import StartError
from tokonomi.gateway.config import load, parse
from tokonomi.gateway.server import unpriced_aliases
from tokonomi.providers.local_model import LocalModel
from tokonomi.storage.engine import open_store
from tokonomi.storage.keys import every_key, revoke
from tokonomi.storage.price_files import load_book

MODEL = LocalModel(port=5001, embedding_port=5002, api_key="a-secret")
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def test_without_keys_in_the_environment_only_the_local_model_is_configured(tmp_path: Path) -> None:
    text = configuration(DemoFolder(tmp_path), 4000, MODEL, {"OPENAI_API_KEY": ""})
    config = parse(text)
    assert {name: model.provider for name, model in config.models.items()} == {
        "smollm2-135m": "local",
        "smollm2-135m-embed": "local-embedding",
    }
    assert config.providers["local"].base_url == "http://127.0.0.1:5001/v1"
    assert MODEL.api_key not in text


def test_each_key_in_the_environment_adds_its_provider(tmp_path: Path) -> None:
    environ = {"OPENAI_API_KEY": "1", "OPENROUTER_API_KEY": "2", "AI_GATEWAY_API_KEY": "3"}
    config = parse(configuration(DemoFolder(tmp_path), 4000, MODEL, environ))
    added = {name: each.api_key_env for name, each in config.providers.items() if each.api_key_env}
    assert added == {
        "openai": "OPENAI_API_KEY",
        "openrouter": "OPENROUTER_API_KEY",
        "vercel": "AI_GATEWAY_API_KEY",
    }
    assert {alias for alias in config.models if alias.endswith("*")} == {
        "openai/*",
        "openrouter/*",
        "vercel/*",
    }


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
    config = parse(configuration(DemoFolder(tmp_path), 4000, MODEL, {}))
    assert unpriced_aliases(config, load_book(), at=NOW) == {}


def test_the_prepared_folder_is_what_the_gateway_loads(tmp_path: Path) -> None:
    folder = DemoFolder(tmp_path / "var")
    model = prepare(folder, 4000, {})
    config = load(folder.config)
    assert Path(config.store.path) == folder.store.absolute()
    assert Path(config.providers["local"].api_key_file).read_text().strip() == model.api_key


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
