"""`ledger verify`: the stored balances against the rows that they are made of."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from tokonomi.ledger.hold import Held
from tokonomi.storage.database import Database

_decode = msgspec.json.Decoder(tuple[Held, ...]).decode


@dataclass(frozen=True, slots=True)
class Imbalance:
    """A figure that the store keeps and that its rows contradict.

    `law` names the broken law: `fold` (a posted balance is the sum of its transfers), `holds` (a
    pending balance is the sum of the open holds), `floor` (nothing is below its floor), or
    `orphan` (an open hold names an account that does not exist).
    """

    law: str
    account: str
    stored: int
    rebuilt: int


@dataclass(frozen=True, slots=True)
class Verified:
    """What was checked, and what does not balance."""

    accounts: int
    transfers: int
    open_holds: int
    imbalances: tuple[Imbalance, ...]


def verify(database: Database) -> Verified:
    """Every stored balance compared with the fold of its rows, under one snapshot."""
    with database.transaction():
        accounts = database.execute(
            "SELECT id, name, credits_posted, debits_posted, debits_pending, withdrawn, floor"
            " FROM account ORDER BY id"
        ).fetchall()
        folds = {
            (row[0], row[1]): int(row[2])
            for row in database.execute(
                "SELECT account, kind, SUM(amount) FROM transfer GROUP BY account, kind"
            )
        }
        holds = [
            _decode(bytes(row[0]))
            for row in database.execute("SELECT held FROM attempt WHERE held IS NOT NULL")
        ]
        counted = database.execute("SELECT COUNT(*) FROM transfer").fetchone()
    pending: dict[int, int] = {}
    for part in (part for held in holds for one in held for part in one.parts):
        pending[part.account] = pending.get(part.account, 0) + part.amount
    found = [it for row in accounts for it in _imbalances(row, folds, pending.pop(row[0], 0))]
    found += [Imbalance("orphan", str(account), 0, held) for account, held in pending.items()]
    assert counted is not None, "a count always has a row"
    return Verified(len(accounts), int(counted[0]), len(holds), tuple(found))


def _imbalances(
    row: tuple[int, str, int, int, int, int, int | None],
    folds: dict[tuple[int, str], int],
    held: int,
) -> Iterator[Imbalance]:
    account, name, credits_posted, debits_posted, debits_pending, withdrawn, floor = row
    funded = folds.get((account, "fund"), 0)
    drawn = folds.get((account, "withdraw"), 0)
    captured = folds.get((account, "capture"), 0)
    for stored, rebuilt in (
        (credits_posted, funded),
        (debits_posted, drawn + captured),
        (withdrawn, drawn),
    ):
        if stored != rebuilt:
            yield Imbalance("fold", name, stored, rebuilt)
    if debits_pending != held:
        yield Imbalance("holds", name, debits_pending, held)
    available = funded - drawn - captured - held
    if floor is not None and available < floor:
        yield Imbalance("floor", name, floor, available)
