"""Upkeep goes on after rounds that fail, however they fail, and its silence is told."""

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tokonomi.gateway.app import KEYS_TRUSTED_SECONDS, UPKEEP_LATE_SECONDS, Gateway
from tokonomi.gateway.config import parse
from tokonomi.gateway.server import open_gateway
from tokonomi.gateway.steady_clock import DISTRUSTED_SECONDS, SteadyClock
from tokonomi.storage import keys
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger_check import verify
from tokonomi.storage.wallet_store import grants_of, promote, promotion

NOW = datetime(2026, 11, 1, tzinfo=UTC)
DEFECT = "INSERT INTO budget (id, definition, changed_us) VALUES ('odd', '{', 0)"
JUMP = timedelta(days=2)
NEWS = "UPDATE rules_version SET version = version + 1"


async def answer(gateway: Gateway, method: str, path: str, key: str = "") -> tuple[int, Any]:
    """The status and the JSON, or text, that a request gets."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {key}".encode())]
    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    await gateway(scope, receive, send)
    body = sent[1]["body"]
    return sent[0]["status"], json.loads(body) if body.startswith(b"{") else body.decode()


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        turn = asyncio.Event()
        while not await holds():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(turn.wait(), 0.02)


def failures(text: str) -> float:
    [line] = [each for each in text.splitlines() if each.startswith("tokonomi_upkeep_failures_t")]
    return float(line.split()[1])


def test_a_defect_in_one_round_does_not_end_upkeep(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = tmp_path / "tokonomi.db"

    async def through() -> None:
        gateway = await open_gateway(parse(f"[store]\npath = {str(store)!r}\n"), {})
        with closing(open_store(store)) as database:
            text, key = keys.create(database, "k", "p", now=NOW)

            async def works() -> bool:
                return (await answer(gateway, "GET", "/v1/models", text))[0] == 200

            async def failed_twice() -> bool:
                return failures((await answer(gateway, "GET", "/metrics"))[1]) >= 2

            async def is_refused() -> bool:
                return (await answer(gateway, "GET", "/v1/models", text))[0] == 401

            await until(works)
            database.execute(DEFECT)
            database.execute(NEWS)
            await until(failed_twice)
            keys.revoke(database, key.id, now=NOW)
            database.execute("DELETE FROM budget")
            await until(is_refused)
        await _closed(gateway)

    asyncio.run(through())
    said = [each for each in caplog.records if "could not be read" in each.message]
    assert len(said) == 1
    assert "DecodeError" in said[0].message


def test_no_grant_ends_by_a_clock_that_was_just_set(new_store: Callable[[], Path | str]) -> None:
    store = new_store()
    gift = promotion("gift", wallet="p:user:ani", amount=10, now=NOW, days=1)
    where = 'dsn_env = "DSN"' if "://" in str(store) else f'path = "{store}"'
    config = parse(f"[store]\n{where}\n")
    with closing(open_store(store)) as database:
        promote(database, gift)

    def left_after(wall: list[datetime], elapsed: list[float], *, looks: int = 0) -> list[str]:
        """The grants that are left when a gateway has opened by this clock, and swept."""
        clock = SteadyClock(lambda: wall[0], lambda: elapsed[0])
        wall[0] += JUMP
        for _ in range(looks):
            assert not clock.is_steady()
            elapsed[0] += DISTRUSTED_SECONDS
            wall[0] += timedelta(seconds=DISTRUSTED_SECONDS)

        async def through() -> None:
            await _closed(await open_gateway(config, {"DSN": str(store)}, clock=clock))

        asyncio.run(through())
        with closing(open_store(store)) as database:
            assert verify(database).imbalances == ()
            return [each.grant.id for each in grants_of(database, "p:user:ani")]

    assert left_after([NOW], [0.0]) == [gift.id]
    # It is the time of the clock that stays where it was set.
    assert left_after([NOW], [0.0], looks=1) == []


def test_a_long_silence_is_told_and_then_no_key_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def through() -> None:
        config = parse(f"[store]\npath = {str(tmp_path / 'tokonomi.db')!r}\n")
        gateway = await open_gateway(config, {})
        assert await answer(gateway, "GET", "/healthz") == (
            200,
            {"status": "ok", "configuration": {"version": 0}},
        )
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now + UPKEEP_LATE_SECONDS + 5)
        status, told = await answer(gateway, "GET", "/healthz")
        assert (status, told["status"]) == (503, "failing")
        assert "the log says why" in told["upkeep"]
        monkeypatch.setattr(time, "monotonic", lambda: now + KEYS_TRUSTED_SECONDS + 5)
        status, told = await answer(gateway, "POST", "/v1/chat/completions", "tk-any")
        assert (status, told["error"]["code"]) == (503, "store_unavailable")
        assert "none is trusted" in told["error"]["message"]
        monkeypatch.undo()
        await _closed(gateway)

    asyncio.run(through())


async def _closed(gateway: Gateway) -> None:
    told = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> dict[str, Any]:
        return {"type": next(told)}

    async def send(_: Any) -> None:
        return

    await gateway({"type": "lifespan"}, receive, send)
