from pathlib import Path

import pytest

from tokonomi.errors import BadConfig
from tokonomi.storage.location import (
    Location,
    MasterKeyPlace,
    locate,
    locate_store,
    master_keys_of,
)


def test_a_stated_store_wins_over_a_folder_and_the_configuration(tmp_path: Path) -> None:
    config = tmp_path / "tokonomi.toml"
    config.write_text('[store]\npath = "there.db"\n')
    assert locate(Path("a.db"), data=Path("d"), config=config) == Location(Path("a.db"))
    assert locate(data=Path("d"), config=config) == Location(Path("d/tokonomi.db"))
    assert locate(config=config) == Location(tmp_path / "there.db")


def test_without_a_configuration_it_is_the_usual_folder(tmp_path: Path) -> None:
    assert locate(config=tmp_path / "tokonomi.toml") == Location(tmp_path / "var/tokonomi.db")


def test_the_lake_lies_beside_the_store() -> None:
    assert Location(Path("data/calls.db")).lake == Path("data/lake")


def test_the_master_key_is_beside_the_store_unless_the_configuration_says_where(
    tmp_path: Path,
) -> None:
    config = tmp_path / "tokonomi.toml"
    location = Location(tmp_path / "var" / "tokonomi.db")
    assert master_keys_of(location, config) == MasterKeyPlace("", tmp_path / "var" / "master.key")
    config.write_text('[secrets]\nkey_file = "own.key"\n')
    assert master_keys_of(location, config) == MasterKeyPlace("", tmp_path / "own.key")
    config.write_text('[secrets]\nkey_env = "MASTER"\n')
    assert master_keys_of(location, config).variable == "MASTER"


def test_the_configuration_beside_the_store_is_asked_when_there_is_none_here(
    tmp_path: Path,
) -> None:
    (tmp_path / "tokonomi.toml").write_text('[secrets]\nkey_file = "own.key"\n')
    found = master_keys_of(Location(tmp_path / "tokonomi.db"), tmp_path / "none" / "tokonomi.toml")
    assert found == MasterKeyPlace("", tmp_path / "own.key")


@pytest.mark.parametrize("text", ["[store", "[store]\npath = 7\n", "store = 7\n", "\x00"])
def test_a_wrong_configuration_is_told_as_such(tmp_path: Path, text: str) -> None:
    config = tmp_path / "tokonomi.toml"
    config.write_text(text)
    with pytest.raises(BadConfig, match=r"tokonomi\.toml"):
        locate(config=config)


def test_a_dsn_is_the_store_stated_or_by_the_variable_that_the_configuration_names(
    tmp_path: Path,
) -> None:
    config = tmp_path / "tokonomi.toml"
    config.write_text('[store]\ndsn_env = "DSN"\n')
    environ = {"DSN": "postgresql://there/tokonomi"}
    assert locate_store("postgresql://h/d", config=config, environ={}) == "postgresql://h/d"
    assert locate_store(config=config, environ=environ) == "postgresql://there/tokonomi"
    assert locate_store("a.db", config=config, environ=environ) == Path("a.db")
    assert locate_store(data=tmp_path, config=config, environ=environ) == tmp_path / "tokonomi.db"
    with pytest.raises(BadConfig, match="names DSN, which is not set"):
        locate_store(config=config, environ={})
