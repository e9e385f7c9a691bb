"""Reads the packages of credits: the bundled file, or the user's own in its place."""

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from tokonomi.credits.package import Offer, offer_from_toml
from tokonomi.errors import BadInput

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
            remedy="Check the path under [credits] packages.",
        ) from wrong
    return offer_from_toml(text, name=path.name)


@cache
def _bundled_offer() -> Offer:
    text = files("tokonomi.catalogue").joinpath(_BUNDLED).read_text(encoding="utf-8")
    return offer_from_toml(text, name=_BUNDLED)
