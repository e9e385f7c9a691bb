"""The admin API: denied without a token, each money move once, errors with codes."""

import contextlib
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from ledger_calls import calls_in
from litestar.testing import TestClient
from litestar.types import ASGIApp
from openapi_spec_validator import validate

from tokonomi.admin.app import admin_app, routes
from tokonomi.admin.failures import BODIES
from tokonomi.admin.stores import Stores
from tokonomi.storage import keys
from tokonomi.storage.admin_tokens import Role, create, revoke
from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store
from tokonomi.storage.event_store import Event, fire
from tokonomi.storage.ledger import Funding, open_account
from tokonomi.storage.ledger_check import verify

NOW = datetime(2026, 11, 20, tzinfo=UTC)
PAPER = {"package": "paper"}
RATE = {"base": "USD", "quote": "IDR", "rate": "16000", "on": "2026-11-20"}
GROWTH = {
    "id": "growth",
    "window": "month",
    "currency": "IDR",
    "amount": "500000",
    "each": ["user"],
    "scope": {"feature": "growth"},
    "alerts": ["80%"],
}


class Api:
    """A client with a token, and the store below."""

    def __init__(self, client: TestClient[ASGIApp], database: Database) -> None:
        self.client = client
        self.database = database
        text, self.token = create(database, "tests", role=Role.ADMIN, now=NOW)
        self.headers = {"Authorization": f"Bearer {text}"}

    def ask(self, method: str, path: str, body: object = None, key: str = "") -> tuple[int, Any]:
        headers = {**self.headers, **({"Idempotency-Key": key} if key else {})}
        answer = self.client.request(method, f"/admin{path}", json=body, headers=headers)
        return answer.status_code, answer.json()

    def error(self, method: str, path: str, body: object = None, key: str = "") -> tuple[int, str]:
        status, content = self.ask(method, path, body, key)
        assert set(content["error"]) == {"code", "message", "remedy"}
        return status, content["error"]["code"]


@pytest.fixture
def api(new_store: Callable[[], Path | str]) -> Iterator[Api]:
    store = new_store()
    app = cast("ASGIApp", admin_app(lambda: open_store(store)))
    with contextlib.closing(open_store(store)) as database:
        yield Api(TestClient(app), database)


def every_route() -> list[tuple[str, str]]:
    app = routes(Stores(lambda: pytest.fail("no route is asked for a list")))
    return [
        (method, re.sub(r"\{\w+:(int)?\w*\}", lambda kind: "1" if kind[1] else "x", route.path))
        for route in app.routes
        for method in sorted(getattr(route, "methods", ()))
    ]


def test_every_route_refuses_who_has_no_working_token(api: Api) -> None:
    text, old = create(api.database, "old", role=Role.ADMIN, now=NOW)
    revoke(api.database, old.id, now=NOW)
    asked = every_route()
    assert len(asked) > 20
    stated: list[dict[str, str]] = [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Bearer {text}"},
        {"Authorization": f"Basic {api.headers['Authorization'].partition(' ')[2]}"},
    ]
    answers = {
        (method, path, api.client.request(method, path, headers=headers).status_code)
        for method, path in [*asked, ("GET", "/admin/unknown"), ("GET", "/")]
        for headers in stated
    }
    assert {status for _, _, status in answers} == {401}


def test_the_description_is_valid_and_names_every_route(api: Api) -> None:
    status, described = api.ask("GET", "/openapi.json")
    assert status == 200
    validate(described)
    named = {
        (
            method.upper(),
            re.sub(r"\{\w+\}", lambda name: "1" if name[0] == "{number}" else "x", path),
        )
        for path, methods in described["paths"].items()
        for method in methods
    }
    served = {
        (method, path)
        for method, path in every_route()
        if method not in {"OPTIONS", "HEAD"} and not path.startswith("/admin/openapi.json")
    }
    assert named == served
    assert described["security"] == [{"token": []}]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/wallets/user=a%00b/grants", None),
        ("GET", "/budgets/a%00b", None),
        ("GET", "/wallets?project=a%00b", None),
        ("PUT", "/rates", RATE | {"source": "a\0b"}),
        ("POST", "/budgets", GROWTH | {"name": "a\0b"}),
        ("POST", "/budgets", GROWTH | {"scope": {"user": "a\\\0b"}}),
        ("POST", "/budgets/a%00b/archive", None),
        ("POST", "/config/plan", {"models": {"a\0b": {}}}),
    ],
)
def test_a_nul_in_path_query_or_body_is_refused(
    api: Api, method: str, path: str, body: dict[str, object] | None
) -> None:
    status, content = api.ask(method, path, body)
    assert (status, content["error"]["code"]) == (400, "bad_input")
    assert "NUL" in content["error"]["message"]


def test_the_text_of_an_escape_is_no_nul(api: Api) -> None:
    name = r"a\u0000%00"
    made = api.ask("POST", "/budgets", GROWTH | {"name": name})[1]["new"]
    assert made["budget"]["name"] == name
    assert api.ask("GET", "/wallets?project=a%2500") == (200, [])


def test_a_payment_told_twice_gets_the_stored_answer(api: Api) -> None:
    first = api.ask("POST", "/wallets/user=ani/purchases", PAPER, "p-1")
    again = api.ask("POST", "/wallets/user=ani/purchases", PAPER, "p-1")
    assert first == again
    assert (first[0], first[1]["grant"], first[1]["paid"]) == (
        201,
        "payment/p-1",
        {"amount": "80000", "currency": "IDR"},
    )
    for path, body in (
        ("/wallets/user=budi/purchases", PAPER),
        ("/wallets/user=ani/purchases", {"package": "extension-s"}),
    ):
        assert api.error("POST", path, body, "p-1") == (409, "conflict")
    assert api.ask("GET", "/wallets")[1] == [
        {
            "wallet": "default:user:ani",
            "project": "default",
            "balance": "300",
            "held": "0",
            "available": "300",
            "grants": 1,
            "overrun": "0",
        }
    ]


def test_projects_that_came_later_change_no_answer(api: Api) -> None:
    asked = [
        ("POST", "/wallets/user=ani/purchases", PAPER, "p-1"),
        ("POST", "/wallets/user=ani/grants", {"credits": "10"}, "g-1"),
    ]
    first = [api.ask(*each) for each in asked]
    for project in ("default", "lab"):
        keys.create(api.database, "a", project, now=NOW)
    assert [api.ask(*each) for each in asked] == first
    assert [status for status, _ in first] == [201, 201]


def test_gifts_and_refunds_are_known_by_their_keys_too(api: Api) -> None:
    api.ask("POST", "/wallets/user=ani/purchases", PAPER, "p-1")
    gift = {"credits": "10", "days": 30}
    given = api.ask("POST", "/wallets/user=ani/grants", gift, "welcome")
    assert given == api.ask("POST", "/wallets/user=ani/grants", gift, "welcome")
    more = {"credits": "11", "days": 30}
    assert api.error("POST", "/wallets/user=ani/grants", more, "welcome") == (409, "conflict")
    back = {"grant": "payment/p-1", "credits": "150"}
    refunded = api.ask("POST", "/refunds", back, "r-1")
    assert refunded == api.ask("POST", "/refunds", back, "r-1")
    assert refunded[1]["paid_back"] == {"amount": "40000", "currency": "IDR"}
    assert api.error("POST", "/refunds", {**back, "credits": "1"}, "r-1") == (409, "conflict")
    assert api.error("POST", "/refunds", back | {"credits": "151"}, "r-2") == (400, "bad_input")
    statement = api.ask("GET", "/wallets/user=ani/statement")[1]
    assert (statement["opening"], statement["closing"]) == ("0", "160")
    assert [each["kind"] for each in statement["entries"]] == ["purchase", "promotion", "refund"]
    grants = api.ask("GET", "/wallets/user=ani/grants")[1]
    assert [each["grant"]["grant"] for each in grants] == ["promotion/welcome", "payment/p-1"]
    assert verify(api.database).imbalances == ()


def test_wallets_are_those_of_a_project(api: Api) -> None:
    for project in ("acme/shop", "acme/chat"):
        api.ask("POST", "/keys", {"name": "a", "project": project})
    assert api.error("POST", "/wallets/user=ani/purchases", PAPER, "p-1") == (400, "bad_input")
    wrong = "/wallets/user=ani/purchases?project=acme/shp"
    assert api.error("POST", wrong, PAPER, "p-1") == (404, "not_found")
    assert api.ask("GET", "/wallets")[1] == []
    of_shop, of_chat = "?project=acme%2Fshop", "?project=acme%2Fchat"
    bought = api.ask("POST", f"/wallets/user=ani/purchases{of_shop}", PAPER, "p-1")[1]
    assert bought["wallet"] == "acme/shop:user:ani"
    gift = {"credits": "10"}
    given = api.ask("POST", f"/wallets/project/grants{of_chat}", gift, "hi")[1]
    assert given["wallet"] == "project:acme/chat"
    [wallet] = api.ask("GET", f"/wallets{of_shop}")[1]
    assert (wallet["wallet"], wallet["project"], wallet["balance"]) == (
        "acme/shop:user:ani",
        "acme/shop",
        "300",
    )
    assert len(api.ask("GET", "/wallets")[1]) == 2
    assert api.ask("GET", f"/wallets/user=ani/grants{of_chat}")[1] == []
    assert len(api.ask("GET", f"/wallets/user=ani/grants{of_shop}")[1]) == 1
    assert api.ask("GET", f"/wallets/user=ani/statement{of_chat}")[1]["closing"] == "0"
    assert api.ask("GET", f"/wallets/project/statement{of_chat}")[1]["closing"] == "10"


def test_a_money_move_without_a_key_is_refused(api: Api) -> None:
    assert api.error("POST", "/wallets/user=ani/purchases", PAPER) == (400, "bad_input")
    assert api.error("POST", "/refunds", {"grant": "payment/p-1"}) == (400, "bad_input")


def test_a_rehearsal_over_http_writes_nothing(api: Api) -> None:
    path = "/wallets/user=ani/purchases?dry_run=true"
    assert api.ask("POST", path, PAPER, "p-1")[0] == 201
    assert api.ask("GET", "/wallets") == (200, [])


def test_budgets_are_made_changed_shown_and_archived(api: Api) -> None:
    status, made = api.ask("POST", "/budgets", GROWTH)
    assert (status, made["old"], made["new"]["budget"]["amount"]) == (201, None, "500000")
    assert api.error("POST", "/budgets", GROWTH | {"amount": "1"}) == (409, "conflict")
    changed = api.ask("PUT", "/budgets/growth", GROWTH | {"amount": "600000"})[1]
    assert changed["old"]["budget"] == made["new"]["budget"]
    assert changed["new"]["budget"] == made["new"]["budget"] | {"amount": "600000"}
    assert api.ask("GET", "/budgets/growth")[1]["budget"]["amount"] == "600000"
    assert api.ask("GET", "/budgets/growth/standings") == (200, [])
    assert api.ask("POST", "/budgets/growth/archive")[1]["new"]["archived"] is not None
    assert api.ask("GET", "/budgets") == (200, [])
    assert len(api.ask("GET", "/budgets?archived=true")[1]) == 1


def test_rules_and_rates_tell_what_they_replace(api: Api) -> None:
    rate = {"base": "USD", "quote": "IDR", "rate": "16000", "on": "2026-01-30", "source": "seed"}
    assert api.ask("PUT", "/rates", rate)[1] == {"old": None, "new": rate}
    assert api.ask("PUT", "/rates", rate | {"rate": "16001"})[1]["old"] == rate
    assert [each["rate"] for each in api.ask("GET", "/rates")[1]] == ["16001"]
    rule = {"per": "user", "weights": {"output": "8"}, "low_at": "10"}
    whole = rule | {"required": True, "tokens": 1000}
    assert api.ask("PUT", "/wallet-rules", rule)[1] == {"old": None, "new": whole}
    assert api.ask("GET", "/wallet-rules")[1] == [whole]
    assert api.ask("DELETE", "/wallet-rules/user")[1] == {"old": whole, "new": None}


def test_the_ledger_is_verified_listed_and_opened(api: Api) -> None:
    api.ask("POST", "/wallets/user=ani/purchases", PAPER, "p-1")
    verified = api.ask("GET", "/ledger/verification")[1]
    assert (verified["balances"], verified["transfers"]) == (True, 1)
    name = "wallet:default:user:ani:grant:payment/p-1"
    assert [each["account"] for each in api.ask("GET", "/ledger/accounts?prefix=wallet")[1]] == [
        name
    ]
    opened = api.ask("GET", "/ledger/entries?name=payment/p-1")[1]
    assert [(each["kind"], each["amount"]) for each in opened["moved"]] == [
        ("fund", {"amount": "300", "currency": "CREDIT"})
    ]
    assert api.error("GET", "/ledger/entries?name=x") == (404, "not_found")
    assert api.ask("POST", "/expiries") == (200, [])


def test_events_are_listed_by_what_they_are_about(api: Api) -> None:
    account = open_account(api.database, "an account", "USD")
    due = [
        Event(account, "spent 80%", "budget", "budget a all", "most of it"),
        Event(account, "credits_low", "wallet", "wallet default:user:ani", "9 credits left"),
    ]
    fire(api.database, due, now=NOW)
    status, found = api.ask("GET", "/events")
    assert (status, [each["event"] for each in found]) == (200, ["credits_low", "spent 80%"])
    assert api.ask("GET", "/events?last=1")[1] == found[:1]
    assert api.ask("GET", "/events?about=wallet")[1] == found[:1]
    assert api.ask("GET", "/events?about=budget")[1] == [
        {
            "id": found[1]["id"],
            "event": "spent 80%",
            "about": "budget",
            "subject": "budget a all",
            "text": "most of it",
            "at": "2026-11-20T00:00:00Z",
            "delivered": None,
            "attempts": 0,
            "next_attempt": "2026-11-20T00:00:00Z",
            "failure": "",
        }
    ]


def test_keys_are_made_bound_listed_and_revoked_and_told_once(api: Api) -> None:
    bound = {"requests_per_minute": 60, "networks": ["10.0.0.0/8"], "models": ["a/*"]}
    whole = bound | {"tokens_per_minute": None, "concurrent": None, "expires": None}
    status, made = api.ask("POST", "/keys", {"name": "shop", "limits": bound})
    assert (status, made["secret"][:3], made["key"]["limits"]) == (201, "tk-", whole)
    path = f"/keys/{made['key']['id']}"
    assert made["key"]["bound_to"] == {"user": "", "feature": "", "tags": {}}
    assert api.ask("GET", "/keys")[1] == [made["key"]]
    until = "2999-01-01T00:00:00Z"
    limits = api.ask("PUT", f"{path}/limits", {"concurrent": 3, "expires": until})[1]["limits"]
    assert (limits["requests_per_minute"], limits["concurrent"]) == (None, 3)
    assert limits["expires"] == until
    over = {"expires": "2026-01-01T00:00:00Z"}
    assert api.error("PUT", f"{path}/limits", over) == (400, "bad_input")
    assert api.error("POST", "/keys", {"name": "shop", "limits": over}) == (400, "bad_input")
    assert api.ask("POST", f"{path}/revoke")[1]["revoked"] is not None
    assert made["secret"] not in str(api.ask("GET", "/keys"))
    assert api.error("POST", "/keys", {"name": ""}) == (400, "bad_input")
    wrong = {"requests_per_minute": 0}
    assert api.error("PUT", f"{path}/limits", wrong) == (400, "bad_input")
    assert api.error("PUT", "/keys/key_x/limits", {}) == (404, "not_found")


def test_what_a_key_is_bound_to_is_stated_anew_and_survives_its_limits(api: Api) -> None:
    ani = {"user": "ani", "feature": "", "tags": {"plan": "pro"}}
    made = api.ask("POST", "/keys", {"name": "shop", "bound_to": ani})[1]["key"]
    path = f"/keys/{made['id']}"
    assert made["bound_to"] == ani
    assert api.ask("PUT", f"{path}/limits", {"concurrent": 3})[1]["bound_to"] == ani
    growth: dict[str, Any] = {"user": "", "feature": "growth", "tags": {}}
    bound = api.ask("PUT", f"{path}/binding", {"feature": "growth"})[1]
    assert (bound["bound_to"], bound["limits"]["concurrent"]) == (growth, 3)
    assert api.ask("GET", "/keys")[1] == [bound]
    assert api.error("PUT", f"{path}/binding", {"tags": {"a": ""}}) == (400, "bad_input")
    assert api.error("PUT", f"{path}/binding", {"usr": "ani"}) == (400, "bad_input")
    assert api.error("PUT", "/keys/key_x/binding", {}) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "body", "told"),
    [
        ("GET", "/unknown", None, (404, "not_found")),
        ("GET", "/budgets/none", None, (404, "not_found")),
        ("POST", "/wallets/colour:red/purchases", PAPER, (400, "bad_input")),
        ("POST", "/wallets/user=ani/purchases", {"package": "x"}, (404, "not_found")),
        ("POST", "/wallets/user=ani/purchases", {"pakage": "paper"}, (400, "bad_input")),
        ("POST", "/budgets", GROWTH | {"amount": "ten"}, (400, "bad_money")),
        ("POST", "/budgets", GROWTH | {"zone": "Asia/Jakrta"}, (400, "bad_input")),
        ("POST", "/budgets", GROWTH | {"window": "fortnight"}, (400, "bad_input")),
        ("PUT", "/budgets/other", GROWTH, (400, "bad_input")),
        ("PATCH", "/budgets", None, (405, "bad_input")),
        ("GET", "/events?last=0", None, (400, "bad_input")),
        ("GET", "/events?about=weather", None, (400, "bad_input")),
        ("GET", "/wallets/user=ani/statement?since=2026-01-30T00:00:00", None, (400, "bad_input")),
    ],
)
def test_what_is_wrong_is_told_with_a_code(
    api: Api, method: str, path: str, body: object, told: tuple[int, str]
) -> None:
    assert api.error(method, path, body, "key-1") == told


def test_a_token_works_until_it_is_revoked_and_is_nowhere_stored(api: Api) -> None:
    assert api.ask("GET", "/wallets")[0] == 200
    text = api.headers["Authorization"].partition(" ")[2]
    rows = api.database.execute("SELECT * FROM admin_token").fetchall()
    assert all(text.encode() not in repr(row).encode() for row in rows)
    revoke(api.database, api.token.id, now=NOW)
    assert api.error("GET", "/wallets") == (401, "unauthorised")


@pytest.mark.parametrize("form", BODIES)
def test_every_body_refuses_fields_that_it_does_not_know(form: type[msgspec.Struct]) -> None:
    assert form.__struct_config__.forbid_unknown_fields


def test_every_route_with_a_body_takes_one_of_the_known_forms() -> None:
    app = routes(Stores(lambda: pytest.fail("no route is asked for a list")))
    taken = {
        handler.parsed_fn_signature.parameters["data"].annotation
        for route in app.routes
        for handler in getattr(route, "route_handlers", ())
        if "data" in handler.parsed_fn_signature.parameters
    }
    # Tables of the configuration are read by its own checks, which refuse what they do not know.
    assert taken == {*BODIES, dict[str, Any]}


@pytest.mark.parametrize(
    ("method", "path", "body", "nearest"),
    [
        ("POST", "/budgets", {**GROWTH, "amont": "5"}, "amount"),
        ("PUT", "/budgets/growth", {**GROWTH, "per_reqest": "5"}, "per_request"),
        ("PUT", "/wallet-rules", {"per": "user", "requird": False}, "required"),
        ("POST", "/ledger/exposures/a.1/release", {"reason": "x", "reson": "y"}, "reason"),
    ],
)
def test_a_misspelt_field_is_refused_with_the_nearest_name(
    api: Api, method: str, path: str, body: object, nearest: str
) -> None:
    status, content = api.ask(method, path, body)
    assert status == 400
    assert content["error"]["code"] == "bad_input"
    assert f'"{nearest}"' in content["error"]["remedy"] or nearest in content["error"]["remedy"]
    assert api.ask("GET", "/budgets") == (200, [])


def test_an_exposure_is_released_once_over_http(api: Api) -> None:
    calls = calls_in(api.database)
    call = calls.begin(Funding("a budget", "USD", limit=100), 70)
    assert call is not None
    calls.end(call, 0, exposed=70)
    path = f"/ledger/exposures/{call}/release"
    first = api.ask("POST", path, {"reason": "not on the bill"})
    assert first[0] == 200
    assert first[1][0]["amount"] == {"amount": "0.00000000007", "currency": "USD"}
    assert api.ask("POST", path, {"reason": "again"}) == first
    assert api.error("POST", "/ledger/exposures/no.1/release", {"reason": "x"}) == (
        404,
        "not_found",
    )
    assert verify(api.database).imbalances == ()
