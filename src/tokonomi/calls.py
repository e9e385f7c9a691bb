"""A metered call: who asked for what, what it consumed, what it cost, and how it ended."""

from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from tokonomi.money import Money
from tokonomi.pricing.charge import Charge, Unpriced
from tokonomi.usage import Quarantined, Usage


class Status(StrEnum):
    """How an attempt ended."""

    OK = "ok"
    """The provider answered in full."""
    FAILED = "failed"
    """The provider refused or could not be reached; no content reached the client."""
    CUT = "cut"
    """The provider ended the stream before its end."""
    DISCONNECTED = "disconnected"
    """The client left before the end."""
    ORPHANED = "orphaned"
    """The process died with the call in flight; a later one found it."""
    IMPORTED = "imported"
    """Read from a file of past traffic."""


NAMED_DIMENSIONS: Final = {
    "project": "project",
    "feature": "feature",
    "user": "user",
    "session": "session",
    "key": "key_id",
    "route": "route",
}
"""What rules call a dimension of the client, and the field that holds it."""

TAG_PREFIX: Final = "tag:"
LONGEST_VALUE: Final = 256
"""Characters of a dimension's value that are kept."""
MOST_TAGS: Final = 16
"""Tags of a call that are kept."""


class Dimensions(msgspec.Struct, frozen=True, kw_only=True):
    """What people group by. An empty string is "not given", which is shown as such.

    Attributes:
        project: the owner of the key.
        feature: the product feature that made the call.
        user: the end user, as the client names them.
        session: the conversation.
        key_id: the virtual key; the key itself is nowhere stored.
        alias: the model as it was asked for.
        provider: who was called.
        route: which way its alias sent it: `primary` or `fallback`, see `routing.route`.
        tags: further names and values, in the order of the names.
    """

    project: str = ""
    feature: str = ""
    user: str = ""
    session: str = ""
    key_id: str = ""
    alias: str = ""
    provider: str = ""
    route: str = ""
    tags: tuple[tuple[str, str], ...] = ()

    def named(self, name: str) -> str:
        """The value of the dimension that rules call `name`, empty when it is not given.

        `name` is one of `NAMED_DIMENSIONS`, or `"tag:"` and the name of a tag.

        >>> Dimensions(user="ani", tags=(("document", "d-7"),)).named("tag:document")
        'd-7'
        """
        if name.startswith(TAG_PREFIX):
            return dict(self.tags).get(name.removeprefix(TAG_PREFIX), "")
        value: str = getattr(self, NAMED_DIMENSIONS[name])
        return value


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that is about to leave for a provider; it is durable before it does.

    `id` is `"<request id>.<attempt number>"` and unique for ever. `model` is the provider's id of
    the model that is asked for; `input_bound` is an upper bound of the input, in tokens.
    `worst_case` is the most that the provider can bill, None where nobody knows or where no budget
    and no wallet was to be asked.
    """

    id: str
    at: datetime
    dimensions: Dimensions
    model: str
    input_bound: int = 0
    worst_case: Money | None = None

    @property
    def request_id(self) -> str:
        """The id of the request that this attempt belongs to."""
        return self.id.rpartition(".")[0]

    @property
    def attempt(self) -> int:
        """The number of the attempt in its request, from 1."""
        return int(self.id.rpartition(".")[2])


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at a provider, settled. It is written once and never changed.

    Attributes:
        intent: what was asked, by whom.
        model_served: the model that the reply names, else the one that was asked for.
        usage: the consumption, or why the reported one cannot be true.
        cost: the charge, or why there is none.
        exposure: the most that the provider may bill beyond the cost, where it may and nobody knows
            how much: the call failed after it was sent, or its answer cannot be counted. None where
            nothing more is billed, or where even the most is not known.
        status: how it ended.
        http_status: the provider's status code, 0 when there was no answer.
        first_token_ms: milliseconds to the first content, when there was any.
        duration_ms: milliseconds from dispatch to the end.
        provider_request_id: the provider's own id of the call.
        note: one sentence when something is to be said (an error, an estimate, an alarm).
    """

    intent: Intent
    model_served: str
    usage: Usage | Quarantined
    cost: Charge | Unpriced
    status: Status
    http_status: int = 0
    first_token_ms: int | None = None
    duration_ms: int = 0
    provider_request_id: str = ""
    exposure: Money | None = None
    note: str = ""
