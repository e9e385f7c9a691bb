"""The packages of credits on sale: the bundled ones, or the user's own in their place."""

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from tokonomi.credits.package import Offer, offer_from_toml
from tokonomi.errors import BadInput
from tokonomi.storage.config_store import in_force
from tokonomi.storage.database import Database

_BUNDLED: Final = "packages.toml"


def load_offer(path: Path | None = None) -> Offer:
    """The packages on sale and what a credit is: those of `path`, else the bundled ones.

    Raises:
        BadInput: the file cannot be read, or states what cannot be sold.
    """
    if path is None:
        return _bundled_offer()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        raise BadInput(
            f"the packages {path} cannot be read: {wrong}",
            remedy="Check the path.",
        ) from wrong
    return offer_from_toml(text, name=path.name)


def offer_in_force(database: Database) -> Offer:
    """The packages on sale by the configuration in the store, the bundled ones when it has none.

    Raises:
        BadInput: they state what cannot be sold.
    """
    return in_force(database).document.offer or _bundled_offer()


@cache
def _bundled_offer() -> Offer:
    text = files("tokonomi.catalogue").joinpath(_BUNDLED).read_text(encoding="utf-8")
    return offer_from_toml(text, name=_BUNDLED)
