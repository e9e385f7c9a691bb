"""The usage object that a reply reported last: absent, of no form, impossible, or read."""

from collections.abc import Callable, Mapping

from tokonomi.errors import ImpossibleUsage
from tokonomi.providers.json_fields import has_values, is_object, not_an_object, quarantined
from tokonomi.usage import Quarantined, Usage

Read = Callable[[Mapping[str, object]], Usage | Quarantined | None]


def last_report(reported: object, before: object) -> object:
    """What counts after one more statement of usage: the later one, if it says anything.

    Usage may come on any event, also on one with content, and more than once. An object of nulls,
    which some send until the end, is not a usage.
    """
    return reported if reported is not None and has_values(reported) else before


def read_report(key: str, reported: object, read: Read) -> Usage | Quarantined | None:
    """The consumption that a usage object reports, as `read` makes it; None when there is none.

    What stood under `key` and is no object, and counts that cannot be true, are quarantined.
    """
    if reported is None:
        return None
    if not is_object(reported):
        return not_an_object(key, reported)
    try:
        return read(reported)
    except ImpossibleUsage as impossible:
        return quarantined(impossible.what, reported)
