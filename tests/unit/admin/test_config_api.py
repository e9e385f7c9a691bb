"""The configuration, secrets and tokens over HTTP."""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from litestar.testing import TestClient
from litestar.types import ASGIApp

from tokonomi.admin.app import admin_app
from tokonomi.storage.admin_tokens import Role, create
from tokonomi.storage.engine import open_store
from tokonomi.storage.location import MasterKeyPlace
from tokonomi.storage.master_keys import read_master_keys, write_key_first

NOW = datetime(2026, 11, 28, tzinfo=UTC)
A = {"base_url": "https://a/v1"}
DOCUMENT = {
    "providers": {"a": A},
    "models": {"house": {"provider": "a"}, "a/*": {"provider": "a"}},
    "budget": [{"id": "team", "window": "month", "currency": "USD", "amount": "10"}],
}
SECRET = "sk-never-shown"
Ask = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def ask(new_store: Callable[[], Path | str], tmp_path: Path) -> Ask:
    """Asks as an admin: the status, the content and the ETag."""
    store, keys = new_store(), MasterKeyPlace("", tmp_path / "master.key")
    write_key_first(keys.file)
    with contextlib.closing(open_store(store)) as database:
        text, _ = create(database, "ani", role=Role.ADMIN, now=NOW)
    app = admin_app(lambda: open_store(store), master_keys=lambda: read_master_keys(keys))
    client = TestClient(cast("ASGIApp", app))

    def asked(
        method: str, path: str, body: object = None, at: int | None = None
    ) -> tuple[int, Any, str]:
        headers = {"Authorization": f"Bearer {text}"}
        headers |= {} if at is None else {"If-Match": f'"{at}"'}
        answer = client.request(method, f"/admin{path}", json=body, headers=headers)
        assert SECRET not in answer.text
        return answer.status_code, answer.json(), answer.headers.get("ETag", "")

    return asked


def test_a_document_is_planned_applied_read_and_taken_back(ask: Ask) -> None:
    assert ask("GET", "/config") == (200, {"version": 0, "document": {}}, '"0"')
    status, plan, _ = ask("POST", "/config/plan", DOCUMENT)
    assert (status, [each["name"] for each in plan["changes"]]) == (
        200,
        ["a", "a/*", "house", "team"],
    )
    assert ask("POST", "/config/apply?message=first", DOCUMENT, 0)[2] == '"1"'
    whole = ask("GET", "/config")[1]
    assert whole["document"]["models"] == DOCUMENT["models"]
    assert whole["document"]["budget"][0]["amount"] == "10"
    assert ask("PUT", "/config", {"providers": {"a": A}}, 1)[2] == '"2"'
    assert ask("GET", "/models") == (200, {"version": 2, "items": {}}, '"2"')
    assert ask("GET", "/budgets")[1] == []
    assert ask("POST", "/config/versions/1/rollback", None, 2)[2] == '"3"'
    assert ask("GET", "/config")[1]["document"] == whole["document"]
    versions = ask("GET", "/config/versions")[1]
    assert [each["message"] for each in versions] == ["back to version 1", "", "first"]
    assert versions[0]["who"].startswith("ani (adm_")
    detail = ask("GET", "/config/versions/1")[1]
    assert detail["document"] == whole["document"]
    assert detail["changes"][0]["before"] is None
    changes = ask("GET", "/config/diff?old=1&new=2")[1]
    assert {each["change"] for each in changes} == {"remove"}


def test_providers_and_models_are_set_and_removed_one_by_one(ask: Ask) -> None:
    assert ask("PUT", "/providers/a", A, 0)[0] == 200
    assert ask("PUT", "/models/a/*", {"provider": "a"}, 1)[0] == 200
    assert ask("GET", "/providers")[1]["items"] == {"a": A}
    assert ask("GET", "/models")[1]["items"] == {"a/*": {"provider": "a"}}
    status, told, _ = ask("DELETE", "/providers/a", None, 2)
    assert (status, told["error"]["message"]) == (400, "models.a/*.provider: no provider 'a'")
    assert ask("DELETE", "/models/a/*?dry_run=true", None, 2)[2] == '"2"'
    assert ask("DELETE", "/models/a/*", None, 2)[2] == '"3"'
    assert ask("DELETE", "/models/a/*", None, 3)[0] == 404
    assert ask("DELETE", "/providers/a", None, 3)[0] == 200


def test_of_two_who_looked_at_one_version_the_second_is_told_what_changed(ask: Ask) -> None:
    ask("PUT", "/providers/a", A, 0)
    status, told, _ = ask("PUT", "/providers/b", A, 0)
    assert (status, told["error"]["code"]) == (409, "conflict")
    assert "changed since: provider a" in told["error"]["message"]
    assert ask("PUT", "/config", {}, 0)[0] == 409


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"providers": {"a": {}}}, "providers.a: Object missing required field `base_url`"),
        ({"providers": {"a": A | {"api_key": SECRET}}}, "providers.a.api_key: no such key"),
        (
            {"providers": {"a": {"base_url": "http://10.0.0.1/v1"}}},
            "providers.a.base_url: 10.0.0.1 is an address of a private network or of this host",
        ),
        ({"models": {"m": {"provider": "x"}}}, "models.m.provider: no provider 'x'"),
        ({"listen": {}}, "listen: does not stand in the store"),
        ({"budget": {}}, "budget: is not a list of tables"),
    ],
)
def test_a_wrong_document_is_refused_with_its_place(ask: Ask, body: object, message: str) -> None:
    status, told, _ = ask("POST", "/config/apply", body, 0)
    assert (status, told["error"]["code"]) == (400, "bad_config")
    assert message in told["error"]["message"]
    assert ask("GET", "/config")[1]["version"] == 0


def test_a_change_needs_the_version_that_was_looked_at(ask: Ask) -> None:
    assert ask("PUT", "/config", {})[0] == 400
    status, told, _ = ask("PUT", "/config", {}, -1)
    assert (status, told["error"]["remedy"]) == (
        400,
        'Send the ETag that GET /admin/config gave: "7".',
    )


def test_a_secret_is_set_and_never_given_back(ask: Ask) -> None:
    status, stored, _ = ask("PUT", "/secrets/providers/openai", {"value": SECRET})
    assert (status, stored["name"]) == (200, "providers/openai")
    assert ask("GET", "/secrets")[1] == [stored]
    for path in ("/secrets/providers/openai", "/secrets/providers"):
        assert ask("GET", path)[0] in {404, 405}
    assert ask("PUT", "/secrets/openai", {"value": SECRET})[0] == 400
    assert ask("PUT", "/secrets/providers/openai", {"valu": SECRET})[0] == 400
    assert ask("GET", "/config/versions/1")[1]["document"] == {}
    assert ask("DELETE", "/secrets/providers/openai")[0] == 200
    assert ask("GET", "/secrets")[1] == []


def test_tokens_are_made_with_a_role_listed_and_revoked(ask: Ask) -> None:
    status, made, _ = ask("POST", "/tokens", {"name": "grafana", "role": "viewer"})
    assert (status, made["token"]["role"], made["text"][:4]) == (201, "viewer", "tka-")
    assert [each["name"] for each in ask("GET", "/tokens")[1]] == ["ani", "grafana"]
    revoked = ask("POST", f"/tokens/{made['token']['id']}/revoke")[1]
    assert revoked["revoked"] is not None
    assert ask("POST", "/tokens", {"name": "x", "role": "owner"})[0] == 400
