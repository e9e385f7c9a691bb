"""Tables about the ledger: its accounts, whether it balances, and one entry opened."""

from collections.abc import Iterable
from itertools import starmap

from tokonomi.reports.amounts import Wording, instant_text
from tokonomi.reports.tables import Cell, Heading, Table
from tokonomi.storage.exposures import Released
from tokonomi.storage.ledger_check import Imbalance, Verified
from tokonomi.storage.ledger_history import Account, Moved, Opened


def accounts_table(accounts: Iterable[Account], words: Wording) -> Table:
    """One line per account: funded, spent, held and available."""
    headings = (
        Heading("account"),
        Heading("asset"),
        Heading("limit", numeric=True),
        Heading("spent", numeric=True),
        Heading("overrun", numeric=True, optional=True),
        Heading("exposed", numeric=True, optional=True),
        Heading("held", numeric=True),
        Heading("available", numeric=True, optional=True),
    )
    rows = tuple(_account(each, words) for each in accounts)
    notes = () if rows else ("There are no accounts: no budget or wallet was used yet.",)
    return Table("Accounts", headings, rows, notes)


def _account(account: Account, words: Wording) -> tuple[Cell, ...]:
    balance, asset = account.balance, account.asset
    available = balance.available
    return (
        account.name,
        asset,
        words.units(balance.limit, asset),
        words.units(balance.spent, asset),
        words.units(balance.overrun, asset) if balance.overrun else None,
        words.units(balance.exposed, asset) if balance.exposed else None,
        words.units(balance.debits_pending, asset),
        None if available is None else words.units(available, asset),
    )


def verified_table(verified: Verified) -> Table:
    """One line per figure that its rows contradict; none when all balances."""
    headings = (
        Heading("law"),
        Heading("account"),
        Heading("stored", numeric=True),
        Heading("rebuilt", numeric=True),
    )

    def line(found: Imbalance) -> tuple[Cell, ...]:
        return (found.law, found.account, found.stored, found.rebuilt)

    rows = tuple(line(found) for found in verified.imbalances)
    counted = (
        f"{verified.accounts:,} accounts, {verified.transfers:,} transfers,"
        f" {verified.open_holds:,} open holds"
    )
    said = f"{len(rows)} figures do not balance" if rows else "all balances"
    return Table("Ledger", headings, rows, (f"{counted}: {said}.",))


def opened_table(opened: Opened, words: Wording) -> Table:
    """One line per hold and transfer of what was opened, with the accounts below."""
    headings = (
        Heading("kind"),
        Heading("account"),
        Heading("sink", optional=True),
        Heading("amount", numeric=True),
        Heading("asset"),
        Heading("call", optional=True),
        Heading("transfer", optional=True),
        Heading("at", optional=True),
        Heading("note", optional=True),
    )

    def line(moved: Moved) -> tuple[Cell, ...]:
        return (
            moved.kind,
            moved.account,
            moved.sink,
            words.units(moved.amount, moved.asset),
            moved.asset,
            moved.call,
            moved.id,
            instant_text(moved.at),
            moved.note,
        )

    ended = starmap("Call {}: {}.".format, opened.calls.items())
    stand = (_stands(account, words) for account in opened.accounts)
    nothing = () if opened.moved else ("It held and moved nothing.",)
    title = f"{opened.what.capitalize()} {opened.name}"
    rows = tuple(line(moved) for moved in opened.moved)
    return Table(title, headings, rows, (*ended, *nothing, *stand))


def released_table(call_id: str, released: Iterable[Released], words: Wording) -> Table:
    """One line per account that got back what a failed call had been counted for."""
    headings = (
        Heading("account"),
        Heading("amount", numeric=True),
        Heading("asset"),
        Heading("at"),
        Heading("reason"),
    )
    rows = tuple(
        (
            each.account,
            words.units(each.amount, each.asset),
            each.asset,
            instant_text(each.at),
            each.reason,
        )
        for each in released
    )
    return Table(f"Exposure of {call_id} released", headings, rows)


def _stands(account: Account, words: Wording) -> str:
    balance, asset = account.balance, account.asset
    free = balance.available
    above = f" ({words.units(balance.overrun, asset)} overrun)" if balance.overrun else ""
    may = f", may be billed {words.units(balance.exposed, asset)}" if balance.exposed else ""
    left = "without a floor" if free is None else f"{words.units(free, asset)} available"
    return (
        f"{account.name}: limit {words.units(balance.limit, asset)},"
        f" spent {words.units(balance.spent, asset)}{above}{may},"
        f" held {words.units(balance.debits_pending, asset)}, {left}."
    )
