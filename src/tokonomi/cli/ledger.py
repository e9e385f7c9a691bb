"""`tokonomi ledger`: whether it balances, and any entry of it opened."""

from cyclopts import App

from tokonomi.cli import UNBALANCED
from tokonomi.cli.store_options import DEFAULT_STORE, PLAIN, Answer, Place, utc_now
from tokonomi.reports.ledger import accounts_table, opened_table, released_table, verified_table
from tokonomi.storage.exposures import release_exposure
from tokonomi.storage.ledger_check import verify
from tokonomi.storage.ledger_history import accounts, opened

app = App(name="ledger", help="Check that the ledger balances, and open its entries.")


@app.command(name="verify")
def verify_ledger(*, place: Place = DEFAULT_STORE, answer: Answer = PLAIN) -> int:
    """Compare every stored balance with the rows that it is made of. Exits with 5 on a difference.

    Args:
        place: which store.
        answer: how the answer is written.
    """
    with place.opened() as database:
        found = verify(database)
    answer.print(verified_table(found))
    return UNBALANCED if found.imbalances else 0


@app.command(name="explain")
def explain_entry(name: str, /, *, place: Place = DEFAULT_STORE, answer: Answer = PLAIN) -> None:
    """Open a call, a request, a grant, a refund or an account: its holds, captures and balances.

    Args:
        name: id of a call or request, of a transfer such as payment/p-1, or name of an account.
        place: which store.
        answer: how the answer is written.
    """
    with place.opened() as database:
        found = opened(database, name)
    answer.print(opened_table(found, answer.words))


@app.command(name="release-exposure")
def release_exposure_of(
    call_id: str,
    /,
    *,
    reason: str,
    dry_run: bool = False,
    place: Place = DEFAULT_STORE,
    answer: Answer = PLAIN,
) -> None:
    """Give budgets back what a failed call may have cost, since the provider did not bill it.

    It is booked as a row of its own and happens once; the same call again changes nothing.

    Args:
        call_id: the call, as the `expose` rows of `tokonomi ledger explain` name it.
        reason: which bill shows that it was not charged, and who says so; it is kept.
        dry_run: say what would be released, and release nothing.
        place: which store.
        answer: how the answer is written.
    """
    with place.opened() as database:
        released = release_exposure(
            database, call_id, reason=reason, now=utc_now(), dry_run=dry_run
        )
    answer.print(released_table(call_id, released, answer.words), dry_run=dry_run)


@app.command(name="accounts")
def list_accounts(
    prefix: str = "", /, *, place: Place = DEFAULT_STORE, answer: Answer = PLAIN
) -> None:
    """List accounts with limit, spend, holds and what is available.

    Args:
        prefix: what their names begin with, such as budget:growth: or wallet:default:user:ani.
        place: which store.
        answer: how the answer is written.
    """
    with place.opened() as database:
        found = accounts(database, prefix=prefix)
    answer.print(accounts_table(found, answer.words))
