"""The service tier that served a call, named alike for every provider."""

from typing import Final

from tokonomi.usage import STANDARD_TIER, UNKNOWN_TIER

_LONGEST_NAME: Final = 40
_NAMES: Final = {
    "": STANDARD_TIER,
    "standard": STANDARD_TIER,
    "default": STANDARD_TIER,
    "on_demand": STANDARD_TIER,
    "auto": UNKNOWN_TIER,
    "traffic_type_unspecified": UNKNOWN_TIER,
    "on_demand_flex": "flex",
    "on_demand_priority": "priority",
    "provisioned_throughput": "provisioned",
}


def served_tier(reported: object) -> str:
    """The tier that a reply names, in our words; a reply that names none was served as standard.

    "default" and "on_demand" are the standard tier. "auto" is an instruction and not a tier: a
    reply that repeats it does not say which tier served the call, so the tier is unknown, no price
    row matches it, and the call is `Unpriced` instead of wrongly priced.

    >>> served_tier(None), served_tier("default"), served_tier("flex"), served_tier("auto")
    ('standard', 'standard', 'flex', 'unknown')
    """
    if reported is None:
        return STANDARD_TIER
    if not isinstance(reported, str):
        return UNKNOWN_TIER
    name = reported.lower()
    return _NAMES.get(name, name[:_LONGEST_NAME])
