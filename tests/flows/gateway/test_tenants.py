"""Two projects on one store with a user of one name, and keys that are bound to who calls."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openai
import pytest
from fake_provider import FakeProvider
from gateway_process import GatewayProcess, configuration, until
from prepaid import COST_OF_A_CALL, CREDITS_OF_A_CALL

from tokonomi.budgets.table import budget_from_table
from tokonomi.credits.rule_table import rule_from_table
from tokonomi.credits.wallet import WalletName
from tokonomi.storage import budget_store, keys, wallet_rules
from tokonomi.storage.engine import open_store
from tokonomi.storage.keys import Terms, bound_to
from tokonomi.storage.ledger_check import verify
from tokonomi.storage.wallet_store import promote, promotion, wallets

PROJECTS = ("acme/shop", "umbrella/shop")
GRANTED = 1_000
SAY: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "Say hello."}],
    "max_tokens": 7,
}
BUDGET = {
    "id": "each-user",
    "window": "lifetime",
    "currency": "USD",
    "amount": "1",
    "each": ["user"],
}


@dataclass
class Tenants:
    """A gateway on a store where users pay from wallets and have a budget each."""

    store: Path | str
    gateway: GatewayProcess
    provider: FakeProvider

    def key(self, project: str, terms: Terms) -> tuple[str, str]:
        with closing(open_store(self.store)) as database:
            text, key = keys.create(database, "k", project, now=datetime.now(UTC), terms=terms)
        until(lambda: self.gateway.accepts(text))
        return text, key.id

    def give(self, project: str, user: str, amount: int = GRANTED) -> str:
        """The id of a user's wallet, with a gift in it."""
        wallet = WalletName(project, "user", user).id
        with closing(open_store(self.store)) as database:
            now = datetime.now(UTC)
            promote(database, promotion(f"to {wallet}", wallet=wallet, amount=amount, now=now))
        return wallet

    def balance(self, wallet: str) -> int:
        with closing(open_store(self.store)) as database:
            assert verify(database).imbalances == ()
            [found] = wallets(database, wallet)
            assert found.held == 0
            return found.balance

    def spent(self) -> dict[str, int]:
        """What each subject of the budget has spent, in pico-dollars."""
        with closing(open_store(self.store)) as database:
            budget = budget_store.get(database, "each-user").budget
            found = budget_store.standings(database, budget, datetime.now(UTC))
            return {each.subject: each.balance.spent for each in found}


@pytest.fixture(scope="module")
def tenants(
    provider: FakeProvider, new_store: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Tenants]:
    store = new_store()
    now = datetime.now(UTC)
    with closing(open_store(store)) as database:
        budget_store.create(database, budget_from_table(BUDGET, zones={"UTC"}), now=now)
        wallet_rules.set_rule(database, rule_from_table({"per": "user"}), now=now)
    where = 'dsn_env = "TOKONOMI_TEST_DSN"' if "://" in str(store) else f'path = "{store}"'
    text = configuration(provider.base_url).replace('path = "tokonomi.db"', where)
    folder = tmp_path_factory.mktemp("gateway")
    gateway = GatewayProcess(folder, text, environ={"TOKONOMI_TEST_DSN": str(store)})
    gateway.start()
    yield Tenants(store, gateway, provider)
    gateway.stop()


def ask(client: openai.OpenAI, **more: Any) -> str:
    """What became of a call: `ok`, or the code of its refusal."""
    try:
        client.chat.completions.create(**{**SAY, **more})
    except openai.APIStatusError as refused:
        return str(refused.code)
    return "ok"


def test_users_of_one_name_in_two_projects_never_pay_for_each_other(tenants: Tenants) -> None:
    ours, theirs = [tenants.give(project, "ani") for project in PROJECTS]
    texts = [tenants.key(project, Terms())[0] for project in PROJECTS]
    calls = 0
    with tenants.gateway.client(texts[0]) as here, tenants.gateway.client(texts[1]) as there:
        while (told := ask(here, user="ani")) == "ok":
            calls += 1
        assert (told, calls > 0) == ("credits_exhausted", True)
        assert tenants.balance(ours) == GRANTED - calls * CREDITS_OF_A_CALL
        assert tenants.balance(theirs) == GRANTED
        assert ask(there, user="ani") == "ok"
        # A name that has a wallet in the other project alone has none here.
        tenants.give(PROJECTS[0], "citra")
        assert ask(there, user="citra") == "credits_exhausted"
    assert tenants.balance(theirs) == GRANTED - CREDITS_OF_A_CALL
    assert tenants.spent() == {
        f"project={PROJECTS[0]},user=ani": calls * COST_OF_A_CALL,
        f"project={PROJECTS[1]},user=ani": COST_OF_A_CALL,
    }


def test_a_bound_key_pays_as_who_it_is_bound_to_whatever_is_said(tenants: Tenants) -> None:
    wallet = tenants.give(PROJECTS[0], "budi")
    tenants.give(PROJECTS[0], "dewi")
    bound = Terms(bound=bound_to(user="budi", tags={"plan": "pro"}))
    text, key_id = tenants.key(PROJECTS[0], bound)
    sent = len(tenants.provider.received)
    with tenants.gateway.client(text) as client:
        assert ask(client) == "ok"
        assert ask(client, user="budi", extra_headers={"x-tokonomi-tags": "plan=pro"}) == "ok"
        assert ask(client, user="dewi") == "bound_otherwise"
        with pytest.raises(openai.PermissionDeniedError, match=r"'budi'.*'dewi'"):
            client.chat.completions.create(**SAY, extra_headers={"x-tokonomi-user": "dewi"})
        assert ask(client, extra_headers={"x-tokonomi-tags": "plan=free"}) == "bound_otherwise"
        assert len(tenants.provider.received) == sent + 2
        assert tenants.balance(wallet) == GRANTED - 2 * CREDITS_OF_A_CALL
        assert tenants.spent()[f"project={PROJECTS[0]},user=budi"] == 2 * COST_OF_A_CALL
        with closing(open_store(tenants.store)) as database:
            dewi = Terms(bound=bound_to(user="dewi", tags={}))
            keys.change_terms(database, key_id, lambda _: dewi, now=datetime.now(UTC))
            # Within a second, like every change of a key.
            until(lambda: ask(client, user="dewi") == "ok")
        with closing(open_store(tenants.store)) as database:
            rows = database.execute(
                "SELECT end_user, tags FROM call WHERE key_id = ? ORDER BY seq", (key_id,)
            ).fetchall()
    assert [row[0] for row in rows] == ["budi", "budi", "dewi"]
