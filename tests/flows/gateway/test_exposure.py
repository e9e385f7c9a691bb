"""Calls that fail after they were sent: what they may cost is counted, told apart and released."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import available_timezones

import openai
import pytest
from fake_provider import FakeProvider
from gateway_process import GatewayProcess, configuration, until

from tokonomi.budgets.table import budget_from_table
from tokonomi.credits.rule_table import StoredRule
from tokonomi.credits.wallet import WalletRule
from tokonomi.money import Money
from tokonomi.storage import budget_store, keys
from tokonomi.storage.database import only_row
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger_check import verify
from tokonomi.storage.package_files import load_offer
from tokonomi.storage.wallet_rules import set_rule
from tokonomi.storage.wallet_store import buy, wallets

HELLO: Final[Any] = [{"role": "user", "content": "Say hello."}]
REPLY_BYTES: Final = 200_000
MODELS: Final = ("silent", "cut", "stall", "not-json", "not-http", "odd-usage", "babbles")
BILLED_BY_NOBODY: Final = ("refuses-400", "refuses-500", "redirects", "error-inside")
CONTRACT: Final = "".join(
    f"""
[[prices.model]]
provider = "openai"
id = "{model}"
source = "our tests"

[[prices.model.price]]
source = "our tests"
rates = {{ input = "0.15", cache_read = "0.075", output = "0.60" }}
"""
    for model in (*MODELS, *BILLED_BY_NOBODY)
)


@dataclass
class Setting:
    """A gateway with a hard budget and a wallet on the path."""

    location: str
    process: GatewayProcess
    client: openai.OpenAI

    def call(self, model: str, *, stream: bool = False, max_tokens: int = 50) -> Any:
        found = self.client.chat.completions.create(
            model=f"fake/{model}",
            messages=HELLO,
            stream=stream,
            user="ani",
            max_tokens=max_tokens,
        )
        return list(found) if stream else found

    def fail(self, model: str, *, stream: bool = False) -> dict[str, Any]:
        """The row of a call that did not go well."""
        with pytest.raises(openai.APIError):
            self.call(model, stream=stream)
        return self.last()

    def last(self) -> dict[str, Any]:
        with closing(open_store(self.location)) as database:
            until(lambda: only_row(database, "SELECT count(*) FROM attempt") == (0,))
            columns = "id, status, source, amount, exposure, exposure_currency, held"
            row = only_row(database, f"SELECT {columns} FROM call ORDER BY seq DESC LIMIT 1")
            assert verify(database).imbalances == ()
        return dict(zip(columns.split(", "), row, strict=True))

    def moved(self, call: str) -> dict[str, int]:
        """What a call moved in the ledger, by kind and sink."""
        with closing(open_store(self.location)) as database:
            rows = database.execute(
                "SELECT kind, sink, amount FROM transfer WHERE call_id = ?", (call,)
            ).fetchall()
        return {f"{kind} {sink}": amount for kind, sink, amount in rows}

    def held(self, row: dict[str, Any]) -> int:
        """What a call had held on the budget, in pico-dollars."""
        [amount] = [
            sum(amount for _, amount in parts)
            for source, _, parts in json.loads(bytes(row["held"]))
            if source.startswith("budget")
        ]
        return amount

    def run(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "tokonomi", *words, "--store", self.location],
            cwd=self.process.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def setting(
    provider: FakeProvider,
    new_store: Callable[[], Path | str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Setting]:
    location = str(new_store())
    now = datetime.now(UTC)
    with closing(open_store(location)) as database:
        text, _ = keys.create(database, "test", "tests", now=now)
        stated = {"id": "team", "window": "lifetime", "currency": "USD", "amount": "10"}
        budget = budget_from_table(stated, zones=available_timezones())
        budget_store.create(database, budget, now=now)
        set_rule(database, StoredRule(WalletRule(per="project")), now=now)
        package = load_offer().package("paper")
        buy(database, package, wallet="project:tests", payment_id="p-1", now=now)
    where = 'dsn_env = "TOKONOMI_TEST_DSN"' if "://" in location else f'path = "{location}"'
    settings = configuration(
        provider.base_url,
        more=f"{CONTRACT.lstrip()}\n[limits]\nreply_bytes = {REPLY_BYTES}\n",
    ).replace('path = "tokonomi.db"', where)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TOKONOMI_TEST_DSN", location)
        process = GatewayProcess(tmp_path_factory.mktemp("exposed") / "gateway", settings)
        process.start()
        with process.client(text) as client:
            yield Setting(location, process, client)
        process.stop()


@pytest.mark.parametrize(
    ("model", "stream"),
    [("silent", False), ("silent", True), ("cut", False), ("not-http", False), ("not-json", False)],
)
def test_a_call_that_fails_after_it_was_sent_exposes_its_worst_case(
    setting: Setting, model: str, *, stream: bool
) -> None:
    row = setting.fail(model, stream=stream)
    assert (row["status"], row["amount"], row["exposure_currency"]) == ("failed", None, "USD")
    assert row["exposure"] == setting.held(row) > 0
    assert setting.moved(row["id"]) == {"expose exposed": row["exposure"]}


def test_an_answer_that_nobody_can_count_exposes_its_worst_case(setting: Setting) -> None:
    setting.client.with_raw_response.chat.completions.create(
        model="fake/odd-usage", messages=HELLO, user="ani", max_tokens=50
    )
    row = setting.last()
    assert (row["status"], row["amount"]) == ("ok", None)
    assert setting.moved(row["id"]) == {"expose exposed": setting.held(row)}


@pytest.mark.parametrize("model", ["cut", "stall"])
def test_a_cut_stream_is_spend_for_what_came_and_exposed_for_the_rest(
    setting: Setting, model: str
) -> None:
    row = setting.fail(model, stream=True)
    assert (row["status"], row["source"]) == ("cut", "estimated")
    assert row["amount"] + row["exposure"] == setting.held(row)
    assert setting.moved(row["id"]) == {
        "capture spent": row["amount"],
        "expose exposed": row["exposure"],
    }


@pytest.mark.parametrize("model", BILLED_BY_NOBODY)
def test_what_a_provider_answers_with_an_error_is_not_billed(setting: Setting, model: str) -> None:
    row = setting.fail(model)
    assert (row["status"], row["amount"], row["exposure"]) == ("failed", None, None)
    assert setting.moved(row["id"]) == {}


def test_wallets_never_pay_on_a_guess(setting: Setting) -> None:
    with closing(open_store(setting.location)) as database:
        [before] = wallets(database)
        for model in ("silent", "cut"):
            setting.fail(model)
        setting.fail("cut", stream=True)
        [after] = wallets(database)
    assert (after.balance, after.held, after.overrun) == (before.balance, 0, 0)


def test_a_refusal_names_what_is_exposed_and_a_release_lets_the_next_call_pass(
    setting: Setting,
) -> None:
    row = setting.fail("silent")
    exposure = Money(row["exposure"], "USD")
    with closing(open_store(setting.location)) as database:
        [account] = database.execute(
            "SELECT debits_posted, exposed FROM account WHERE budget_window IS NOT NULL"
        ).fetchall()
        tight = Money(account[0] + 1, "USD").decimal()
        stated = {"id": "team", "window": "lifetime", "currency": "USD", "amount": tight}
        budget = budget_from_table(stated, zones=available_timezones())
        budget_store.replace(database, budget, now=datetime.now(UTC))

    with pytest.raises(openai.APIStatusError) as refused:
        setting.call("silent")
    assert refused.value.status_code == 402
    told: Any = refused.value.body
    assert told["metadata"]["reason"] == "exposed_by_failed_calls"
    assert told["metadata"]["exposed"] == Money(account[1], "USD").decimal()
    assert "that failed calls may have cost" in told["message"]
    assert "tokonomi ledger release-exposure" in told["message"]

    said = setting.run("explain", row["id"])
    assert f"Exposure: the provider may bill up to {exposure}" in said
    opened = setting.run("ledger", "explain", row["id"])
    assert "its hold is exposed, since it may be billed" in opened
    for _ in range(2):
        released = setting.run(
            "ledger", "release-exposure", row["id"], "--reason", "not billed", "--format", "json"
        )
        assert exposure.decimal() in released
    assert "was released since" in setting.run("ledger", "explain", row["id"])
    again = setting.fail("silent")
    assert again["exposure"] == row["exposure"]


def test_reports_exports_and_imports_carry_the_exposure(setting: Setting, tmp_path: Path) -> None:
    with closing(open_store(setting.location)) as database:
        total = only_row(database, "SELECT SUM(exposure) FROM call")[0]
    lake = ("--data", str(tmp_path / "data")) if "://" in setting.location else ()
    report = json.loads(setting.run("report", "--format", "json", *lake))
    setting.run("lake", "export", *lake)
    assert json.loads(setting.run("report", "--format", "json", *lake)) == report
    assert Money(int(total), "USD").decimal() in json.dumps(report)
    for ending in ("csv", "parquet"):
        file = tmp_path / f"calls.{ending}"
        setting.run("export", str(file), *lake)
        copy = Setting(str(tmp_path / f"copy-{ending}.db"), setting.process, setting.client)
        copy.run("import", str(file), "--allow-unpriced")
        with closing(open_store(copy.location)) as database:
            assert only_row(database, "SELECT SUM(exposure) FROM call")[0] == total
