"""Settled calls of an alias with a primary and a fallback, as gateways write them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import count
from typing import Final

from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.pricing.charge import Unpriced, charge
from tokonomi.storage.call_rows import INSERT, row_of
from tokonomi.storage.database import Database
from tokonomi.storage.price_files import load_book
from tokonomi.usage import Source, Usage

PRIMARY: Final = ("google", "gemini-2.5-flash")
FALLBACK: Final = ("openai", "gpt-5.1")
_numbers: Final = count(1)


def attempt(
    request: str,
    number: int,
    *,
    at: datetime,
    route: str,
    status: Status = Status.OK,
    http_status: int = 200,
    alias: str = "writer",
    tokens: tuple[int, int] = (150_000, 150_000),
) -> Call:
    """One attempt; the seed's paper is 150,000 tokens in and out."""
    provider, model = PRIMARY if route == "primary" else FALLBACK
    intent = Intent(
        id=f"{request}.{number}",
        at=at,
        dimensions=Dimensions(alias=alias, provider=provider, route=route),
        model=model,
    )
    if status is Status.FAILED:
        usage = Usage(at=at, requests=0, source=Source.ABSENT)
        cost = Unpriced("the provider refused the request")
        return Call(
            intent=intent,
            model_served=model,
            usage=usage,
            cost=cost,
            status=status,
            http_status=http_status,
        )
    usage = Usage(at=at, uncached_input=tokens[0], output=tokens[1])
    row = load_book().row_at(provider, model, at)
    assert not isinstance(row, Unpriced)
    return Call(
        intent=intent,
        model_served=model,
        usage=usage,
        cost=charge(usage, row),
        status=status,
        http_status=http_status,
    )


def served(at: datetime, *, alias: str = "writer") -> list[Call]:
    """A request that its primary served."""
    return [attempt(f"r{next(_numbers)}", 1, at=at, route="primary", alias=alias)]


def fallen_back(
    at: datetime,
    *,
    http_status: int = 503,
    alias: str = "writer",
    tokens: tuple[int, int] = (150_000, 150_000),
) -> list[Call]:
    """A request whose primary failed and whose fallback served it."""
    request = f"r{next(_numbers)}"
    failed = attempt(
        request,
        1,
        at=at,
        route="primary",
        status=Status.FAILED,
        http_status=http_status,
        alias=alias,
    )
    return [failed, attempt(request, 2, at=at, route="fallback", alias=alias, tokens=tokens)]


def settle(database: Database, calls: Iterable[Call]) -> None:
    """Writes the rows of settled calls."""
    with database.transaction():
        database.executemany(INSERT, [row_of(call) for call in calls])


AT: Final = datetime(2026, 11, 26, 9, 30, tzinfo=UTC)
