"""A line a request: what is in it, what never is, and that nothing in it can break it."""

import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.gateway.access_log import AccessLog
from tokonomi.gateway.asked import Asked
from tokonomi.gateway.config import Observe
from tokonomi.gateway.logs import JsonFormatter, LogFormat, TextFormatter
from tokonomi.gateway.metrics import Metrics
from tokonomi.gateway.watching import Watching
from tokonomi.pricing.charge import Charge, Unpriced
from tokonomi.usage import Usage

AT = datetime(2026, 1, 30, tzinfo=UTC)
EVIL = 'gpt"\n2026-01-30 00:00:00,000 ACCESS POST /v1/x status=200\u2028\x1b[2J' + "y" * 300


COST = Charge("row", "USD", 6_975_000, ())


def a_call(cost: Charge | Unpriced = COST) -> Call:
    dimensions = Dimensions(provider="openai", key_id="key_1")
    return Call(
        intent=Intent(id="r.1", at=AT, dimensions=dimensions, model="gpt-4o-mini"),
        model_served="gpt-4o-mini-2024-07-18",
        usage=Usage(at=AT, uncached_input=16, cache_read=5, output=7),
        cost=cost,
        status=Status.OK,
        first_token_ms=4,
    )


def an_asked(alias: str = "gpt-4o-mini", *calls: Call) -> Asked:
    return Asked(
        "POST /v1/chat/completions",
        id="r",
        key_id="key_1",
        alias=alias,
        status=200,
        calls=list(calls),
    )


def written(form: LogFormat, *requests: Asked) -> list[str]:
    """The lines that a log writes of requests."""
    pieces: list[bytes] = []

    async def through() -> None:
        log = AccessLog(form, pieces.append)
        for asked in requests:
            log.request_ended(asked)
        log.flush()
        await asyncio.sleep(0)

    asyncio.run(through())
    return b"".join(pieces).decode().splitlines()


def test_a_line_of_json_says_what_a_request_was_and_cost() -> None:
    [line] = written("json", an_asked("gpt-4o-mini", a_call()))
    told = json.loads(line)
    assert told.pop("at").startswith("20")
    assert told.pop("ms") >= 0
    assert told == {
        "route": "POST /v1/chat/completions",
        "status": 200,
        "request_id": "r",
        "key_id": "key_1",
        "alias": "gpt-4o-mini",
        "target": "openai/gpt-4o-mini-2024-07-18",
        "attempts": 1,
        "outcome": "ok",
        "input_tokens": 21,
        "output_tokens": 7,
        "cost": "0.000006975 USD",
        "first_token_ms": 4,
    }


def test_a_line_of_text_says_the_same() -> None:
    [line] = written("text", an_asked("gpt-4o-mini", a_call()))
    assert " ACCESS POST /v1/chat/completions status=200 ms=" in line
    assert 'cost="0.000006975 USD" first_token_ms=4' in line


def test_attempts_are_added_up_by_currency_and_an_unknown_cost_is_said() -> None:
    calls = (
        a_call(),
        a_call(Charge("row", "IDR", 200_000_000, ())),
        a_call(Unpriced("x")),
        a_call(),
    )
    [line] = written("json", an_asked("m", *calls))
    told = json.loads(line)
    assert told["cost"] == "0.00001395 USD + 2 IDR + unpriced"
    assert (told["attempts"], told["input_tokens"]) == (4, 84)
    [line] = written("json", an_asked("m"))
    assert "cost" not in json.loads(line)


def test_an_attempt_that_got_nothing_to_its_provider_is_no_unknown_cost() -> None:
    refused = a_call(Unpriced("the provider could not be reached and got nothing"))
    alone, fallen, doubtful = (
        an_asked("m", refused),
        an_asked("m", refused, a_call()),
        an_asked("m", refused, a_call(Unpriced("x")), a_call()),
    )
    for asked in (alone, fallen, doubtful):
        asked.unsent = 1
    told = [json.loads(line).get("cost") for line in written("json", alone, fallen, doubtful)]
    assert told == [None, "0.000006975 USD", "0.000006975 USD + unpriced"]


@pytest.mark.parametrize("form", ["text", "json"])
def test_nothing_that_a_client_writes_ends_a_line_or_becomes_another_field(form: LogFormat) -> None:
    [line] = written(form, an_asked(EVIL, a_call()))
    assert line.isprintable()
    assert "y" * 201 not in line
    if form == "text":
        assert line.count(" status=") == 2
        assert line.index(' alias="') < line.rindex(" status=")
        assert line.index(" status=200") < line.index(' alias="')


def test_a_log_that_cannot_be_written_breaks_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        os.write(writer, b"x")

    async def through() -> None:
        watching = Watching(Observe(), Metrics(), {})
        for _ in range(600):
            watching.observer.request_ended(an_asked("gpt-4o-mini", a_call()))
        watching.close()

    with os.fdopen(writer, "w") as broken, monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", broken)
        asyncio.run(through())


def record(message: str, *args: object, error: BaseException | None = None) -> logging.LogRecord:
    info: Any = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord("tokonomi.x", logging.WARNING, "f", 1, message, args, info)


@pytest.mark.parametrize("make", [TextFormatter, JsonFormatter])
def test_a_record_is_one_line_whatever_is_in_it(make: Callable[[], logging.Formatter]) -> None:
    line = make().format(record("it said %s", "a\n2026-01-30 ERROR b\u2028\x1b[2J"))
    assert line.isprintable()
    assert "it said a" in line


def test_fields_of_a_record_stand_in_its_json_and_can_break_no_line() -> None:
    told = record("it switched")
    vars(told).update(alias="a\n\u2028b" + "y" * 300, http_status=503, odd=[1])
    line = JsonFormatter().format(told)
    assert line.isprintable()
    fields = json.loads(line)
    assert fields["http_status"] == 503
    assert fields["alias"].startswith("a\\u000a\\u2028b")
    assert "y" * 201 not in fields["alias"]
    assert sorted(fields) == ["alias", "at", "http_status", "level", "logger", "message"]


def test_a_traceback_is_marked_in_text_and_a_field_in_json() -> None:
    error = ValueError("bad\n2026-01-30 00:00:00,000 ERROR tokonomi all is lost")
    lines = TextFormatter().format(record("it failed", error=error)).splitlines()
    assert len(lines) > 2
    assert all(line.startswith("  | ") for line in lines[1:])
    [line] = JsonFormatter().format(record("it failed", error=error)).splitlines()
    told = json.loads(line)
    assert told["message"] == "it failed"
    assert told["exception"].startswith("ValueError: bad")
    assert (told["level"], told["logger"]) == ("warning", "tokonomi.x")
