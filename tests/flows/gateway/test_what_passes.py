"""What a hard budget lets through: known prices within what is left, and what is free."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import available_timezones

import openai
import pytest
from fake_provider import (
    BEHAVIOURS,
    PIECES,
    Answer,
    FakeProvider,
    Received,
    plain,
    refusing,
)
from gateway_process import GatewayProcess, until

from tokonomi.budgets.table import budget_from_table
from tokonomi.money import Money
from tokonomi.storage import budget_store
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger_check import verify

HELLO: Final[Any] = [{"role": "user", "content": "Say hello."}]
MAX_TOKENS: Final = 50
COST: Final = 16 * 150_000 + 5 * 75_000 + 7 * 600_000
"""Pico-dollars of the provider's answer at the price of `paid`."""
BUDGETS: Final = {"rich": "1", "broke": "0", "tight": "0.00008"}
"""USD of each project; `tight` has room for one call in flight and not for two."""
NUMBERS: Final = ("needed", "available", "reserved", "spent", "limit")
CONFIGURATION: Final = """
[store]
path = "tokonomi.db"

[listen]
port = 0

[breaker]
minimum_calls = 100000

[providers.fake]
base_url = "{url}"
allow_private = true

[models.paid]
provider = "fake"

[models.free]
provider = "fake"

[models.unknown]
provider = "fake"

[models.free-then-free]
targets = [{{ provider = "fake", model = "free" }}, {{ provider = "fake", model = "gratis" }}]

[models.free-then-paid]
targets = [{{ provider = "fake", model = "free" }}, {{ provider = "fake", model = "paid" }}]

[models.free-then-unknown]
targets = [{{ provider = "fake", model = "free" }}, {{ provider = "fake", model = "unknown" }}]
"""
CONTRACT: Final = "".join(
    f"""
[[prices.model]]
provider = "fake"
id = "{model}"
source = "our tests"

[[prices.model.price]]
source = "our tests"
rates = {{ {rates} }}
"""
    for model, rates in {
        "paid": 'input = "0.15", cache_read = "0.075", output = "0.60"',
        "free": 'input = "0", cache_read = "0", output = "0"',
        "gratis": 'input = "0", cache_read = "0", output = "0"',
    }.items()
)


@dataclass
class Setting:
    provider: FakeProvider
    gateway: GatewayProcess
    clients: dict[str, openai.OpenAI]

    def free_does(self, behaviour: Callable[[Received], Answer]) -> None:
        """What the free model does; all others answer well."""

        async def by_model(request: Received) -> Answer:
            act = behaviour if request.fields["model"] == "free" else plain
            async for part in act(request):
                yield part

        self.provider.received.clear()
        self.provider.always = by_model

    def ask(self, project: str, model: str, *, stream: bool = False) -> Any:
        create: Any = self.clients[project].chat.completions.create
        return create(model=model, messages=HELLO, max_tokens=MAX_TOKENS, stream=stream)

    def refused(self, project: str, model: str) -> openai.APIStatusError:
        with pytest.raises(openai.APIStatusError) as refused:
            self.ask(project, model)
        assert refused.value.status_code == 402
        return refused.value

    @property
    def sent(self) -> list[str]:
        """The models that were asked for at the provider."""
        return [request.fields["model"] for request in self.provider.received]

    def spent(self, project: str) -> tuple[int, int]:
        """What is posted and what is held on the budget of a project, in pico-dollars."""
        with closing(open_store(self.gateway.store)) as database:
            assert verify(database).imbalances == ()
            rows = database.execute(
                "SELECT debits_posted, debits_pending FROM account WHERE name LIKE ?",
                (f"budget:{project}:%",),
            ).fetchall()
        return rows[0] if rows else (0, 0)


@pytest.fixture(scope="module")
def setting(provider: FakeProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    text = CONFIGURATION.format(url=provider.base_url) + CONTRACT
    gateway = GatewayProcess(tmp_path_factory.mktemp("passes"), text)
    with closing(open_store(gateway.store)) as database:
        for project, amount in BUDGETS.items():
            stated = {
                "id": project,
                "window": "lifetime",
                "currency": "USD",
                "amount": amount,
                "scope": {"project": project},
            }
            budget = budget_from_table(stated, zones=available_timezones())
            budget_store.create(database, budget, now=datetime.now(UTC))
    gateway.start()
    clients = {project: gateway.client(gateway.make_key(project)[0]) for project in BUDGETS}
    yield Setting(provider, gateway, clients)
    for client in clients.values():
        client.close()
    gateway.stop()


def test_an_unknown_price_is_refused_before_anything_is_sent(setting: Setting) -> None:
    setting.free_does(plain)
    told: Any = setting.refused("rich", "unknown").body
    assert (told["code"], told["metadata"]["limit_source"]) == ("price_unknown", "budget rich")
    assert "no price source knows unknown" in told["message"]
    told = setting.refused("rich", "free-then-unknown").body
    assert told["code"] == "price_unknown"
    assert setting.sent == []
    assert setting.gateway.rows() == []
    assert setting.spent("rich") == (0, 0)


def test_a_free_model_passes_a_spent_budget_unless_it_may_end_at_a_paid_one(
    setting: Setting,
) -> None:
    setting.free_does(plain)
    for model in ("free", "free-then-free"):
        assert setting.ask("broke", model).choices[0].message.content == "".join(PIECES)
    assert setting.sent == ["free", "free"]
    told: Any = setting.refused("broke", "free-then-paid").body
    assert (told["code"], told["metadata"]["reason"]) == ("budget_exceeded", "spent")
    assert Money.parse(told["metadata"]["needed"], "USD").sub_units >= MAX_TOKENS * 600_000
    assert setting.sent == ["free", "free"]
    until(lambda: not setting.gateway.in_flight())
    assert [row["amount"] for row in setting.gateway.rows("project = 'broke'")] == [0, 0]
    assert setting.spent("broke") == (0, 0)


def test_a_free_model_that_falls_back_is_held_and_charged_at_the_paid_one(
    setting: Setting,
) -> None:
    setting.free_does(refusing(500))
    assert setting.ask("rich", "free-then-paid").choices[0].message.content == "".join(PIECES)
    assert setting.sent == ["free", "paid"]
    until(lambda: not setting.gateway.in_flight())
    rows = setting.gateway.rows("alias = 'free-then-paid' AND project = 'rich'")
    assert [(row["status"], row["route"], row["amount"]) for row in rows] == [
        ("failed", "primary", None),
        ("ok", "fallback", COST),
    ]
    assert setting.spent("rich") == (COST, 0)


@contextmanager
def in_flight(setting: Setting) -> Generator[None]:
    """A call of `tight` that has begun and does not end by itself."""
    setting.provider.always = BEHAVIOURS["stall"]
    stream = setting.ask("tight", "paid", stream=True)
    next(stream)
    yield
    stream.close()


def test_where_only_holds_are_in_the_way_the_refusal_says_so_and_when_to_try_again(
    setting: Setting,
) -> None:
    with in_flight(setting):
        posted, held = setting.spent("tight")
        assert (posted, held > 0) == (0, True)
        refused = setting.refused("tight", "paid")
    told: Any = refused.body
    numbers = {name: Money.parse(told["metadata"][name], "USD").sub_units for name in NUMBERS}
    limit = Money.parse(BUDGETS["tight"], "USD").sub_units
    assert told["metadata"]["reason"] == "held_by_calls_in_flight"
    assert numbers.pop("needed") > limit - held
    assert numbers == {
        "available": limit - held,
        "reserved": held,
        "spent": 0,
        "limit": limit,
    }
    assert refused.response.headers["retry-after"] == "1"
    assert "Try again when calls in flight have ended" in told["message"]
    until(lambda: not setting.gateway.in_flight())
    assert setting.spent("tight")[1] == 0
    setting.free_does(plain)
    assert setting.ask("tight", "paid").choices[0].message.content == "".join(PIECES)


def test_where_waiting_does_not_help_no_time_to_try_again_is_told(setting: Setting) -> None:
    refused = setting.refused("broke", "paid")
    told: Any = refused.body
    assert told["metadata"]["reason"] == "spent"
    assert "retry-after" not in refused.response.headers
