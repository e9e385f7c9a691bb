"""What the tables of a scenario are made of: their base, and the forms of their keys."""

from copy import copy
from typing import Annotated, TypeVar

import msgspec

from tokonomi.plan.quantity import Natural, Positive, Share

ZERO = Natural.of(0)
ONE = Positive.of(1)
NONE = Share.of(0)
ALL = Share.of(1)

T = TypeVar("T")

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Currency = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")]
Months = Annotated[int, msgspec.Meta(ge=1, le=120)]


def default(value: T) -> T:
    """A copy of the value as the default of a field.

    Numbers are told apart by identity: one that stood in two fields could not be changed in one.
    """
    return msgspec.field(default_factory=lambda: copy(value))


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, eq=False):
    """A table of the file; a key that it does not have is an error."""
