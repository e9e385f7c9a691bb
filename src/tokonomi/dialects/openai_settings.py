"""What OpenAI's chat completions and responses say alike."""

from collections.abc import Mapping
from typing import Final

from tokonomi.dialects.conversation import ContextSize, Place, ServiceTier, Verbosity
from tokonomi.dialects.fields import Fields
from tokonomi.dialects.refusal import Carried, Hint, Refused, Rule

SIZES: Final[Mapping[str, ContextSize]] = {"low": "low", "medium": "medium", "high": "high"}
VERBOSITIES: Final[Mapping[str, Verbosity]] = {"low": "low", "medium": "medium", "high": "high"}
TIERS: Final[Mapping[str, ServiceTier]] = {
    "auto": "auto",
    "default": "standard",
    "flex": "flex",
    "priority": "priority",
}
TIER_NAMES: Final = {tier: name for name, tier in TIERS.items()}

PRIVATE_RULES: Final[Mapping[str, Rule]] = {
    "user": Carried("user"),
    "safety_identifier": Carried("user"),
    "metadata": Carried("metadata"),
    "service_tier": Carried("service_tier"),
    "prompt_cache_key": Carried("cache_key"),
    "prompt_cache_retention": Hint("how long a cache is kept changes no answer"),
    "prompt_cache_options": Hint("how a cache is kept changes no answer"),
    "store": Refused(
        "asks for the answer to be stored, and across dialects nothing is stored",
        "Send `store: false`.",
        harmless=(False,),
    ),
    "moderation": Refused(
        "asks for a check that other providers do not make",
        "Leave it out, or use a model whose provider speaks your dialect.",
    ),
}
"""What both interfaces have besides the conversation itself."""


def tier_of(fields: Fields) -> ServiceTier:
    """The service tier that was asked for."""
    return fields.choice("service_tier", TIERS, "")


def metadata_of(fields: Fields) -> tuple[tuple[str, str], ...]:
    """The client's own notes on the request."""
    notes = fields.child("metadata")
    return () if notes is None else notes.all_texts()


def place_of(fields: Fields) -> Place | None:
    """Where the person is who asks; chat completions put it one level deeper than responses."""
    location = fields.child("user_location")
    if location is None:
        return None
    location.choice("type", {"approximate": True}, default=True)
    inner = location.child("approximate") or location
    place = Place(
        inner.text("city"), inner.text("region"), inner.text("country"), inner.text("timezone")
    )
    inner.done()
    location.done()
    return place


def place_fields(place: Place) -> dict[str, object]:
    """The place in words that all dialects share, without what is not said."""
    named = {
        "city": place.city,
        "region": place.region,
        "country": place.country,
        "timezone": place.timezone,
    }
    return {name: value for name, value in named.items() if value}
