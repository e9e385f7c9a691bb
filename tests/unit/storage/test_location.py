from pathlib import Path

import pytest

from tokonomi.errors import BadConfig
from tokonomi.storage.location import Location, locate


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
