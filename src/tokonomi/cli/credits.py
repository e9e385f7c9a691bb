"""`tokonomi credits`: packages, wallets, purchases, promotions, refunds and statements."""

from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from tokonomi.cli.store_options import (
    DEFAULT_STORE,
    PLAIN,
    Answer,
    Place,
    author,
    in_utc,
    pairs,
    print_events,
    utc_now,
)
from tokonomi.credits.grant import DEFAULT_PRIORITY, Grant, Used
from tokonomi.credits.package import Offer
from tokonomi.credits.rule_table import (
    StoredRule,
    credits_from_text,
    rule_from_table,
    rule_to_table,
)
from tokonomi.errors import WrongUsage
from tokonomi.reports.budgets import change_table
from tokonomi.reports.wallets import (
    BEGINNING,
    ended_table,
    grants_table,
    packages_table,
    receipt_table,
    rules_table,
    statement_table,
    wallets_table,
)
from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store
from tokonomi.storage.package_files import load_offer, offer_in_force
from tokonomi.storage.wallet_endings import end_grants
from tokonomi.storage.wallet_names import wallet_named
from tokonomi.storage.wallet_rules import every_rule, remove_rule, set_rule
from tokonomi.storage.wallet_statements import PAYMENT, booked_until, statement_of
from tokonomi.storage.wallet_store import PROMOTION, StoredGrant, buy, grants_of, promote, wallets
from tokonomi.storage.wallet_store import promotion as gift_of
from tokonomi.storage.wallet_store import refund as pay_back

app = App(name="credits", help="Sell, grant, pay back and explain prepaid credits.")

Packages = Annotated[Path | None, Parameter(name="--packages")]


@app.command(name="packages")
def list_packages(
    *, packages: Packages = None, place: Place = DEFAULT_STORE, answer: Answer = PLAIN
) -> None:
    """List the packages on sale.

    Args:
        packages: a TOML file of packages, in place of those in the configuration.
        place: which store.
        answer: how the answer is written.
    """
    with closing(open_store(place.location.readable)) as database:
        offer = _offer(database, packages)
    answer.print(packages_table(offer, answer.words))


@app.command(name="rule")
def wallet_rule(
    per: str = "",
    /,
    *,
    optional: bool = False,
    tokens: int | None = None,
    weight: Annotated[list[str] | None, Parameter(negative=())] = None,
    low_at: str = "",
    remove: bool = False,
    dry_run: bool = False,
    place: Place = DEFAULT_STORE,
    answer: Answer = PLAIN,
) -> None:
    """Let every value of a dimension pay from a wallet of its own, or list the rules.

    Args:
        per: a dimension, such as user or project, or tag:NAME for a wallet for each document.
        optional: whether requests that do not give it pass without paying.
        tokens: counted tokens that use up one credit; those of the packages when not given.
        weight: what a token of a class counts, such as output=8. Repeatable.
        low_at: credits at which a wallet is told to run low.
        remove: take the rule away; wallets stay.
        dry_run: answer what would happen, and write nothing.
        place: which store.
        answer: how the answer is written.
    """
    with place.opened() as database:
        if not per:
            answer.print(rules_table(every_rule(database), answer.words))
            return
        if remove:
            changed = remove_rule(database, per, now=utc_now(), by=author(), dry_run=dry_run)
        else:
            weights = offer_in_force(database).weights
            table: dict[str, object] = {
                "per": per,
                "required": not optional,
                "tokens": weights.tokens_per_credit if tokens is None else tokens,
                "weights": pairs(weight, "--weight")
                or {name: str(each) for name, each in weights.stated.items()},
            }
            rule = rule_from_table(table | ({"low_at": low_at} if low_at else {}))
            changed = set_rule(database, rule, now=utc_now(), by=author(), dry_run=dry_run)
    title = f"Wallets of each {per}"
    answer.print(change_table(title, _stated(changed.old), _stated(changed.new)), dry_run=dry_run)


@app.command(name="purchase")
def purchase_package(
    package: str,
    /,
    *,
    wallet: str,
    payment: str,
    project: str = "",
    packages: Packages = None,
    dry_run: bool = False,
    place: Place = DEFAULT_STORE,
    answer: Answer = PLAIN,
) -> None:
    """Book a payment for a package: its credits are in the wallet when this returns.

    Told again with the same payment, wallet and package, it answers the same and books nothing.

    Args:
        package: id of the package, such as paper.
        wallet: whose wallet, such as user=ani or tag:document=d-7.
        payment: id of the payment, as your payment service gives it.
        project: whose project the wallet is in; not needed while there is only one.
        packages: a TOML file of packages, in place of those in the configuration.
        dry_run: answer what would happen, and write nothing.
        place: which store.
        answer: how the answer is written.
    """
    with place.opened() as database:
        whose = wallet_named(database, wallet, project=project, grant=f"{PAYMENT}{payment}")
        sold = _offer(database, packages).package(package)
        grant = buy(
            database, sold, wallet=whose, payment_id=payment, now=utc_now(), dry_run=dry_run
        )
    answer.print(
        grants_table(f"Wallet {whose}", [_untouched(grant)], answer.words), dry_run=dry_run
    )


@app.command(name="grant")
def grant_credits(
    amount: str,
    /,
    *,
    wallet: str,
    promotion: str,
    project: str = "",
    days: int | None = None,
    priority: int = DEFAULT_PRIORITY,
    rollover: str = "0",
    dry_run: bool = False,
    place: Place = DEFAULT_STORE,
    answer: Answer = PLAIN,
) -> None:
    """Give promotional credits, which burn before paid ones and are not paid back.

    Args:
        amount: credits, such as 50.
        wallet: whose wallet, such as user=ani.
        promotion: id of this gift, so that it is given once.
        project: whose project the wallet is in; not needed while there is only one.
        days: how long they last; for ever when not given.
        priority: lower burns first.
        rollover: credits that live on when the grant ends.
        dry_run: answer what would happen, and write nothing.
        place: which store.
        answer: how the answer is written.
    """
    with place.opened() as database:
        whose = wallet_named(database, wallet, project=project, grant=f"{PROMOTION}{promotion}")
        wanted = gift_of(
            promotion,
            wallet=whose,
            amount=credits_from_text(amount),
            now=utc_now(),
            days=days,
            priority=priority,
            rollover_cap=credits_from_text(rollover),
        )
        grant = promote(database, wanted, dry_run=dry_run)
    answer.print(
        grants_table(f"Wallet {whose}", [_untouched(grant)], answer.words), dry_run=dry_run
    )


@app.command(name="wallets")
def list_wallets(
    *, project: str = "", place: Place = DEFAULT_STORE, answer: Answer = PLAIN
) -> None:
    """List all wallets with what they hold.

    Args:
        project: whose wallets; those of all projects when not given.
        place: which store.
        answer: how the answer is written.
    """
    with place.opened() as database:
        found = wallets(database, project=project)
    answer.print(wallets_table(found, answer.words))


@app.command(name="show")
def show_wallet(
    wallet: str,
    /,
    *,
    project: str = "",
    ended: bool = False,
    place: Place = DEFAULT_STORE,
    answer: Answer = PLAIN,
) -> None:
    """Show the grants of a wallet in the order in which they burn.

    Args:
        wallet: whose wallet, such as user=ani.
        project: whose project the wallet is in; not needed while there is only one.
        ended: show also those that no call can use any more.
        place: which store.
        answer: how the answer is written.
    """
    with place.opened() as database:
        whose = wallet_named(database, wallet, project=project)
        found = grants_of(database, whose, ended=ended)
    answer.print(grants_table(f"Wallet {whose}", found, answer.words))


@app.command(name="refund")
def refund_credits(
    grant: str,
    /,
    *,
    refund: str,
    amount: str = "",
    dry_run: bool = False,
    place: Place = DEFAULT_STORE,
    answer: Answer = PLAIN,
) -> None:
    """Take unused credits of a grant back, and say what is to be paid for them.

    Told again with the same refund, it answers the same and books nothing. The money itself is
    moved by your payment service.

    Args:
        grant: id of the grant, such as payment/p-1.
        refund: id of this refund, so that it is booked once.
        amount: credits to take back; all that are left when not given.
        dry_run: answer what would happen, and write nothing.
        place: which store.
        answer: how the answer is written.
    """
    wanted = credits_from_text(amount) if amount else None
    with place.opened() as database:
        receipt = pay_back(database, refund, grant, amount=wanted, now=utc_now(), dry_run=dry_run)
    answer.print(receipt_table(receipt, answer.words), dry_run=dry_run)


@app.command(name="statement")
def wallet_statement(
    wallet: str,
    /,
    *,
    project: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    place: Place = DEFAULT_STORE,
    answer: Answer = PLAIN,
) -> None:
    """Show every movement of a wallet, with the balance after it and the money that was paid.

    Args:
        wallet: whose wallet, such as user=ani.
        project: whose project the wallet is in; not needed while there is only one.
        since: first instant, in UTC; its beginning when not given.
        until: the instant before which to end, in UTC; now when not given.
        place: which store.
        answer: how the answer is written.
    """
    first, last = in_utc(since) or BEGINNING, in_utc(until)
    if last is not None and last < first:
        raise WrongUsage(f"--until {last:%Y-%m-%d} is before --since {first:%Y-%m-%d}")
    with place.opened() as database:
        whose = wallet_named(database, wallet, project=project)
        last = last or booked_until(database, whose, now=utc_now())
        found = statement_of(database, whose, since=first, until=last)
    answer.print(statement_table(found, answer.words))


@app.command(name="expire")
def expire_grants(
    *, dry_run: bool = False, place: Place = DEFAULT_STORE, answer: Answer = PLAIN
) -> None:
    """End the grants whose time is over: book what rolls over, and the rest as breakage.

    Args:
        dry_run: answer what would happen, and write nothing.
        place: which store.
        answer: how the answer is written.
    """
    with place.opened() as database:
        ended = end_grants(database, now=utc_now(), dry_run=dry_run)
    answer.print(ended_table(ended, answer.words), dry_run=dry_run)


@app.command(name="events")
def list_events(*, last: int = 20, place: Place = DEFAULT_STORE, answer: Answer = PLAIN) -> None:
    """List what has fired: wallets that ran low or empty, and overruns, the newest first.

    Args:
        last: how many.
        place: which store.
        answer: how the answer is written.
    """
    print_events("wallet", last=last, place=place, answer=answer)


def _offer(database: Database, packages: Path | None) -> Offer:
    return offer_in_force(database) if packages is None else load_offer(packages)


def _stated(rule: StoredRule | None) -> dict[str, object] | None:
    return None if rule is None else rule_to_table(rule)


def _untouched(grant: Grant) -> StoredGrant:
    """A grant as it was booked: what calls did with it since is what `show` tells."""
    return StoredGrant(grant, account=0, used=Used(), closed=False)
