"""Tables about prepaid credits: packages, rules, wallets, grants, refunds and statements."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from tokonomi.credits.package import Offer
from tokonomi.credits.rule_table import StoredRule
from tokonomi.credits.wallet import Entry, Statement
from tokonomi.money import Money
from tokonomi.reports.amounts import Wording, instant_text
from tokonomi.reports.tables import Cell, Heading, Table
from tokonomi.storage.wallet_endings import Ended
from tokonomi.storage.wallet_store import Receipt, StoredGrant, WalletBalance

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def packages_table(offer: Offer, words: Wording) -> Table:
    """One line per package on sale."""
    headings = (
        Heading("id"),
        Heading("name"),
        Heading("credits", numeric=True),
        Heading("price", numeric=True),
        Heading("currency", optional=True),
        Heading("expires_after_days", numeric=True, optional=True),
        Heading("rollover", numeric=True, optional=True),
        Heading("source"),
    )
    rows = tuple(
        (
            each.id,
            each.name,
            words.credits(each.amount),
            words.money(each.price),
            words.currency(each.price.currency),
            each.expires_after_days,
            words.credits(each.rollover_cap) if each.rollover_cap else None,
            each.source,
        )
        for each in offer.packages
    )
    tokens = f"{offer.weights.tokens_per_credit:,}"
    return Table("Packages", headings, rows, (f"A credit is {tokens} counted tokens.",))


def rules_table(rules: Sequence[StoredRule], words: Wording) -> Table:
    """One line per wallet rule."""
    headings = (
        Heading("per"),
        Heading("required"),
        Heading("tokens_per_credit", numeric=True),
        Heading("weights", optional=True),
        Heading("low_at", numeric=True, optional=True),
    )
    rows = tuple(
        (
            each.rule.per,
            each.rule.required,
            each.weights.tokens_per_credit,
            ", ".join(f"{of}={weight}" for of, weight in sorted(each.weights.stated.items())),
            None if each.low_at is None else words.credits(each.low_at),
        )
        for each in rules
    )
    notes = () if rows else ("No request pays with credits. `tokonomi credits rule user` sets it.",)
    return Table("Wallet rules", headings, rows, notes)


def wallets_table(wallets: Sequence[WalletBalance], words: Wording) -> Table:
    """One line per wallet: what it holds."""
    headings = (
        Heading("wallet"),
        Heading("balance", numeric=True),
        Heading("held", numeric=True),
        Heading("available", numeric=True),
        Heading("grants", numeric=True),
        Heading("overrun", numeric=True, optional=True),
    )
    rows = tuple(
        (
            each.wallet,
            words.credits(each.balance),
            words.credits(each.held),
            words.credits(each.available),
            each.grants,
            words.credits(each.overrun) if each.overrun else None,
        )
        for each in wallets
    )
    notes = () if rows else ("There are no wallets. `tokonomi credits purchase` fills one.",)
    return Table("Wallets, in credits", headings, rows, notes)


def grants_table(title: str, grants: Iterable[StoredGrant], words: Wording) -> Table:
    """One line per grant, in the order in which they burn."""
    headings = (
        Heading("grant"),
        Heading("package", optional=True),
        Heading("credits", numeric=True),
        Heading("used", numeric=True),
        Heading("held", numeric=True),
        Heading("left", numeric=True),
        Heading("paid", numeric=True, optional=True),
        Heading("currency", optional=True),
        Heading("priority", numeric=True),
        Heading("granted"),
        Heading("expires", optional=True),
        Heading("closed", optional=True),
    )
    rows = tuple(_grant(each, words) for each in grants)
    notes = () if rows else ("No grant of this wallet can be used.",)
    return Table(title, headings, rows, notes)


def _grant(stored: StoredGrant, words: Wording) -> tuple[Cell, ...]:
    grant = stored.grant
    return (
        grant.id,
        grant.package,
        words.credits(grant.amount),
        words.credits(stored.used.settled),
        words.credits(stored.used.held),
        words.credits(stored.left),
        words.money(grant.paid),
        None if grant.paid is None else words.currency(grant.paid.currency),
        grant.priority,
        instant_text(grant.granted_at),
        instant_text(grant.expires_at),
        "closed" if stored.closed else None,
    )


def receipt_table(receipt: Receipt, words: Wording) -> Table:
    """The one line of a refund."""
    headings = (
        Heading("refund"),
        Heading("grant"),
        Heading("wallet"),
        Heading("credits", numeric=True),
        Heading("paid_back", numeric=True),
        Heading("currency", optional=True),
        Heading("at"),
    )
    row = (
        receipt.id,
        receipt.grant,
        receipt.wallet,
        words.credits(receipt.amount),
        words.money(receipt.money),
        words.currency(receipt.money.currency),
        instant_text(receipt.at),
    )
    return Table("Refund", headings, (row,))


def statement_table(statement: Statement, words: Wording) -> Table:
    """One line per movement of a wallet, with the balance after it."""
    headings = (
        Heading("at"),
        Heading("kind"),
        Heading("grant"),
        Heading("reference", optional=True),
        Heading("credits", numeric=True),
        Heading("balance", numeric=True),
        Heading("money", numeric=True, optional=True),
        Heading("currency", optional=True),
    )
    rows: list[tuple[Cell, ...]] = []
    balance = statement.opening
    for entry in statement.entries:
        balance += entry.change
        rows.append(_entry(entry, balance, words))
    always = statement.since == BEGINNING
    since = "its beginning" if always else f"{statement.since:%Y-%m-%d %H:%M} UTC"
    title = f"Wallet {statement.wallet} from {since} to before {statement.until:%Y-%m-%d %H:%M} UTC"
    return Table(title, headings, tuple(rows), tuple(_totals(statement, words)))


def _entry(entry: Entry, balance: int, words: Wording) -> tuple[Cell, ...]:
    return (
        instant_text(entry.at),
        str(entry.kind),
        entry.grant,
        entry.reference,
        words.credits(entry.change),
        words.credits(balance),
        words.money(entry.money),
        None if entry.money is None else words.currency(entry.money.currency),
    )


def _totals(statement: Statement, words: Wording) -> Iterable[str]:
    moved = [
        f"{kind.replace('_', ' ')} {words.credits(total)}"
        for kind, total in statement.totals.items()
        if total
    ]
    yield (
        f"Opening {words.credits(statement.opening)}, closing {words.credits(statement.closing)}"
        f" credits: {', '.join(moved) or 'nothing moved'}."
    )
    for name, amounts in (("Paid", statement.paid), ("Paid back", statement.paid_back)):
        if amounts:
            yield f"{name}: {', '.join(_exact(each, words) for each in amounts)}."


def _exact(money: Money, words: Wording) -> str:
    return money.format(words.locale) if words.for_people else str(money)


def ended_table(ended: Iterable[Ended], words: Wording) -> Table:
    """One line per grant whose time is over: what became of its rest."""
    headings = (
        Heading("grant"),
        Heading("wallet"),
        Heading("breakage", numeric=True, optional=True),
        Heading("kept", numeric=True, optional=True),
        Heading("currency", optional=True),
        Heading("rolled_over", numeric=True, optional=True),
        Heading("waiting"),
    )
    rows = tuple(_ended(each, words) for each in ended)
    notes = () if rows else ("No grant is over.",)
    return Table("Grants that are over", headings, rows, notes)


def _ended(ended: Ended, words: Wording) -> tuple[Cell, ...]:
    end = ended.ending
    if end is None:
        return (ended.grant.id, ended.grant.wallet, None, None, None, None, True)
    kept = end.kept
    return (
        ended.grant.id,
        ended.grant.wallet,
        words.credits(end.breakage),
        words.money(kept),
        None if kept is None else words.currency(kept.currency),
        None if end.rolled is None else words.credits(end.rolled.amount),
        False,
    )
