"""Packages, wallets, purchases, promotions and refunds over HTTP.

A money move is known by its Idempotency-Key, which is the id of the payment, gift or refund in the
ledger: there is no second memory of answers that could disagree with it.
"""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from litestar import delete, get, post, put
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from tokonomi.admin.shapes import (
    EndedView,
    GrantStanding,
    GrantView,
    PackageView,
    PromotionRequest,
    PurchaseRequest,
    RefundRequest,
    RefundView,
    RuleChange,
    RuleTable,
    StatementView,
    WalletView,
    ended_view,
    grant_standing,
    grant_view,
    package_view,
    refund_view,
    rule_table,
    statement_view,
    wallet_view,
)
from tokonomi.admin.stores import (
    Asked,
    DryRun,
    IdempotencyKey,
    author_of,
    in_utc,
    stores_of,
    utc_now,
)
from tokonomi.credits.rule_table import StoredRule, credits_from_text, rule_from_table
from tokonomi.reports.wallets import BEGINNING
from tokonomi.storage.changes import Change
from tokonomi.storage.package_files import offer_in_force
from tokonomi.storage.wallet_endings import end_grants
from tokonomi.storage.wallet_names import wallet_named
from tokonomi.storage.wallet_rules import every_rule, remove_rule, set_rule
from tokonomi.storage.wallet_statements import PAYMENT, booked_until, statement_of
from tokonomi.storage.wallet_store import (
    PROMOTION,
    buy,
    grants_of,
    promote,
    promotion,
    refund,
    wallets,
)

OfProject = Annotated[
    str,
    QueryParameter(description="Whose project the wallet is in; needed where there are several."),
]


@get("/packages", sync_to_thread=True, tags=["credits"], operation_id="list_packages")
def list_packages(state: State) -> list[PackageView]:
    """The packages on sale."""
    with stores_of(state).opened() as database:
        return [package_view(each) for each in offer_in_force(database).packages]


@get("/wallet-rules", sync_to_thread=True, tags=["credits"], operation_id="list_wallet_rules")
def list_rules(state: State) -> list[RuleTable]:
    """Whose wallets requests use."""
    with stores_of(state).opened() as database:
        return [rule_table(each) for each in every_rule(database)]


@put("/wallet-rules", sync_to_thread=True, tags=["credits"], operation_id="set_wallet_rule")
def set_wallet_rule(
    state: State, request: Asked, data: JSONBody[RuleTable], *, dry_run: DryRun = False
) -> RuleChange:
    """The rule of its dimension, and the one that it replaces."""
    rule = rule_from_table(msgspec.structs.asdict(data))
    with stores_of(state).opened() as database:
        return _changed(
            set_rule(database, rule, now=utc_now(), by=author_of(request), dry_run=dry_run)
        )


@delete(
    "/wallet-rules/{per:str}",
    sync_to_thread=True,
    tags=["credits"],
    operation_id="remove_wallet_rule",
    status_code=200,
)
def remove_wallet_rule(
    state: State, request: Asked, per: FromPath[str], *, dry_run: DryRun = False
) -> RuleChange:
    """The rule that is no more; wallets stay."""
    with stores_of(state).opened() as database:
        return _changed(
            remove_rule(database, per, now=utc_now(), by=author_of(request), dry_run=dry_run)
        )


@get("/wallets", sync_to_thread=True, tags=["credits"], operation_id="list_wallets")
def list_wallets(state: State, *, project: OfProject = "") -> list[WalletView]:
    """All wallets with what they hold, or those of a project."""
    with stores_of(state).opened() as database:
        return [wallet_view(each) for each in wallets(database, project=project)]


@get(
    "/wallets/{wallet:str}/grants",
    sync_to_thread=True,
    tags=["credits"],
    operation_id="list_grants",
)
def list_grants(
    state: State,
    wallet: FromPath[str],
    *,
    project: OfProject = "",
    ended: FromQuery[bool] = False,
) -> list[GrantStanding]:
    """The grants of a wallet in the order in which they burn; with `ended` also the others."""
    with stores_of(state).opened() as database:
        whose = wallet_named(database, wallet, project=project)
        return [grant_standing(each) for each in grants_of(database, whose, ended=ended)]


@get(
    "/wallets/{wallet:str}/statement",
    sync_to_thread=True,
    tags=["credits"],
    operation_id="wallet_statement",
)
def wallet_statement(
    state: State,
    wallet: FromPath[str],
    *,
    project: OfProject = "",
    since: FromQuery[datetime | None] = None,
    until: FromQuery[datetime | None] = None,
) -> StatementView:
    """Every movement of a wallet from `since` to before `until`, with the money that was paid."""
    first, last = in_utc(since) or BEGINNING, in_utc(until)
    with stores_of(state).opened() as database:
        whose = wallet_named(database, wallet, project=project)
        last = last or booked_until(database, whose, now=utc_now())
        return statement_view(statement_of(database, whose, since=first, until=last))


@post(
    "/wallets/{wallet:str}/purchases",
    sync_to_thread=True,
    tags=["credits"],
    operation_id="purchase",
)
def purchase(
    state: State,
    wallet: FromPath[str],
    data: JSONBody[PurchaseRequest],
    idempotency_key: IdempotencyKey,
    *,
    project: OfProject = "",
    dry_run: DryRun = False,
) -> GrantView:
    """The grant of a payment, whose id is the Idempotency-Key."""
    with stores_of(state).opened() as database:
        package = offer_in_force(database).package(data.package)
        grant = buy(
            database,
            package,
            wallet=wallet_named(
                database, wallet, project=project, grant=f"{PAYMENT}{idempotency_key}"
            ),
            payment_id=idempotency_key,
            now=utc_now(),
            dry_run=dry_run,
        )
    return grant_view(grant)


@post(
    "/wallets/{wallet:str}/grants",
    sync_to_thread=True,
    tags=["credits"],
    operation_id="grant_credits",
)
def grant_credits(
    state: State,
    wallet: FromPath[str],
    data: JSONBody[PromotionRequest],
    idempotency_key: IdempotencyKey,
    *,
    project: OfProject = "",
    dry_run: DryRun = False,
) -> GrantView:
    """Promotional credits, given once for the Idempotency-Key."""
    with stores_of(state).opened() as database:
        wanted = promotion(
            idempotency_key,
            wallet=wallet_named(
                database, wallet, project=project, grant=f"{PROMOTION}{idempotency_key}"
            ),
            amount=credits_from_text(data.credits),
            now=utc_now(),
            days=data.days,
            priority=data.priority,
            rollover_cap=credits_from_text(data.rollover),
        )
        return grant_view(promote(database, wanted, dry_run=dry_run))


@post("/refunds", sync_to_thread=True, tags=["credits"], operation_id="refund_credits")
def refund_credits(
    state: State,
    data: JSONBody[RefundRequest],
    idempotency_key: IdempotencyKey,
    *,
    dry_run: DryRun = False,
) -> RefundView:
    """Unused credits of a grant taken back, and the money that is to be paid for them."""
    amount = None if data.credits is None else credits_from_text(data.credits)
    with stores_of(state).opened() as database:
        receipt = refund(
            database, idempotency_key, data.grant, amount=amount, now=utc_now(), dry_run=dry_run
        )
    return refund_view(receipt)


@post(
    "/expiries",
    sync_to_thread=True,
    tags=["credits"],
    operation_id="end_grants",
    status_code=200,
)
def expire(state: State, *, dry_run: DryRun = False) -> list[EndedView]:
    """The grants whose time is over, ended now; asked again it ends nothing twice."""
    with stores_of(state).opened() as database:
        return [ended_view(each) for each in end_grants(database, now=utc_now(), dry_run=dry_run)]


ROUTES: Final = (
    list_packages,
    list_rules,
    set_wallet_rule,
    remove_wallet_rule,
    list_wallets,
    list_grants,
    wallet_statement,
    purchase,
    grant_credits,
    refund_credits,
    expire,
)


def _changed(change: Change[StoredRule]) -> RuleChange:
    old, new = change.old, change.new
    return RuleChange(
        None if old is None else rule_table(old), None if new is None else rule_table(new)
    )
