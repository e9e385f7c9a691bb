"""Reads the price files: the overlay in the package, and the user's contract."""

from contextlib import closing
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from genai_prices.data import providers

from tokonomi.errors import BadPrices
from tokonomi.pricing.book import PriceBook
from tokonomi.pricing.catalogue import Catalogue
from tokonomi.pricing.contract import NO_CONTRACT, Contract, compile_contract
from tokonomi.pricing.overlay import Overlay, compile_overlay
from tokonomi.pricing.price_file import read_contract_file, read_price_file
from tokonomi.storage.config_store import in_force
from tokonomi.storage.engine import open_store
from tokonomi.storage.location import Location


def load_book(contract: Path | Contract | None = None) -> PriceBook:
    """The price book: the user's contract, or the file of it, over our overlay over the catalogue.

    Works offline. The two lower sources are read once a process; the contract each time.

    Raises:
        BadPrices: a price file is wrong, or the contract cannot be read.
    """
    terms = _contract(contract) if isinstance(contract, Path) else contract or NO_CONTRACT
    return PriceBook(bundled_catalogue(), bundled_overlay(), terms)


def book_in_force(location: Location) -> PriceBook:
    """The price book with the contract that the configuration in the store states.

    Raises:
        BadPrices: the contract is wrong.
        StoreError: the store cannot be read.
    """
    with closing(open_store(location.readable)) as database:
        return load_book(in_force(database).document.contract)


@cache
def bundled_catalogue() -> Catalogue:
    """The pinned genai-prices data."""
    return Catalogue(providers, version("genai-prices"))


@cache
def bundled_overlay() -> Overlay:
    """Our dated prices, from the TOML files in `catalogue/prices`."""
    folder = files("tokonomi.catalogue").joinpath("prices")
    texts = {
        file.name: file.read_text(encoding="utf-8")
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".toml")
    }
    return compile_overlay(
        {name.removesuffix(".toml"): read_price_file(text, name) for name, text in texts.items()}
    )


def _contract(path: Path) -> Contract:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        raise BadPrices(
            f"the contract {path} cannot be read: {wrong}", remedy="Check the path."
        ) from wrong
    return compile_contract(path.name, read_contract_file(text, path.name))
