"""Price files are found in the package and at the user's path."""

from pathlib import Path

import pytest

from tokonomi.errors import BadPrices
from tokonomi.storage.price_files import bundled_catalogue, bundled_overlay, load_book


def test_the_bundled_sources_are_read_once() -> None:
    assert bundled_overlay() is bundled_overlay()
    assert bundled_catalogue().source == "genai-prices 0.2.3"


def test_a_contract_is_read_from_its_path(tmp_path: Path) -> None:
    path = tmp_path / "contract.toml"
    path.write_text(
        '[[discount]]\nprovider = "openai"\nmodel = "*"\noff = "10%"\nsource = "terms"\n'
    )
    entry = load_book(path).find("openai", "gpt-5.1")
    assert entry is not None
    assert {ranked.rank.name for ranked in entry.rows} == {"CATALOGUE", "DISCOUNTED_CATALOGUE"}


def test_a_contract_that_is_not_there_is_told_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    with pytest.raises(BadPrices, match=r"the contract .*none\.toml cannot be read"):
        load_book(path)


def test_a_contract_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "contract.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadPrices, match="cannot be read"):
        load_book(path)
