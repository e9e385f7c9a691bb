"""What each role of a token may do, route by route."""

import contextlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
from litestar.testing import TestClient
from litestar.types import ASGIApp

from tokonomi.admin.app import admin_app, routes
from tokonomi.admin.stores import Stores
from tokonomi.storage.admin_tokens import Role, create
from tokonomi.storage.engine import open_store

NOW = datetime(2026, 11, 28, tzinfo=UTC)
OPERATOR_CHANGES = {
    "/admin/budgets",
    "/admin/budgets/x",
    "/admin/budgets/x/archive",
    "/admin/expiries",
    "/admin/keys",
    "/admin/keys/x/binding",
    "/admin/keys/x/limits",
    "/admin/keys/x/revoke",
    "/admin/ledger/exposures/x/release",
    "/admin/rates",
    "/admin/refunds",
    "/admin/wallet-rules",
    "/admin/wallet-rules/x",
    "/admin/wallets/x/grants",
    "/admin/wallets/x/purchases",
}
ADMIN_CHANGES = {
    "/admin/config",
    "/admin/config/apply",
    "/admin/config/plan",
    "/admin/config/versions/1/rollback",
    "/admin/models/x",
    "/admin/providers/x",
    "/admin/secrets/x",
    "/admin/tokens",
    "/admin/tokens/x/revoke",
}
READS = {"GET", "HEAD", "OPTIONS"}


def every_route() -> list[tuple[str, str]]:
    app = routes(Stores(lambda: pytest.fail("no route is asked for a list")))
    return sorted(
        (method, re.sub(r"\{number:int\}", "1", re.sub(r"\{\w+:(str|path)\}", "x", route.path)))
        for route in app.routes
        for method in getattr(route, "methods", ())
    )


@pytest.fixture(scope="module")
def ask(
    new_store: Callable[[], Path | str],
) -> Callable[[Role, str, str], int]:
    """The status that a role is answered with."""
    store = new_store()
    with contextlib.closing(open_store(store)) as database:
        texts = {role: create(database, role, role=role, now=NOW)[0] for role in Role}
    client = TestClient(cast("ASGIApp", admin_app(lambda: open_store(store))))

    def status(role: Role, method: str, path: str) -> int:
        headers = {"Authorization": f"Bearer {texts[role]}"}
        return client.request(method, path, headers=headers).status_code

    return status


def test_every_route_that_changes_something_is_an_operators_or_an_admins() -> None:
    changing = {path for method, path in every_route() if method not in READS}
    assert changing == OPERATOR_CHANGES | ADMIN_CHANGES


@pytest.mark.parametrize("role", Role)
def test_a_role_may_do_what_is_its_own_and_nothing_above(
    ask: Callable[[Role, str, str], int], role: Role
) -> None:
    for method, path in every_route():
        needed = Role.VIEWER if method in READS else Role.OPERATOR
        if method not in READS and path in ADMIN_CHANGES:
            needed = Role.ADMIN
        refused = ask(role, method, path) == 403
        assert refused is not role.allows(needed), (method, path)
