"""A gateway whose provider takes batches, with a budget and a wallet on their way."""

import io
import json
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import openai
from fake_batches import FakeBatches
from fake_provider import FakeProvider
from gateway_process import GatewayProcess, configuration, until
from openai.types import Batch

from tokonomi.budgets.table import budget_from_table
from tokonomi.credits.grant import Grant
from tokonomi.credits.rule_table import rule_from_table
from tokonomi.storage import budget_store, keys, wallet_rules, wallet_store
from tokonomi.storage.database import Database, only_row
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger_check import verify

NOW = datetime.now(UTC)
SETTINGS = """
[batches]
poll_seconds = 0.2
doubt_seconds = 1.0
"""


def line(custom_id: str, *, model: str = "gpt-4o-mini", **more: Any) -> dict[str, Any]:
    """A line of an input file."""
    body = {"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": "Hi."}]}
    body |= more
    url = "/v1/chat/completions"
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": body}


def jsonl(lines: Iterable[dict[str, Any]]) -> io.BytesIO:
    """A file of lines, as the official client takes it."""
    text = "".join(json.dumps(each) + "\n" for each in lines)
    file = io.BytesIO(text.encode())
    file.name = "requests.jsonl"
    return file


@dataclass
class BatchProvider:
    """A provider with batches, between `start` and `stop`."""

    fake: FakeBatches = field(default_factory=FakeBatches)
    server: FakeProvider = field(default_factory=FakeProvider)

    def start(self) -> None:
        self.server.always = self.fake.answer
        self.server.start()

    def stop(self) -> None:
        self.server.stop()

    def configuration(self, *, more: str = SETTINGS, patience_seconds: float = 5.0) -> str:
        return configuration(
            self.server.base_url,
            provider='batch = "native"',
            more=more,
            patience_seconds=patience_seconds,
        )


def limited(location: Path | str, *, usd: str = "5", project: str = "tests") -> str:
    """The text of a key whose calls a hard budget and a wallet bind."""
    with closing(open_store(location)) as database:
        text, _ = keys.create(database, "batches", project, now=NOW)
        stated = {"id": "all", "window": "lifetime", "currency": "USD", "amount": usd}
        budget = budget_from_table(stated, zones=available_timezones())
        budget_store.create(database, budget, now=NOW)
        wallet_rules.set_rule(database, rule_from_table({"per": "project"}), now=NOW)
        grant = Grant(
            id="promotion/1",
            wallet=f"project:{project}",
            amount=10**9,
            granted_at=NOW,
            promotional=True,
        )
        wallet_store.promote(database, grant)
    return text


def made(client: openai.OpenAI, lines: Iterable[dict[str, Any]], **more: Any) -> Batch:
    """A batch of these lines, just made."""
    file = client.files.create(file=jsonl(lines), purpose="batch")
    return client.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        **more,
    )


def ended(client: openai.OpenAI, batch_id: str) -> Batch:
    """The batch, when it has ended."""

    def found() -> Batch | None:
        batch = client.batches.retrieve(batch_id)
        over = batch.status in {"completed", "failed", "expired", "cancelled"}
        return batch if over else None

    over = until(found)
    assert over is not None
    return over


def content(client: openai.OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    """The lines of a file of results."""
    assert file_id is not None
    return [json.loads(each) for each in client.files.content(file_id).text.splitlines()]


def check_ledger(database: Database) -> None:
    """Nothing is held, and everything that was spent is the cost of a call."""
    assert only_row(database, "SELECT count(*) FROM attempt")[0] == 0
    assert only_row(database, "SELECT COALESCE(sum(debits_pending), 0) FROM account")[0] == 0
    assert verify(database).imbalances == ()
    spent = only_row(database, "SELECT sum(amount) FROM transfer WHERE sink = 'spent'")[0] or 0
    billed = only_row(database, "SELECT sum(amount) FROM call")[0] or 0
    assert int(spent) == int(billed)


def gateway_of(folder: Path, settings: str, location: Path | str) -> GatewayProcess:
    """A gateway on a store of either database."""
    if "://" in str(location):
        settings = settings.replace('path = "tokonomi.db"', 'dsn_env = "TEST_DSN"')
    else:
        settings = settings.replace('path = "tokonomi.db"', f'path = "{location}"')
    return GatewayProcess(folder, settings, environ={"TEST_DSN": str(location)})
