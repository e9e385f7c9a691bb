"""`track(client)`: a client of `openai` or `anthropic` whose calls have rows and costs."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from tokonomi.errors import BadInput, StoreError
from tokonomi.pricing.book import PriceBook
from tokonomi.sdk.costs import Costs
from tokonomi.sdk.delivery import DELIVERIES
from tokonomi.sdk.dimensions import said
from tokonomi.sdk.http_view import Tracking, metered, tracking_of
from tokonomi.sdk.meter import Meter
from tokonomi.storage.location import Location, locate
from tokonomi.storage.price_files import book_in_force, load_book

_log: Final = logging.getLogger("tokonomi.sdk")
C = TypeVar("C")
_SDKS: Final = frozenset({"openai", "anthropic"})
_UNREAD: Final = frozenset({"BaseBedrockClient", "BaseVertexClient"})
"""Clients of Anthropic whose addresses and bodies are the cloud's own, which no adapter reads."""


def track(
    client: C,
    *,
    project: str = "",
    feature: str = "",
    user: str = "",
    session: str = "",
    tags: Mapping[str, str] | None = None,
    provider: str = "",
    store: Path | str | None = None,
    costs: Costs | None = None,
) -> C:
    """A client like the given one, whose calls are metered; the given one stays as it is.

    Both share their connections, so closing one closes both. What is tracked again is metered
    once, as it was said last. Nothing of a request or a reply is changed, and no failure of the
    metering reaches the caller; see `failures`.

    Args:
        client: of `openai` or `anthropic`, sync or async.
        project: the owner of its calls.
        feature: the product feature that makes them.
        user: the end user.
        session: the conversation.
        tags: further names and values.
        provider: the provider's name in the price book; when empty, the address tells.
        store: the store's file or PostgreSQL DSN; else as for the command line: `tokonomi.toml`
            here, else `var/tokonomi.db`.
        costs: where the costs are added up for this process; a new one when left out.

    Raises:
        BadInput: it is no client of one of the two.
        BadConfig: `tokonomi.toml` is wrong.
        BadPrices: the contract in the store is wrong.
    """
    http_client = _http_client_of(client)
    before = tracking_of(http_client)
    location = locate(store)
    meter = Meter(
        said(project=project, feature=feature, user=user, session=session, tags=tags),
        costs or Costs(),
        _book(location),
        DELIVERIES.to(location),
        provider=provider,
    )
    original = before.original if before else http_client
    wire: Any = client
    return wire.copy(http_client=metered(original, meter))


def _book(location: Location) -> PriceBook:
    """The prices of the store's configuration; the public ones while it cannot be read.

    Raises:
        BadPrices: the contract in the store is wrong.
    """
    try:
        return book_in_force(location)
    except StoreError as error:
        _log.warning("own prices could not be read, so the public ones hold: %s", error)
        return load_book()


def costs_of(client: object) -> Costs:
    """What the calls of a tracked client cost, in this process.

    Raises:
        BadInput: the client is not tracked.
    """
    tracking: Tracking | None = tracking_of(_http_client_of(client))
    if tracking is None:
        raise BadInput("this client is not tracked", remedy="Use what track(client) returns.")
    return tracking.meter.costs


def _http_client_of(client: object) -> object:
    kinds = type(client).__mro__
    known = any(kind.__module__.partition(".")[0] in _SDKS for kind in kinds)
    http_client = getattr(client, "_client", None)
    if not known or not callable(getattr(http_client, "send", None)):
        raise BadInput(
            f"a {type(client).__module__}.{type(client).__name__} cannot be tracked",
            remedy="Give track() a client of openai or anthropic, such as openai.OpenAI().",
        )
    if unread := sorted({kind.__name__ for kind in kinds} & _UNREAD):
        raise BadInput(
            f"{unread[0]} cannot be tracked: no adapter reads what its cloud sends",
            remedy="Import its calls, or send them through the gateway.",
        )
    return http_client
