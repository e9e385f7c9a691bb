"""The ledger over HTTP."""

from typing import Final

from litestar import get, post
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery, JSONBody

from tokonomi.admin.ledger_shapes import (
    AccountView,
    OpenedView,
    ReleasedView,
    ReleaseRequest,
    VerifiedView,
    account_view,
    opened_view,
    released_view,
    verified_view,
)
from tokonomi.admin.stores import DryRun, stores_of, utc_now
from tokonomi.storage.exposures import release_exposure
from tokonomi.storage.ledger_check import verify
from tokonomi.storage.ledger_history import accounts, opened


@get("/ledger/verification", sync_to_thread=True, tags=["ledger"], operation_id="verify_ledger")
def verify_ledger(state: State) -> VerifiedView:
    """Every stored balance compared with the rows that it is made of."""
    with stores_of(state).opened() as database:
        return verified_view(verify(database))


@get("/ledger/accounts", sync_to_thread=True, tags=["ledger"], operation_id="list_accounts")
def list_accounts(state: State, *, prefix: FromQuery[str] = "") -> list[AccountView]:
    """The accounts whose names begin with `prefix`."""
    with stores_of(state).opened() as database:
        return [account_view(each) for each in accounts(database, prefix=prefix)]


@get("/ledger/entries", sync_to_thread=True, tags=["ledger"], operation_id="explain_entry")
def explain_entry(state: State, name: FromQuery[str]) -> OpenedView:
    """A call, a request, a transfer or an account of this name, opened."""
    with stores_of(state).opened() as database:
        return opened_view(opened(database, name))


@post(
    "/ledger/exposures/{call_id:str}/release",
    sync_to_thread=True,
    tags=["ledger"],
    operation_id="release_exposure",
    status_code=200,
)
def release_call_exposure(
    state: State, call_id: FromPath[str], data: JSONBody[ReleaseRequest], *, dry_run: DryRun = False
) -> list[ReleasedView]:
    """What budgets get back that a failed call was counted against, since it was not billed."""
    with stores_of(state).opened() as database:
        released = release_exposure(
            database, call_id, reason=data.reason, now=utc_now(), dry_run=dry_run
        )
    return [released_view(each) for each in released]


ROUTES: Final = (verify_ledger, list_accounts, explain_entry, release_call_exposure)
