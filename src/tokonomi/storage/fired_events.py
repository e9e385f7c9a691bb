"""Events that are due: shares of budgets that were reached, wallets that run out, overruns.

What fired is a row before anybody is told (`event_store`), so no restart and no second gateway
fires it again. Only the accounts of windows that are now, and wallets that may have something to
tell, are looked at: this runs every few seconds, and stores grow old.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from tokonomi.budgets.alerts import Alert, Standing, due_alerts
from tokonomi.budgets.limit import Budget, subject_of_account
from tokonomi.budgets.table import share_to_text
from tokonomi.credits.grant import credits_to_text
from tokonomi.credits.notices import Level, due_notice
from tokonomi.credits.rule_table import StoredRule
from tokonomi.credits.wallet import wallet_name
from tokonomi.money import Money
from tokonomi.storage.budget_store import every_budget, standings
from tokonomi.storage.call_rows import microseconds
from tokonomi.storage.database import Database, Row
from tokonomi.storage.event_store import Event, fire
from tokonomi.storage.ledger import CREDIT
from tokonomi.storage.wallet_rules import every_rule

_OVERRUNS_SINCE: Final = timedelta(days=7)
"""How far back overruns are looked for; they fire within seconds while any gateway runs."""
_DAY_US: Final = 86_400_000_000
_EPOCH: Final = date(1970, 1, 1)
_AT_ONCE: Final = 500
"""Accounts that one statement names."""
_WATCHED: Final = "SELECT wallet FROM wallet_grant WHERE watched = 1"


def fire_events(database: Database, now: datetime, *, refused: Collection[str] = ()) -> list[Event]:
    """The events that are due and had not fired; they have now, once for all processes.

    Args:
        database: the store.
        now: the instant at which windows and forecasts are looked at.
        refused: ids of wallets that a request was just refused for; they count as exhausted.
    """
    ended = database.execute(
        "SELECT id FROM wallet_grant WHERE watched = 1 AND ended_us IS NOT NULL"
    ).fetchall()
    due = [
        *_budget_events(database, now),
        *_wallet_events(database, refused),
        *_overruns(database, now),
    ]
    fired = fire(database, due, now=now) if due else []
    if ended:
        # Their wallets were looked at after they had ended, so they have nothing more to tell.
        with database.transaction():
            database.executemany("UPDATE wallet_grant SET watched = 0 WHERE id = ?", sorted(ended))
    return fired


def _budget_events(database: Database, now: datetime) -> Iterator[Event]:
    for stored in every_budget(database):
        budget = stored.budget
        if not budget.alerts and not budget.forecast_alerts:
            continue
        subjects = standings(database, budget, now)
        fired = _told(database, [one.account for one in subjects])
        for one in subjects:
            spent = Money(one.balance.spent, budget.currency)
            exposed = Money(one.balance.exposed, budget.currency)
            standing = Standing(subject=one.subject, span=one.span, spent=spent, exposed=exposed)
            alerts = due_alerts(budget, standing, now=now, fired=())
            events = (_alert(one.account, budget, alert, exposed) for alert in alerts)
            yield from (each for each in events if (each.account, each.name) not in fired)


def _alert(account: int, budget: Budget, alert: Alert, exposed: Money) -> Event:
    share = share_to_text(alert.key.share)
    verb = "was spent" if alert.key.basis == "spent" else "is where it is heading"
    among = f" ({exposed.format()} of it failed calls may have cost)" if exposed.sub_units else ""
    text = (
        f"budget {budget.id} ({alert.key.subject}) reached {share}: {alert.reached.format()} of"
        f" {alert.amount.format()} {verb}{among}, {alert.left.format()} left"
    )
    subject = f"budget {budget.id} {alert.key.subject}"
    return Event(account, f"{alert.key.basis} {share}", "budget", subject, text)


def _wallet_events(database: Database, refused: Collection[str]) -> Iterator[Event]:
    rules = every_rule(database)
    levels = [*_levels(database, refused)]
    fired = _told(database, [account for _, _, account in levels])
    for wallet, balance, account in levels:
        level = Level(
            wallet=wallet, balance=balance, newest=str(account), refused=wallet in refused
        )
        key = due_notice(level, low_at=_low_at(rules, wallet), fired=())
        if key is not None and (account, str(key.notice)) not in fired:
            text = f"wallet {wallet} has {credits_to_text(balance)} credits left"
            yield Event(account, str(key.notice), "wallet", f"wallet {wallet}", text)


def _levels(database: Database, refused: Collection[str]) -> Iterator[tuple[str, int, int]]:
    """Wallets that may have something to tell: balance, and the account of the newest grant."""
    asked = ", ".join("?" * len(refused)) or "NULL"
    rows = database.execute(
        "SELECT wallet, SUM(credits_posted - debits_posted), MAX(account.id)"  # noqa: S608 - marks only
        " FROM wallet_grant JOIN account ON account.id = wallet_grant.account"
        f" WHERE wallet IN ({_WATCHED} UNION SELECT wallet FROM wallet_grant"
        f" WHERE wallet IN ({asked})) GROUP BY wallet",
        tuple(refused),
    ).fetchall()
    for row in sorted(rows):
        yield row[0], int(row[1]), int(row[2])


def _told(database: Database, accounts: Sequence[int]) -> set[tuple[int, str]]:
    """What has fired for these accounts."""
    found: set[tuple[int, str]] = set()
    for first in range(0, len(accounts), _AT_ONCE):
        part = accounts[first : first + _AT_ONCE]
        marks = ", ".join("?" * len(part))
        rows = database.execute(f"SELECT account, name FROM event WHERE account IN ({marks})", part)  # noqa: S608 - marks only
        found |= {(row[0], row[1]) for row in rows}
    return found


def _low_at(rules: Iterable[StoredRule], wallet: str) -> int | None:
    per = wallet_name(wallet).per
    return next((each.low_at for each in rules if each.rule.per == per), None)


def _overruns(database: Database, now: datetime) -> Iterator[Event]:
    """What calls used above their holds and above what was left, by account and day."""
    rows = database.execute(
        "SELECT account.id, account.name, asset, budget_window, at_us / ?, SUM(amount), COUNT(*)"
        " FROM transfer JOIN account ON account.id = transfer.account"
        " WHERE kind = 'overrun' AND at_us >= ? GROUP BY 1, 2, 3, 4, 5",
        (_DAY_US, microseconds(now - _OVERRUNS_SINCE)),
    ).fetchall()
    fired = _told(database, [row[0] for row in rows])
    for row in sorted(rows):
        event = _overrun(row)
        if (event.account, event.name) not in fired:
            yield event


def _overrun(row: Row) -> Event:
    account, name, asset, window, day, total, count = row
    on = (_EPOCH + timedelta(days=day)).isoformat()
    about, whose = "wallet", name.removeprefix("wallet:")
    if window is not None:
        about, whose = "budget", f"{window.partition(':')[0]} {subject_of_account(name)}"
    used = f"{credits_to_text(int(total))} credits"
    if asset != CREDIT:
        used = Money(int(total), asset).format()
    text = (
        f"{about} {whose}: calls used {used} more than they held and than was left, {count} of them"
        f" on {on} (UTC) so far; a provider billed above the worst case"
    )
    return Event(account, f"overrun {on}", about, f"{about} {whose}", text)
