"""The commands on budgets, credits and the ledger, on both databases, as they are typed."""

import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from tokonomi.cli import main
from tokonomi.storage.engine import open_store
from tokonomi.storage.event_store import Event, claim_event, delivered, fire, not_delivered
from tokonomi.storage.ledger import open_account

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def store(new_store: Callable[[], Path | str]) -> str:
    return str(new_store())


@pytest.fixture
def typed(store: str, capfdbinary: pytest.CaptureFixture[bytes]) -> Typed:
    """Types a command: its exit code, what it printed, and what it said beside."""

    def type_command(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([*words, "--store", store])
        out, err = capfdbinary.readouterr()
        return cast("int", ended.value.code), out.decode(), err.decode()

    return type_command


def rows(printed: tuple[int, str, str]) -> list[dict[str, Any]]:
    code, out, err = printed
    assert (code, err) == (0, "")
    return json.loads(out)["rows"]


def test_the_packages_of_the_seed_are_sold_used_and_paid_back_exactly(typed: Typed) -> None:
    bought = typed("credits", "purchase", "paper", "--wallet", "user=ani", "--payment", "p-1")
    again = typed("credits", "purchase", "paper", "--wallet", "user=ani", "--payment", "p-1")
    assert bought == again
    back = ("credits", "refund", "payment/p-1", "--format", "json")
    paid_back = [
        rows(typed(*back, "--refund", f"r-{part}", "--amount", "100"))[0]["paid_back"]
        for part in range(3)
    ]
    assert paid_back == ["26666.66666666", "26666.66666667", "26666.66666667"]
    code, out, _ = typed("credits", "statement", "user=ani", "--locale", "id")
    assert (code, out.splitlines()[-2:]) == (0, ["Paid: Rp 80.000.", "Paid back: Rp 80.000."])
    assert typed("ledger", "verify")[0] == 0


def test_a_payment_and_a_gift_told_again_have_their_answer_when_there_are_more_projects(
    typed: Typed,
) -> None:
    buy = ("credits", "purchase", "paper", "--wallet", "user=ani", "--payment", "p-1")
    give = ("credits", "grant", "50", "--wallet", "user=ani", "--promotion", "g-1")
    first = [typed(*buy), typed(*give)]
    for project in ("default", "lab"):
        typed("keys", "create", "--name", "a", "--project", project)
    assert [typed(*buy), typed(*give)] == first
    assert typed(*buy[:-1], "p-2")[0] == 1


def test_a_payment_for_another_wallet_is_told_in_one_line(typed: Typed) -> None:
    typed("credits", "purchase", "paper", "--wallet", "user=ani", "--payment", "p-1")
    told = typed("credits", "purchase", "paper", "--wallet", "user=budi", "--payment", "p-1")
    what = "conflict: payment/p-1 granted 300 credits to default:user:ani."
    assert told == (1, "", f"{what} Send that again unchanged, or use a new id.\n")


def test_wallets_of_one_name_in_two_projects_are_two(typed: Typed) -> None:
    for project in ("acme/shop", "chat"):
        typed("keys", "create", "--name", "a", "--project", project)
    buy = ("credits", "purchase", "paper", "--wallet", "user=ani", "--payment", "p-1")
    several = "bad_input: there are 2 projects: acme/shop, chat."
    assert typed(*buy) == (1, "", f"{several} Say whose wallet is meant with the project.\n")
    assert typed(*buy, "--project", "acme/shop")[0] == 0
    gift = ("credits", "grant", "10", "--wallet", "user=ani", "--promotion", "hi")
    assert typed(*gift, "--project", "chat")[0] == 0
    listed = rows(typed("credits", "wallets", "--format", "json"))
    assert [(each["wallet"], each["balance"]) for each in listed] == [
        ("acme/shop:user:ani", "300"),
        ("chat:user:ani", "10"),
    ]
    of_chat = rows(typed("credits", "wallets", "--project", "chat", "--format", "json"))
    assert of_chat == listed[1:]
    shown = rows(typed("credits", "show", "user=ani", "--project", "chat", "--format", "json"))
    assert [each["grant"] for each in shown] == ["promotion/hi"]
    assert "closing 10 credits" in typed("credits", "statement", "chat:user:ani")[1]


def test_a_rehearsal_says_so_and_writes_nothing(typed: Typed) -> None:
    buy = ("credits", "purchase", "paper", "--wallet", "user=ani", "--payment", "p-1")
    code, out, _ = typed(*buy, "--dry-run")
    assert (code, out.splitlines()[-1]) == (0, "A rehearsal (--dry-run): nothing was written.")
    assert rows(typed("credits", "wallets", "--format", "json")) == []


def test_a_key_is_bound_when_it_is_made_and_later_and_set_free(typed: Typed) -> None:
    made = typed(
        *("keys", "create", "--name", "shop", "--rpm", "60", "--network", "10.0.0.0/8"),
        *("--network", "::1", "--model", "a/*", "--expires", "2999-01-01"),
    )
    assert (made[0], made[1][:3]) == (0, "tk-")
    (key,) = rows(typed("keys", "list", "--format", "json"))
    until = "until 2999-01-01T00:00:00Z"
    said = f"60 requests a minute, {until}, from 10.0.0.0/8 ::1/128, for a/*"
    assert key["limits"] == said
    more = typed("keys", "limit", key["id"], "--rpm", "none", "--tpm", "9", "--network", "none")
    assert more[1].endswith(f": 9 tokens a minute, {until}, for a/*\n")
    free = ("--tpm", "none", "--model", "none", "--expires", "none")
    assert typed("keys", "limit", key["id"], *free)[1].endswith(": no limits\n")
    assert typed("keys", "limit", key["id"], "--concurrent", "0")[0] == 1
    code, out, err = typed("keys", "create", "--name", "shop", "--expires", "2026-01-01")
    assert (code, out) == (1, "")
    assert "refused from 2026-01-01T00:00:00+00:00 on" in err


def test_a_key_is_bound_to_a_user_a_feature_and_tags(typed: Typed) -> None:
    typed("keys", "create", "--name", "a", "--user", "ani", "--tag", "plan=pro", "--tag", "b=1")
    (key,) = rows(typed("keys", "list", "--format", "json"))
    assert key["bound_to"] == "tag:b=1, tag:plan=pro, user=ani"
    changed = typed("keys", "limit", key["id"], "--feature", "growth", "--rpm", "9")
    bound = "feature=growth, tag:b=1, tag:plan=pro, user=ani"
    assert changed[1].endswith(f": 9 requests a minute; bound to {bound}\n")
    fewer = typed("keys", "limit", key["id"], "--tag", "plan=free", "--user", "none")
    assert fewer[1].endswith("; bound to feature=growth, tag:plan=free\n")
    free = typed("keys", "limit", key["id"], "--tag", "none", "--feature", "none", "--rpm", "none")
    assert free[1].endswith(": no limits\n")
    assert typed("keys", "limit", key["id"], "--tag", "plan")[0] == 2
    assert typed("keys", "limit", key["id"], "--user", " ani")[0] == 1


def test_gifts_burn_first_and_rules_are_listed(typed: Typed) -> None:
    typed("credits", "purchase", "extension-s", "--wallet", "user=ani", "--payment", "p-1")
    typed("credits", "grant", "10", "--wallet", "user=ani", "--promotion", "hi", "--days", "30")
    shown = rows(typed("credits", "show", "user=ani", "--format", "json"))
    assert [(each["grant"], each["credits"]) for each in shown] == [
        ("promotion/hi", "10"),
        ("payment/p-1", "50"),
    ]
    far = typed(
        "credits", "grant", "1", "--wallet", "user=ani", "--promotion", "x", "--days", "9999999999"
    )
    assert (far[0], far[2].split(".")[0]) == (
        1,
        "bad_input: 9999999999 days are more than a calendar has",
    )
    typed("credits", "rule", "user", "--weight", "output=8", "--low-at", "10")
    code, _, err = typed("credits", "rule", "user", "--tokens", "0")
    assert (code, err) == (1, "bad_input: 0 tokens in a credit. Use 1 or more, as 1000.\n")
    (rule,) = rows(typed("credits", "rule", "--format", "json"))
    assert (rule["per"], rule["weights"], rule["low_at"]) == ("user", "output=8", "10")
    assert typed("credits", "rule", "user", "--remove")[0] == 0
    assert rows(typed("credits", "expire", "--format", "json")) == []


def test_a_budget_is_made_changed_and_archived(typed: Typed, tmp_path: Path) -> None:
    made = typed("budget", "create", "growth", "--amount", "500000", "--currency", "IDR")
    assert made[0] == 0
    changed = rows(typed("budget", "set", "growth", "--amount", "600000", "--format", "json"))
    assert changed == [{"field": "amount", "old": "500000", "new": "600000"}]
    file = tmp_path / "budgets.toml"
    file.write_text(
        '[[budget]]\nid = "a"\nwindow = "day"\ncurrency = "USD"\namount = "5"\n'
        '[[budget]]\nid = "b"\nwindow = "week"\ncurrency = "USD"\neach = ["user"]\n'
    )
    assert typed("budget", "create", "--file", str(file))[0] == 0
    listed = rows(typed("budget", "list", "--format", "json"))
    assert [each["id"] for each in listed] == ["a", "b", "growth"]
    typed("budget", "archive", "growth")
    assert len(rows(typed("budget", "list", "--format", "json"))) == 2
    code, out, _ = typed("budget", "show", "a")
    assert (code, out.splitlines()[0]) == (0, "Budget a: $5.00, day, hard")
    assert typed("budget", "set", "a", "--amount", "none")[0] == 0


def test_a_nul_in_a_file_of_budgets_or_packages_is_refused_by_its_line(
    typed: Typed, tmp_path: Path
) -> None:
    """One budget of the file is right: it is not made either, on either database."""
    budgets, packages = tmp_path / "budgets.toml", tmp_path / "packages.toml"
    budgets.write_text(
        '[[budget]]\nid = "a"\nwindow = "day"\ncurrency = "USD"\namount = "5"\n'
        '[[budget]]\nid = "b"\nname = "B\\u0000"\nwindow = "day"\ncurrency = "USD"\n'
    )
    packages.write_text(
        '[[package]]\nid = "p\\u0000"\nname = "P"\ncredits = 1\nprice = "1"\n'
        'currency = "USD"\nsource = "s"\n'
    )
    bought = ("credits", "purchase", "p", "--wallet", "user=ani", "--payment", "p-1")
    refused = "a text in it has a NUL character (U+0000). Leave it out:"
    code, _, err = typed("budget", "create", "--file", str(budgets))
    assert (code, f"{budgets}:8: budget[2].name: {refused}" in err) == (1, True)
    code, _, err = typed(*bought, "--packages", str(packages))
    assert (code, f"packages.toml:2: package[1].id: {refused}" in err) == (1, True)
    assert rows(typed("budget", "list", "--format", "json")) == []
    assert rows(typed("credits", "wallets", "--format", "json")) == []


def test_events_are_listed_with_what_became_of_telling_them(typed: Typed, store: str) -> None:
    code, out, _ = typed("budget", "events")
    assert (code, out.splitlines()[-1]) == (0, "Nothing has fired.")
    at = datetime(2026, 11, 10, 12, tzinfo=UTC)
    with contextlib.closing(open_store(store)) as database:
        account = open_account(database, "an account", "USD")
        due = [
            Event(account, "spent 50%", "budget", "budget a all", "half of it"),
            Event(account, "spent 80%", "budget", "budget a all", "most of it"),
            Event(account, "credits_low", "wallet", "wallet default:user:ani", "9 credits left"),
        ]
        fire(database, due, now=at)
        told = claim_event(database, now=at)
        assert told is not None
        delivered(database, told, now=at)
        failed = claim_event(database, now=at)
        assert failed is not None
        not_delivered(database, failed, "HTTP 500", now=at)
    assert rows(typed("budget", "events", "--format", "json")) == [
        {
            "id": failed.id,
            "at": "2026-11-10T12:00:00Z",
            "event": "spent 80%",
            "subject": "budget a all",
            "text": "most of it",
            "delivered": None,
            "attempts": 1,
            "next_attempt": "2026-11-10T12:00:05Z",
            "failure": "HTTP 500",
        },
        {
            "id": told.id,
            "at": "2026-11-10T12:00:00Z",
            "event": "spent 50%",
            "subject": "budget a all",
            "text": "half of it",
            "delivered": "2026-11-10T12:00:00Z",
            "attempts": 1,
            "next_attempt": None,
            "failure": None,
        },
    ]
    assert len(rows(typed("budget", "events", "--last", "1", "--format", "json"))) == 1
    (low,) = rows(typed("credits", "events", "--format", "json"))
    assert (low["event"], low["attempts"], low["next_attempt"]) == ("credits_low", None, None)
    code, _, err = typed("credits", "events", "--last", "0")
    assert (code, err.split(":")[0]) == (2, "wrong_usage")


def test_rates_are_set_with_their_source_and_listed(typed: Typed) -> None:
    set_one = ("budget", "rate", "USD", "IDR", "16000", "--on", "2026-01-30")
    code, _, err = typed(*set_one)
    assert (code, err.split(":")[0]) == (1, "bad_input")
    assert typed(*set_one, "--source", "seed 001")[0] == 0
    listed = rows(typed("budget", "rate", "--format", "json"))
    assert [(each["rate"], each["on"]) for each in listed] == [("16000", "2026-01-30")]


def test_a_ledger_that_does_not_balance_exits_with_5_after_the_report(
    typed: Typed, store: str
) -> None:
    typed("credits", "purchase", "paper", "--wallet", "user=ani", "--payment", "p-1")
    with contextlib.closing(open_store(store)) as database:
        database.execute("UPDATE account SET credits_posted = credits_posted + 1")
    code, out, err = typed("ledger", "verify", "--format", "json")
    assert (code, err) == (5, "")
    assert [(each["law"], each["stored"]) for each in json.loads(out)["rows"]] == [
        ("fold", 300_001),
        ("conservation", 300_001),
    ]


def test_a_grant_and_its_account_are_opened(typed: Typed) -> None:
    typed("credits", "purchase", "paper", "--wallet", "user=ani", "--payment", "p-1")
    typed("credits", "refund", "payment/p-1", "--refund", "r-1", "--amount", "1")
    accounts = rows(typed("ledger", "accounts", "wallet:", "--format", "json"))
    (account,) = [each["account"] for each in accounts]
    opened = rows(typed("ledger", "explain", account, "--format", "json"))
    assert [(each["kind"], each["amount"]) for each in opened] == [
        ("fund", "300"),
        ("withdraw", "1"),
    ]
    assert typed("ledger", "explain", "payment/p-1")[0] == 0
    assert typed("ledger", "explain", "nothing")[0] == 1


def test_tokens_are_made_listed_and_revoked(typed: Typed) -> None:
    code, text, _ = typed("admin", "token", "create", "--name", "ops")
    assert (code, text[:4]) == (0, "tka-")
    (listed,) = rows(typed("admin", "token", "list", "--format", "json"))
    assert text.strip() not in str(listed)
    assert typed("admin", "token", "revoke", listed["id"])[0] == 0
