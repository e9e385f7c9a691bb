"""One owner of retries: the same target again as the table says, in one number of attempts."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final
from zoneinfo import available_timezones

import openai
import pytest
from fake_provider import (
    PIECES,
    Answer,
    FakeProvider,
    Hangup,
    Received,
    plain,
    refusing,
)
from gateway_process import GatewayProcess, until

from tokonomi.budgets.table import budget_from_table
from tokonomi.routing.chain import FIRST_PAUSE_SECONDS
from tokonomi.storage import budget_store
from tokonomi.storage.database import only_row
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger_check import verify

Behaviour = Callable[[Received], Answer]
HELLO: Final[Any] = [{"role": "user", "content": "Say hello."}]
TOO_LONG: Final = "retry-after: 11\r\n"
"""One second above what is waited for."""
COST: Final = 16 * 150_000 + 5 * 75_000 + 7 * 600_000
"""Pico-dollars of the provider's answer, whose `USAGE` has 21 tokens in, 5 of them cached."""


async def hangs_up(_request: Received) -> Answer:
    for part in ():
        yield part
    raise Hangup


@dataclass
class Script:
    """What a provider does with one request after the other, and when each of them came."""

    behaviours: Iterator[Behaviour]
    came: list[float] = field(default_factory=list[float])

    async def __call__(self, request: Received) -> Answer:
        self.came.append(time.monotonic())
        async for part in next(self.behaviours, plain)(request):
            yield part

    @property
    def pauses(self) -> list[float]:
        return [after - before for before, after in pairwise(self.came)]


CONFIGURATION: Final = """
[store]
path = "tokonomi.db"

[listen]
port = 0

[breaker]
minimum_calls = 100000

[providers.first]
base_url = "{first}"
allow_private = true
price_as = "openai"
on_disconnect = "drain"

[providers.second]
base_url = "{second}"
allow_private = true
price_as = "openai"

[models.thrice]
targets = [
  {{ provider = "first", model = "gpt-4o-mini", attempts = 3 }},
  {{ provider = "second", model = "gpt-4o-mini" }},
]

[models.bounded]
attempts = 2
targets = [
  {{ provider = "first", model = "gpt-4o-mini", attempts = 3 }},
  {{ provider = "second", model = "gpt-4o-mini" }},
]

[models.alone]
targets = [{{ provider = "first", model = "gpt-4o-mini", attempts = 3 }}]
"""


@dataclass
class Setting:
    first: FakeProvider
    second: FakeProvider
    gateway: GatewayProcess
    client: openai.OpenAI

    def first_does(self, *behaviours: Behaviour) -> Script:
        self.second.received.clear()
        self.first.always = script = Script(iter(behaviours))
        return script

    def attempts(self) -> list[dict[str, Any]]:
        """The rows of the newest request, when nothing is in flight any more."""
        until(lambda: self.gateway.rows() and not self.gateway.in_flight())
        rows = self.gateway.rows()
        newest = rows[-1]["request_id"]
        return [row for row in rows if row["request_id"] == newest]


@pytest.fixture(scope="module")
def setting(provider: FakeProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    second = FakeProvider(always=plain)
    second.start()
    text = CONFIGURATION.format(first=provider.base_url, second=second.base_url)
    gateway = GatewayProcess(tmp_path_factory.mktemp("retries"), text)
    with closing(open_store(gateway.store)) as database:
        stated = {"id": "all", "window": "lifetime", "currency": "USD", "amount": "1"}
        budget = budget_from_table(stated, zones=available_timezones())
        budget_store.create(database, budget, now=datetime.now(UTC))
    gateway.start()
    key, _ = gateway.make_key()
    with gateway.client(key) as client:
        yield Setting(provider, second, gateway, client)
    gateway.stop()
    second.stop()


@pytest.fixture(autouse=True)
def nothing_is_held_afterwards(setting: Setting) -> Iterator[None]:
    """Every pico-dollar of the budget is free again, or stands in a row as cost or exposure."""
    yield
    until(lambda: not setting.gateway.in_flight())
    with closing(open_store(setting.gateway.store)) as database:
        sums = "sum(debits_pending), sum(debits_posted)"
        held, posted = only_row(database, f"SELECT {sums} FROM account")
        assert verify(database).imbalances == ()
    rows = setting.gateway.rows()
    known = sum((row["amount"] or 0) + (row["exposure"] or 0) for row in rows)
    assert (int(held), int(posted)) == (0, known)


def asked(setting: Setting, model: str, *, stream: bool = False) -> str:
    """The text of an answer."""
    create: Any = setting.client.chat.completions.create
    said = create(model=model, messages=HELLO, max_tokens=30, stream=stream)
    if not stream:
        return said.choices[0].message.content
    return "".join(each.choices[0].delta.content or "" for each in said)


def told(rows: Sequence[dict[str, Any]]) -> list[tuple[str, str, int | None]]:
    return [(row["route"], row["status"], row["amount"]) for row in rows]


@pytest.mark.parametrize("stream", [False, True])
def test_a_target_that_failed_is_tried_again_with_growing_pauses(
    setting: Setting, *, stream: bool
) -> None:
    script = setting.first_does(refusing(500), refusing(502))
    assert asked(setting, "thrice", stream=stream) == "".join(PIECES)
    rows = setting.attempts()
    failed = ("primary", "failed", None)
    assert told(rows) == [failed, failed, ("primary", "ok", COST)]
    assert [row["id"].rpartition(".")[2] for row in rows] == ["1", "2", "3"]
    # A draw takes at most half of a pause away, and the second is twice the first.
    for pause, longest in zip(
        script.pauses, (FIRST_PAUSE_SECONDS, 2 * FIRST_PAUSE_SECONDS), strict=True
    ):
        assert pause >= longest / 2
    assert setting.second.received == []


@pytest.mark.parametrize("status", [429, 503, 529])
@pytest.mark.parametrize("stream", [False, True])
def test_a_wait_that_a_provider_asks_for_is_kept_before_it_is_tried_again(
    setting: Setting, status: int, *, stream: bool
) -> None:
    script = setting.first_does(refusing(status, "retry-after-ms: 700\r\n"))
    assert asked(setting, "thrice", stream=stream) == "".join(PIECES)
    assert told(setting.attempts()) == [
        ("primary", "failed", None),
        ("primary", "ok", COST),
    ]
    [pause] = script.pauses
    assert 0.7 <= pause < 5
    assert setting.second.received == []


def test_a_wait_of_whole_seconds_is_kept_too(setting: Setting) -> None:
    script = setting.first_does(refusing(429, "retry-after: 1\r\n"))
    assert asked(setting, "thrice") == "".join(PIECES)
    [pause] = script.pauses
    assert 1 <= pause < 5


@pytest.mark.parametrize("status", [429, 503, 529])
@pytest.mark.parametrize("stream", [False, True])
def test_a_wait_that_is_too_long_goes_on_to_the_next_target(
    setting: Setting, status: int, *, stream: bool
) -> None:
    script = setting.first_does(refusing(status, TOO_LONG))
    begun = time.monotonic()
    assert asked(setting, "thrice", stream=stream) == "".join(PIECES)
    assert time.monotonic() - begun < 5
    assert told(setting.attempts()) == [
        ("primary", "failed", None),
        ("fallback", "ok", COST),
    ]
    assert len(script.came) == 1


def test_a_wait_that_is_too_long_is_told_where_there_is_no_other_target(setting: Setting) -> None:
    script = setting.first_does(refusing(429, TOO_LONG))
    with pytest.raises(openai.RateLimitError) as refused:
        asked(setting, "alone")
    assert refused.value.response.headers["retry-after"] == "11"
    assert told(setting.attempts()) == [("primary", "failed", None)]
    assert len(script.came) == 1


def test_a_lost_connection_is_tried_again_and_each_attempt_is_exposed(setting: Setting) -> None:
    script = setting.first_does(hangs_up)
    assert asked(setting, "thrice") == "".join(PIECES)
    lost, answered = setting.attempts()
    assert (lost["status"], lost["amount"], answered["amount"]) == ("failed", None, COST)
    assert lost["exposure"] > 0
    assert len(script.came) == 2


def test_attempts_of_a_target_that_are_used_up_lead_to_the_next_one(setting: Setting) -> None:
    script = setting.first_does(*[refusing(500)] * 5)
    assert asked(setting, "thrice") == "".join(PIECES)
    failed = ("primary", "failed", None)
    assert told(setting.attempts()) == [failed] * 3 + [("fallback", "ok", COST)]
    assert len(script.came) == 3


def test_a_request_has_one_number_of_attempts_over_all_targets(setting: Setting) -> None:
    script = setting.first_does(*[refusing(500)] * 5)
    with pytest.raises(openai.InternalServerError):
        asked(setting, "bounded")
    assert told(setting.attempts()) == [("primary", "failed", None)] * 2
    assert (len(script.came), setting.second.received) == (2, [])


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_during_a_pause_ends_the_request(
    setting: Setting, *, stream: bool
) -> None:
    script = setting.first_does(refusing(429, "retry-after: 9\r\n"))
    before, begun = len(setting.gateway.rows()), time.monotonic()
    hasty = setting.client.with_options(timeout=0.6)
    with pytest.raises(openai.APITimeoutError):
        hasty.chat.completions.create(model="thrice", messages=HELLO, stream=stream)
    until(lambda: len(setting.gateway.rows()) > before)
    assert time.monotonic() - begun < 5
    assert told(setting.attempts()) == [("primary", "failed", None)]
    assert (len(script.came), setting.second.received) == (1, [])
