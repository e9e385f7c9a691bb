"""What happens to a budget reaches the operator: the row, the command, and the webhook, once."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import pytest
from fake_provider import FakeProvider
from gateway_process import GatewayProcess, configuration, until
from receiver import Receiver

from tokonomi.budgets.table import budget_from_table
from tokonomi.storage import budget_store, keys
from tokonomi.storage.engine import open_store
from tokonomi.storage.event_store import latest_events

HELLO: Any = [{"role": "user", "content": "Say hello."}]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    serving = Receiver()
    serving.start()
    yield serving
    serving.stop()


def test_an_alert_of_two_gateways_reaches_the_webhook_once(
    provider: FakeProvider,
    receiver: Receiver,
    tmp_path: Path,
    new_store: Callable[[], Path | str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    location = str(new_store())
    table = {
        "id": "team",
        "window": "lifetime",
        "currency": "USD",
        "amount": "0.000012",
        "mode": "notify",
        "alerts": ["50%"],
    }
    with closing(open_store(location)) as database:
        text, _ = keys.create(database, "load", "tests", now=datetime.now(UTC))
        budget = budget_from_table(table, zones=available_timezones())
        budget_store.create(database, budget, now=datetime.now(UTC))
    monkeypatch.setenv("TOKONOMI_TEST_DSN", location)
    monkeypatch.setenv("TOKONOMI_TEST_SECRET", "a secret")
    where = 'dsn_env = "TOKONOMI_TEST_DSN"' if "://" in location else f'path = "{location}"'
    alerts = (
        f'[alerts]\nwebhook = "{receiver.url}"\nallow_private = true\n'
        'secret_env = "TOKONOMI_TEST_SECRET"\n'
    )
    settings = configuration(provider.base_url, more=alerts)
    settings = settings.replace('path = "tokonomi.db"', where)
    gateways = [GatewayProcess(tmp_path / f"gateway{n}", settings) for n in range(2)]
    for gateway in gateways:
        gateway.start()
    with gateways[0].client(text) as client:
        client.chat.completions.create(model="gpt-4o-mini", messages=HELLO)
    until(lambda: receiver.told)
    with closing(open_store(location)) as database:
        until(lambda: latest_events(database, last=1)[0].delivered)
        events = latest_events(database, last=10)
    for gateway in gateways:
        assert gateway.stop() == 0
    assert [(each.event.name, each.attempts) for each in events] == [("spent 50%", 1)]
    [told] = receiver.told
    assert json.loads(told.body)["id"] == events[0].id
    assert json.loads(told.body)["text"].startswith("budget team (all) reached 50%: $0.00000")
    assert sum(gateway.log.count("spent 50%: budget team") for gateway in gateways) == 1
