"""What the admin API takes and gives, as JSON. Amounts are decimal strings, instants are UTC."""

from datetime import date, datetime

import msgspec

from tokonomi.budgets.limit import Budget, Mode
from tokonomi.budgets.rate_table import decimal_text
from tokonomi.budgets.table import budget_to_table
from tokonomi.budgets.window import Period
from tokonomi.credits.grant import DEFAULT_PRIORITY, Grant, credits_to_text
from tokonomi.credits.package import Package
from tokonomi.credits.rule_table import StoredRule, rule_to_table
from tokonomi.credits.wallet import Entry, Statement
from tokonomi.money import ExchangeRate, Money
from tokonomi.storage.budget_store import StoredBudget, SubjectStanding
from tokonomi.storage.wallet_endings import Ended
from tokonomi.storage.wallet_store import Receipt, StoredGrant, WalletBalance

CREDIT = "CREDIT"


class Amount(msgspec.Struct, frozen=True):
    """An exact amount: a decimal string and its currency, or `CREDIT`."""

    amount: str
    currency: str


class BudgetTable(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """A budget as it is written in TOML: see the reference page of budgets."""

    id: str
    window: Period
    currency: str
    name: str = ""
    amount: str | None = None
    starts: str | int | None = None
    zone: str = "UTC"
    mode: Mode = Mode.HARD
    overshoot: str | None = None
    per_request: str | None = None
    alerts: list[str] = []
    forecast_alerts: list[str] = []
    scope: dict[str, str] = {}
    each: list[str] = []
    across_projects: bool = False


class BudgetView(msgspec.Struct, frozen=True, kw_only=True):
    """A budget with the instants of its last change and of its end."""

    budget: BudgetTable
    changed: datetime
    archived: datetime | None


class BudgetChange(msgspec.Struct, frozen=True):
    """A budget before and after a change."""

    old: BudgetView | None
    new: BudgetView | None


class StandingView(msgspec.Struct, frozen=True, kw_only=True):
    """One subject's share of a budget in the window that is now.

    `overrun` is the part of `spent` that nothing available paid for; `exposed` may be billed for
    calls that failed.
    """

    subject: str
    spent: Amount
    overrun: Amount
    exposed: Amount
    held: Amount
    left: Amount | None
    window_start: datetime
    window_end: datetime | None


class RateTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An exchange rate: on this day one `base` was `rate` `quote`."""

    base: str
    quote: str
    rate: str
    on: date
    source: str


class RateChange(msgspec.Struct, frozen=True):
    """A rate of a day before and after a change."""

    old: RateTable | None
    new: RateTable | None


class RuleTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose wallet requests use, and what a credit is in it."""

    per: str
    required: bool = True
    tokens: int = 1_000
    weights: dict[str, str] = {}
    low_at: str | None = None


class RuleChange(msgspec.Struct, frozen=True):
    """A wallet rule before and after a change."""

    old: RuleTable | None
    new: RuleTable | None


class PackageView(msgspec.Struct, frozen=True, kw_only=True):
    """A package on sale."""

    id: str
    name: str
    credits: str
    price: Amount
    expires_after_days: int | None
    rollover: str
    source: str


class WalletView(msgspec.Struct, frozen=True, kw_only=True):
    """What a wallet holds, in credits; `overrun` was used and no grant has paid for it."""

    wallet: str
    project: str
    balance: str
    held: str
    available: str
    grants: int
    overrun: str


class PurchaseRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A payment for a package; the payment's id is the Idempotency-Key."""

    package: str


class PromotionRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Credits that are given; the gift's id is the Idempotency-Key."""

    credits: str
    days: int | None = None
    priority: int = DEFAULT_PRIORITY
    rollover: str = "0"


class RefundRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Credits to take back, all that are left without `credits`; the id is the Idempotency-Key."""

    grant: str
    credits: str | None = None


class GrantView(msgspec.Struct, frozen=True, kw_only=True):
    """A grant as it was booked; this never changes."""

    grant: str
    wallet: str
    package: str
    credits: str
    promotional: bool
    paid: Amount | None
    priority: int
    granted: datetime
    expires: datetime | None


class GrantStanding(msgspec.Struct, frozen=True, kw_only=True):
    """A grant and what became of it so far, in credits."""

    grant: GrantView
    used: str
    held: str
    left: str
    closed: bool


class RefundView(msgspec.Struct, frozen=True, kw_only=True):
    """A refund as it was booked; this never changes."""

    refund: str
    grant: str
    wallet: str
    credits: str
    paid_back: Amount
    at: datetime


class EntryView(msgspec.Struct, frozen=True, kw_only=True):
    """One movement of a wallet; `credits` is negative where they went."""

    at: datetime
    kind: str
    grant: str
    reference: str
    credits: str
    money: Amount | None


class StatementView(msgspec.Struct, frozen=True, kw_only=True):
    """A wallet between two instants."""

    wallet: str
    since: datetime
    until: datetime
    opening: str
    closing: str
    totals: dict[str, str]
    paid: list[Amount]
    paid_back: list[Amount]
    entries: list[EntryView]


class EndedView(msgspec.Struct, frozen=True, kw_only=True):
    """A grant whose time is over; it waits while calls in flight hold some of it."""

    grant: str
    wallet: str
    waiting: bool
    breakage: str
    kept: Amount | None
    rolled_over: str


def amount_of(money: Money) -> Amount:
    """The amount as JSON has it."""
    return Amount(money.decimal(), money.currency)


def units(amount: int, asset: str) -> Amount:
    """An amount of a ledger account as JSON has it."""
    if asset == CREDIT:
        return Amount(credits_to_text(amount), CREDIT)
    return amount_of(Money(amount, asset))


def budget_table(budget: Budget) -> BudgetTable:
    """The budget as JSON has it."""
    # A default is left out by identity, and a zone that was read is another text than ours.
    defaults = {field.name: field.default for field in msgspec.structs.fields(BudgetTable)}
    table = budget_to_table(budget).items()
    return msgspec.convert(
        {key: value for key, value in table if value != defaults[key]}, BudgetTable
    )


def budget_view(stored: StoredBudget) -> BudgetView:
    """The stored budget as JSON has it."""
    return BudgetView(
        budget=budget_table(stored.budget), changed=stored.changed, archived=stored.archived
    )


def standing_view(budget: Budget, standing: SubjectStanding) -> StandingView:
    """The subject's share as JSON has it."""
    balance, currency = standing.balance, budget.currency
    limit = None if budget.amount is None else budget.amount.sub_units
    left = None if limit is None else limit - balance.gone
    return StandingView(
        subject=standing.subject,
        spent=units(balance.spent, currency),
        overrun=units(balance.overrun, currency),
        exposed=units(balance.exposed, currency),
        held=units(balance.debits_pending, currency),
        left=None if left is None else units(left, currency),
        window_start=standing.span.start,
        window_end=standing.span.end,
    )


def rate_table(rate: ExchangeRate) -> RateTable:
    """The rate as JSON has it."""
    return RateTable(
        base=rate.base,
        quote=rate.quote,
        rate=decimal_text(rate.rate),
        on=rate.on,
        source=rate.source,
    )


def rule_table(stored: StoredRule) -> RuleTable:
    """The rule as JSON has it."""
    return msgspec.convert(rule_to_table(stored), RuleTable)


def package_view(package: Package) -> PackageView:
    """The package as JSON has it."""
    return PackageView(
        id=package.id,
        name=package.name,
        credits=credits_to_text(package.amount),
        price=amount_of(package.price),
        expires_after_days=package.expires_after_days,
        rollover=credits_to_text(package.rollover_cap),
        source=package.source,
    )


def wallet_view(wallet: WalletBalance) -> WalletView:
    """The wallet as JSON has it."""
    return WalletView(
        wallet=wallet.wallet,
        project=wallet.project,
        balance=credits_to_text(wallet.balance),
        held=credits_to_text(wallet.held),
        available=credits_to_text(wallet.available),
        grants=wallet.grants,
        overrun=credits_to_text(wallet.overrun),
    )


def grant_view(grant: Grant) -> GrantView:
    """The grant as JSON has it."""
    return GrantView(
        grant=grant.id,
        wallet=grant.wallet,
        package=grant.package,
        credits=credits_to_text(grant.amount),
        promotional=grant.promotional,
        paid=None if grant.paid is None else amount_of(grant.paid),
        priority=grant.priority,
        granted=grant.granted_at,
        expires=grant.expires_at,
    )


def grant_standing(stored: StoredGrant) -> GrantStanding:
    """The grant and what became of it as JSON has it."""
    return GrantStanding(
        grant=grant_view(stored.grant),
        used=credits_to_text(stored.used.settled),
        held=credits_to_text(stored.used.held),
        left=credits_to_text(stored.left),
        closed=stored.closed,
    )


def refund_view(receipt: Receipt) -> RefundView:
    """The refund as JSON has it."""
    return RefundView(
        refund=receipt.id,
        grant=receipt.grant,
        wallet=receipt.wallet,
        credits=credits_to_text(receipt.amount),
        paid_back=amount_of(receipt.money),
        at=receipt.at,
    )


def statement_view(statement: Statement) -> StatementView:
    """The statement as JSON has it."""
    return StatementView(
        wallet=statement.wallet,
        since=statement.since,
        until=statement.until,
        opening=credits_to_text(statement.opening),
        closing=credits_to_text(statement.closing),
        totals={str(kind): credits_to_text(total) for kind, total in statement.totals.items()},
        paid=[amount_of(each) for each in statement.paid],
        paid_back=[amount_of(each) for each in statement.paid_back],
        entries=[_entry(each) for each in statement.entries],
    )


def _entry(entry: Entry) -> EntryView:
    return EntryView(
        at=entry.at,
        kind=str(entry.kind),
        grant=entry.grant,
        reference=entry.reference,
        credits=credits_to_text(entry.change),
        money=None if entry.money is None else amount_of(entry.money),
    )


def ended_view(ended: Ended) -> EndedView:
    """The end of a grant as JSON has it."""
    end = ended.ending
    kept = None if end is None else end.kept
    return EndedView(
        grant=ended.grant.id,
        wallet=ended.grant.wallet,
        waiting=end is None,
        breakage=credits_to_text(0 if end is None else end.breakage),
        kept=None if kept is None else amount_of(kept),
        rolled_over=credits_to_text(end.rolled.amount if end and end.rolled else 0),
    )
