"""The gateway as a whole, without a socket: its routes, its warnings, how it opens and closes."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from tokonomi.errors import BadConfig, StartError
from tokonomi.gateway.app import Gateway, new_request_id
from tokonomi.gateway.batches.routes import ROUTES as BATCH_ROUTES
from tokonomi.gateway.config import Config, parse
from tokonomi.gateway.server import open_gateway, run
from tokonomi.storage.config_files import apply_text
from tokonomi.storage.engine import open_store

AT = datetime(2026, 1, 30, tzinfo=UTC)


def configured(tmp_path: Path, more: str = "") -> Config:
    return parse(f"[store]\npath = {str(tmp_path / 'tokonomi.db')!r}\n{more}")


def with_gateway(config: Config, test: Callable[[Gateway], Awaitable[None]]) -> None:
    """Opens the gateway, tests it, and closes it as a server does."""

    async def through() -> None:
        gateway = await open_gateway(config, {})
        sent: list[str] = []

        async def receive() -> dict[str, Any]:
            return {"type": "lifespan.shutdown" if sent else "lifespan.startup"}

        async def send(message: Any) -> None:
            sent.append(message["type"])
            if len(sent) == 1:
                await test(gateway)

        await gateway({"type": "lifespan"}, receive, send)
        assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]

    asyncio.run(through())


def test_these_are_all_routes_and_only_the_metered_ones_reach_a_provider(tmp_path: Path) -> None:
    async def test(gateway: Gateway) -> None:
        await asyncio.sleep(0)
        assert set(gateway.routes) == {
            ("POST", "/v1/chat/completions"),
            ("POST", "/v1/responses"),
            ("POST", "/v1/messages"),
            ("POST", "/v1/embeddings"),
            ("GET", "/v1/models"),
            ("POST", "/v1/files"),
            ("GET", "/v1/files"),
            ("GET", "/v1/files/{id}"),
            ("DELETE", "/v1/files/{id}"),
            ("GET", "/v1/files/{id}/content"),
            ("POST", "/v1/batches"),
            ("GET", "/v1/batches"),
            ("GET", "/v1/batches/{id}"),
            ("POST", "/v1/batches/{id}/cancel"),
            ("GET", "/healthz"),
            ("GET", "/metrics"),
        }
        names = {
            route: getattr(handler, "__qualname__", "")
            for route, handler in gateway.routes.items()
            if route[0] != "GET"
        }
        kept = {route for route, name in names.items() if name == "Gateway._visits.<locals>.handle"}
        assert kept == {route for route in BATCH_ROUTES if route[0] != "GET"}
        metered = {name for route, name in names.items() if route not in kept}
        assert metered == {"Gateway._calls.<locals>.handle"}

    with_gateway(configured(tmp_path), test)


def test_a_closed_gateway_leaves_no_living_worker_behind(tmp_path: Path) -> None:
    async def test(_gateway: Gateway) -> None:
        await asyncio.sleep(0)

    with_gateway(configured(tmp_path), test)
    with closing(sqlite3.connect(tmp_path / "tokonomi.db")) as connection:
        assert connection.execute("SELECT ended_us IS NULL FROM worker").fetchall() == [(0,)]
    assert list((tmp_path / "tokonomi.db.workers").iterdir()) == []


def test_a_missing_key_of_a_provider_stops_the_start(tmp_path: Path) -> None:
    with closing(open_store(tmp_path / "tokonomi.db")) as database:
        text = "[providers.a]\nbase_url = 'https://a'\napi_key_env = 'NOT_SET_ANYWHERE'\n"
        apply_text(database, text, now=AT)
    with pytest.raises(BadConfig, match="NOT_SET_ANYWHERE"):
        asyncio.run(open_gateway(configured(tmp_path), {}))


def test_an_address_that_cannot_be_listened_on_stops_the_start(tmp_path: Path) -> None:
    config = configured(tmp_path, "[listen]\nhost = '192.0.2.1'\n")
    with pytest.raises(StartError, match=r"192\.0\.2\.1:4000"):
        run(config)
    # As `--port` says it, which no file does.
    listen = replace(config.listen, host="127.0.0.1", port=99_999)
    with pytest.raises(StartError, match=r"99999 is not a port\. Choose one up to 65535"):
        run(replace(config, listen=listen))


def test_request_ids_are_unique_and_sort_by_time() -> None:
    randomness = Random(1)
    ids = [new_request_id(randomness) for _ in range(10_000)]
    assert len(set(ids)) == len(ids)
    assert {len(each) for each in ids} == {32}
    times = [each[:12] for each in ids]
    assert times == sorted(times)
