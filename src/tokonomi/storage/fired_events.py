"""Events that people are told once: shares of budgets that were reached, wallets that run out.

What fired is a row before anybody is told, so no restart and no second gateway tells it again.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from tokonomi.budgets.alerts import Alert, Standing, due_alerts
from tokonomi.budgets.limit import Budget, budget_window
from tokonomi.budgets.table import share_to_text
from tokonomi.credits.grant import credits_to_text
from tokonomi.credits.notices import Level, due_notice
from tokonomi.money import Money
from tokonomi.storage.budget_store import SubjectStanding, every_budget, standings
from tokonomi.storage.call_rows import microseconds
from tokonomi.storage.database import Database
from tokonomi.storage.wallet_rules import StoredRule, every_rule, wallet_prefix


@dataclass(frozen=True, slots=True)
class Event:
    """Something that people are told.

    Attributes:
        account: of the ledger: a budget's subject in one window, or a wallet's newest grant.
        event: `spent 80%`, `forecast 100%`, `credits_low` or `credits_exhausted`.
        subject: the budget and whose share of it, or the wallet.
        text: one sentence with the numbers.
    """

    account: int
    event: str
    subject: str
    text: str


def fire_events(database: Database, now: datetime, *, refused: Collection[str] = ()) -> list[Event]:
    """The events that are due and had not fired; they have now, once for all processes.

    Args:
        database: the store.
        now: the instant at which windows and forecasts are looked at.
        refused: ids of wallets that a request was just refused for; they count as exhausted.
    """
    due = [*_budget_events(database, now), *_wallet_events(database, refused)]
    if not due:
        return []
    fired: list[Event] = []
    with database.transaction():
        for event in due:
            inserted = database.execute(
                "INSERT INTO fired (account, event, at_us, detail) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (account, event) DO NOTHING",
                (event.account, event.event, microseconds(now), event.text),
            )
            if inserted.rowcount:
                fired.append(event)
    return fired


def _budget_events(database: Database, now: datetime) -> Iterator[Event]:
    for stored in every_budget(database):
        budget = stored.budget
        if not budget.alerts and not budget.forecast_alerts:
            continue
        subjects = standings(database, budget, now)
        fired = _fired_of(database, budget, subjects)
        for one in subjects:
            spent = Money(one.balance.spent, budget.currency)
            standing = Standing(subject=one.subject, span=one.span, spent=spent)
            alerts = due_alerts(budget, standing, now=now, fired=())
            events = (_alert(one.account, budget, alert) for alert in alerts)
            yield from (each for each in events if (each.account, each.event) not in fired)


def _fired_of(
    database: Database, budget: Budget, subjects: Sequence[SubjectStanding]
) -> set[tuple[int, str]]:
    """What has fired for these subjects of a budget, who are all in one window."""
    if not subjects:
        return set()
    rows = database.execute(
        "SELECT account, event FROM fired WHERE account IN"
        " (SELECT id FROM account WHERE budget_window = ?)",
        (budget_window(budget.id, subjects[0].span.start),),
    )
    return {(row[0], row[1]) for row in rows}


def _alert(account: int, budget: Budget, alert: Alert) -> Event:
    share = share_to_text(alert.key.share)
    verb = "was spent" if alert.key.basis == "spent" else "is where it is heading"
    text = (
        f"budget {budget.id} ({alert.key.subject}) reached {share}: {alert.reached.format()} of"
        f" {alert.amount.format()} {verb}, {alert.left.format()} left"
    )
    subject = f"budget {budget.id} {alert.key.subject}"
    return Event(account, f"{alert.key.basis} {share}", subject, text)


def _wallet_events(database: Database, refused: Collection[str]) -> Iterator[Event]:
    rules = every_rule(database)
    fired = {
        (row[0], row[1])
        for row in database.execute(
            "SELECT fired.account, event FROM fired JOIN wallet_grant"
            " ON wallet_grant.account = fired.account"
        )
    }
    for wallet, balance, account in _levels(database):
        level = Level(
            wallet=wallet, balance=balance, newest=str(account), refused=wallet in refused
        )
        key = due_notice(level, low_at=_low_at(rules, wallet), fired=())
        if key is not None and (account, str(key.notice)) not in fired:
            left = f"has {credits_to_text(balance)} credits left"
            yield Event(account, str(key.notice), f"wallet {wallet}", f"wallet {wallet} {left}")


def _levels(database: Database) -> Iterator[tuple[str, int, int]]:
    """Every wallet with its balance and the account of its newest grant."""
    rows = database.execute(
        "SELECT wallet, SUM(credits_posted - debits_posted), MAX(account.id)"
        " FROM wallet_grant JOIN account ON account.id = wallet_grant.account GROUP BY wallet"
    ).fetchall()
    for row in sorted(rows):
        yield row[0], int(row[1]), int(row[2])


def _low_at(rules: Iterable[StoredRule], wallet: str) -> int | None:
    return next(
        (each.low_at for each in rules if wallet.startswith(wallet_prefix(each.rule.per))), None
    )
