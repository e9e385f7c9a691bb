"""Seed 001's packages from purchase to refund, burned by calls that a real model answers.

TOKONOMI_TEST_WHOLE_PAPER=1 burns the 300 credits of a Paper to the end, in several minutes;
otherwise all but a few of them are paid back first.
"""

import http.client
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import openai
import pytest
from gateway_process import until
from openai.types import CompletionUsage
from running_demo import Demo, running_demo, tokonomi

from tokonomi.providers import local_model

pytestmark = pytest.mark.skipif(
    not local_model.is_installed(), reason="the demo's local model is not installed; use make test"
)

WHOLE_PAPER: Final = os.environ.get("TOKONOMI_TEST_WHOLE_PAPER") == "1"
PAPER: Final = "The rivers of Java rise on volcanoes and carry their ash to the rice fields. " * 6
ASKED: Any = [{"role": "user", "content": f"{PAPER}\nWrite a title for this text."}]
MILLI: Final = 1_000


@dataclass
class Shop:
    """Sells the packages of the seed by commands, in one store with the gateway that burns them."""

    demo: Demo
    token: str
    paid: dict[str, list[tuple[str, CompletionUsage]]] = field(default_factory=dict[str, Any])
    """What the model reported to the client, by wallet, with the ids of the requests."""

    def typed(self, *words: str) -> Any:
        """The rows that a command answers."""
        ran = tokonomi(*words, "--data", str(self.demo.folder.path), "--format", "json")
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)["rows"]

    def refused(self, *words: str) -> str:
        """What a command that must not succeed says."""
        ran = tokonomi(*words, "--data", str(self.demo.folder.path))
        assert ran.returncode != 0, ran.stdout
        return ran.stderr

    def asked(self, method: str, path: str, body: object = None, *, once: str = "") -> Any:
        """What the gateway's admin API answers; `once` is the id of a move of credits."""
        connection = http.client.HTTPConnection("127.0.0.1", self.demo.port, timeout=20)
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        if once:
            headers["idempotency-key"] = once
        connection.request(method, f"/admin{path}", json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        content = json.loads(answer.read())
        connection.close()
        assert answer.status in {200, 201}, content
        return content

    def call(self, wallet: str, **who: Any) -> None:
        """One real call that `wallet` is to pay for."""
        completions: Any = self.demo.client.chat.completions.with_raw_response
        raw = completions.create(
            model=local_model.CHAT_MODEL, messages=ASKED, max_tokens=8, temperature=0, **who
        )
        usage: CompletionUsage | None = raw.parse().usage
        assert usage is not None
        known = self.paid.setdefault(wallet, [])
        known.append((raw.headers["x-tokonomi-request-id"], usage))

    def burned(self, wallet: str) -> int:
        """Tokens that the model reported for calls of a wallet."""
        return sum(usage.total_tokens for _, usage in self.paid.get(wallet, []))

    def left(self, wallet: str) -> int:
        """Milli-credits that a wallet has; nothing of them is held."""
        [row] = [row for row in self.asked("GET", "/wallets") if row["wallet"] == wallet]
        assert row["held"] == "0"
        return milli(row["balance"])

    def events(self, wallet: str) -> Counter[str]:
        rows = self.asked("GET", "/events?about=wallet")
        return Counter(row["event"] for row in rows if row["subject"] == f"wallet {wallet}")


def milli(credits_text: str) -> int:
    return int(Decimal(credits_text) * MILLI)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with running_demo(tmp_path_factory.mktemp("shop") / "var") as demo:
        of_role = ("--name", "shop", "--role", "operator", "--data", str(demo.folder.path))
        made = tokonomi("admin", "token", "create", *of_role)
        yield Shop(demo, made.stdout.strip())


def bind(shop: Shop, per: str) -> None:
    """Lets the wallet of one name pay for each request, and no other."""
    for rule in shop.asked("GET", "/wallet-rules"):
        shop.asked("DELETE", f"/wallet-rules/{rule['per']}")
    shop.asked("PUT", "/wallet-rules", {"per": per, "low_at": "20"})
    unnamed = {
        "user": ("wallet_missing", "user"),
        "tag:document": ("wallet_missing", "tag:document"),
        "project": ("spent", "wallet project:demo"),
    }
    until(lambda: refusal(shop) == unnamed[per])


def refusal(shop: Shop, **who: Any) -> tuple[str, str]:
    """Why a call is not let through, and the wallet or the rule; empty when it is answered."""
    try:
        shop.demo.client.chat.completions.create(
            model=local_model.CHAT_MODEL, messages=ASKED, max_tokens=8, **who
        )
    except openai.APIStatusError as refused:
        body: Any = refused.body
        return body["metadata"]["reason"], body["metadata"]["limit_source"]
    return "", ""


def burn_until_refused(shop: Shop, wallet: str, **who: Any) -> openai.APIStatusError:
    """The refusal that ends a customer's calls."""
    while True:
        try:
            shop.call(wallet, **who)
        except openai.APIStatusError as refused:
            return refused


def adds_up(shop: Shop, wallet: str) -> Counter[str]:
    """The totals of a wallet's statement by kind, after every line of it was added up."""
    balance, totals = 0, Counter[str]()
    for entry in shop.typed("credits", "statement", wallet):
        balance += milli(entry["credits"])
        totals[entry["kind"]] += milli(entry["credits"])
        assert milli(entry["balance"]) == balance
    assert shop.left(wallet) == balance
    # One credit is 1,000 tokens, so a token that the model counted is one milli-credit.
    assert totals["burn"] == -shop.burned(wallet)
    assert shop.asked("GET", "/ledger/verification")["imbalances"] == []
    return totals


def test_the_packages_on_sale_are_those_of_the_seed(shop: Shop) -> None:
    rows = shop.typed("credits", "packages")
    assert [(each["id"], each["credits"], each["price"], each["currency"]) for each in rows] == [
        ("paper", "300", "80000", "IDR"),
        ("extension-s", "50", "25000", "IDR"),
        ("extension-m", "100", "50000", "IDR"),
    ]


def test_a_payment_is_booked_once(shop: Shop) -> None:
    bind(shop, "user")
    buy = ("credits", "purchase", "paper", "--wallet", "user=ani", "--payment", "p-1")
    [bought] = shop.typed(*buy)
    assert (bought["grant"], bought["credits"], bought["paid"]) == ("payment/p-1", "300", "80000")
    assert shop.typed(*buy) == [bought]
    assert shop.refused("credits", "purchase", "extension-s", *buy[3:]).startswith("conflict: ")
    assert shop.left("demo:user:ani") == 300 * MILLI


def test_a_gift_burns_before_the_paper_and_both_as_the_model_counts(shop: Shop) -> None:
    shop.typed("credits", "grant", "0.5", "--wallet", "user=ani", "--promotion", "welcome")
    before = shop.demo.counters()
    while shop.burned("demo:user:ani") <= 2 * 500:
        shop.call("demo:user:ani", user="ani")
    calls = shop.paid["demo:user:ani"]
    # The call that needs more than the gift has left takes the rest from the Paper.
    grants = shop.typed("credits", "show", "user=ani", "--ended")
    assert {each["grant"]: milli(each["used"]) for each in grants} == {
        "promotion/welcome": 500,
        "payment/p-1": shop.burned("demo:user:ani") - 500,
    }
    moved = {name: count - before[name] for name, count in shop.demo.counters().items()}
    rows = [shop.demo.row_of(request_id) for request_id, _ in calls]
    assert [row["uncached_input"] + row["cache_read"] + row["output"] for row in rows] == [
        usage.total_tokens for _, usage in calls
    ]
    # The model's counter of prompts leaves out what came from its cache, which credits do not.
    assert sum(row["uncached_input"] for row in rows) == moved["prompt_tokens_total"]
    assert sum(row["output"] for row in rows) == moved["tokens_predicted_total"]


def test_only_unused_paid_credits_are_paid_back(shop: Shop) -> None:
    left = shop.left("demo:user:ani")
    paper = ("credits", "refund", "payment/p-1")
    too_much = shop.refused(*paper, "--refund", "r-0", "--amount", str(left // MILLI + 1))
    assert "cannot be paid back" in too_much
    gift = shop.refused("credits", "refund", "promotion/welcome", "--refund", "r-0")
    assert "nothing was paid" in gift
    if not WHOLE_PAPER:
        back = (*paper, "--refund", "r-1", "--amount", "297")
        [receipt] = shop.typed(*back)
        assert (receipt["credits"], receipt["paid_back"]) == ("297", "79200")
        assert shop.typed(*back) == [receipt]
        assert shop.left("demo:user:ani") == left - 297 * MILLI
        until(lambda: shop.events("demo:user:ani")["credits_low"])


def test_a_wallet_runs_low_then_empty_is_told_and_topped_up(shop: Shop) -> None:
    refused = burn_until_refused(shop, "demo:user:ani", user="ani")
    body: Any = refused.body
    assert (refused.status_code, refused.code) == (402, "credits_exhausted")
    assert body["metadata"]["reason"] == "spent"
    assert body["metadata"]["limit_source"] == "wallet demo:user:ani"
    left = shop.left("demo:user:ani")
    assert milli(body["metadata"]["available"]) == left < milli(body["metadata"]["needed"])
    until(lambda: shop.events("demo:user:ani")["credits_exhausted"])
    assert shop.events("demo:user:ani") == Counter(credits_low=1, credits_exhausted=1)

    shop.typed("credits", "purchase", "extension-s", "--wallet", "user=ani", "--payment", "p-2")
    shop.call("demo:user:ani", user="ani")
    [rest] = shop.typed("credits", "refund", "payment/p-2", "--refund", "r-2")
    assert Decimal(rest["paid_back"]) == Decimal(rest["credits"]) * 500
    totals = adds_up(shop, "demo:user:ani")
    assert (totals["purchase"], totals["promotion"]) == (350 * MILLI, 500)
    assert shop.typed("ledger", "verify") == []


def test_a_call_and_a_purchase_open_down_to_their_entries(shop: Shop) -> None:
    request_id, usage = shop.paid["demo:user:ani"][0]
    entries = shop.typed("ledger", "explain", request_id)
    held = sum(milli(each["amount"]) for each in entries if each["kind"] == "held")
    [burn] = [each for each in entries if each["kind"] == "capture"]
    assert burn["account"] == "wallet:demo:user:ani:grant:promotion/welcome"
    assert milli(burn["amount"]) == usage.total_tokens < held
    [fund] = shop.typed("ledger", "explain", "payment/p-1")
    assert (fund["kind"], fund["sink"], fund["amount"]) == ("fund", "issued", "300")


def test_each_document_pays_from_a_wallet_of_its_own(shop: Shop) -> None:
    bind(shop, "tag:document")
    wallet, path = "demo:tag.document:skripsi-7", "/wallets/tag:document=skripsi-7"
    first = shop.asked("POST", f"{path}/purchases", {"package": "paper"}, once="p-3")
    assert shop.asked("POST", f"{path}/purchases", {"package": "paper"}, once="p-3") == first
    of_document: Any = {"extra_headers": {"x-tokonomi-tags": "document=skripsi-7"}}
    shop.call(wallet, **of_document)
    shop.asked("POST", f"{path}/purchases", {"package": "extension-s"}, once="p-4")
    shop.call(wallet, **of_document)
    of_another: Any = {"extra_headers": {"x-tokonomi-tags": "document=skripsi-8"}}
    assert refusal(shop, **of_another) == ("spent", "wallet demo:tag.document:skripsi-8")
    assert adds_up(shop, wallet)["purchase"] == 350 * MILLI
    stated = shop.asked("GET", f"{path}/statement")
    assert milli(stated["closing"]) == 350 * MILLI - shop.burned(wallet)
    assert stated["paid"] == [{"amount": "105000", "currency": "IDR"}]


def test_a_project_pays_by_its_key_alone(shop: Shop) -> None:
    bind(shop, "project")
    shop.typed("credits", "purchase", "extension-m", "--wallet", "project=demo", "--payment", "p-5")
    shop.call("project:demo")
    shop.call("project:demo", user="ani")
    totals = adds_up(shop, "project:demo")
    assert (totals["purchase"], len(shop.paid["project:demo"])) == (100 * MILLI, 2)
