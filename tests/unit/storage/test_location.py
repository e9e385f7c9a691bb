from pathlib import Path

import pytest

from tokonomi.errors import BadConfig
from tokonomi.storage.location import Location, locate, locate_packages, locate_store


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


def test_the_contract_is_known_wherever_the_store_lies(tmp_path: Path) -> None:
    config = tmp_path / "tokonomi.toml"
    config.write_text('[prices]\ncontract = "own.toml"\n')
    assert locate(data=Path("d"), config=config).contract == tmp_path / "own.toml"
    config.write_text('[prices]\ncontract = ""\n')
    assert locate(data=Path("d"), config=config).contract is None


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
    config.write_text('[store]\ndsn_env = "DSN"\n[credits]\npackages = "own.toml"\n')
    environ = {"DSN": "postgresql://there/tokonomi"}
    assert locate_store("postgresql://h/d", config=config, environ={}) == "postgresql://h/d"
    assert locate_store(config=config, environ=environ) == "postgresql://there/tokonomi"
    assert locate_store("a.db", config=config, environ=environ) == Path("a.db")
    assert locate_store(data=tmp_path, config=config, environ=environ) == tmp_path / "tokonomi.db"
    with pytest.raises(BadConfig, match="names DSN, which is not set"):
        locate_store(config=config, environ={})
    assert locate_packages(config) == tmp_path / "own.toml"
    assert locate_packages(tmp_path / "none.toml") is None
