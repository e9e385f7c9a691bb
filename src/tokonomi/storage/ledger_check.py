"""`ledger verify`: the stored balances against the rows that they are made of."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from tokonomi.ledger.account import Sink
from tokonomi.ledger.hold import Held
from tokonomi.storage.database import Database, Row
from tokonomi.storage.ledger import CREDIT

_decode = msgspec.json.Decoder(tuple[Held, ...]).decode
_SINKS: Final[Mapping[str, set[str]]] = {
    "fund": {Sink.ISSUED},
    "withdraw": {Sink.ISSUED, Sink.REFUND, Sink.BREAKAGE},
    "overrun": {Sink.OVERRUN},
    "expose": {Sink.EXPOSED},
    "release": {Sink.EXPOSED},
}
"""Where the other side of each kind of transfer is; a capture's depends on the asset."""
_FROM_A_SINK: Final = ("fund", "release")
"""The kinds that a sink gives to an account; any other goes from the account to the sink."""


@dataclass(frozen=True, slots=True)
class Imbalance:
    """A figure that the store keeps and that its rows contradict.

    `law` names the broken law: `fold` (a posted balance is the sum of its transfers), `holds` (a
    pending balance is the sum of the open holds), `floor` (nothing is below its floor), `orphan`
    (an open hold names an account that does not exist), `conservation` (of each asset, `account`,
    what all accounts have and all sinks have is nothing), or `sink` (the other side of a transfer
    is a sink that its kind does not go to).
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


@dataclass(frozen=True, slots=True)
class _Moved:
    """All transfers of one kind between an account and a sink."""

    account: int
    kind: str
    sink: str
    amount: int


def verify(database: Database) -> Verified:
    """Every stored balance compared with the fold of its rows, under one snapshot."""
    with database.transaction():
        accounts = database.execute(
            "SELECT id, name, asset, credits_posted, debits_posted, debits_pending, withdrawn,"
            " exposed, overrun, floor FROM account ORDER BY id"
        ).fetchall()
        moved = [
            _Moved(row[0], row[1], row[2], int(row[3]))
            for row in database.execute(
                "SELECT account, kind, sink, SUM(amount) FROM transfer"
                " GROUP BY account, kind, sink ORDER BY account, kind, sink"
            )
        ]
        holds = [
            _decode(bytes(row[0]))
            for row in database.execute("SELECT held FROM attempt WHERE held IS NOT NULL")
        ]
        counted = database.execute("SELECT COUNT(*) FROM transfer").fetchone()
    assert counted is not None, "a count always has a row"
    pending = Counter[int]()
    for part in (part for held in holds for one in held for part in one.parts):
        pending[part.account] += part.amount
    folds = Counter[tuple[int, str]]()
    for each in moved:
        folds[each.account, each.kind] += each.amount
    found = [it for row in accounts for it in _imbalances(row, folds, pending.pop(row[0], 0))]
    found += [Imbalance("orphan", str(account), 0, held) for account, held in pending.items()]
    found += _unconserved(accounts, moved)
    return Verified(len(accounts), int(counted[0]), len(holds), tuple(found))


def _imbalances(row: Row, folds: Mapping[tuple[int, str], int], held: int) -> Iterator[Imbalance]:
    account, name, _, credits_posted, debits_posted, debits_pending, withdrawn = row[:7]
    exposed, overrun, floor = row[7:]
    funded, drawn, captured, exceeded = (
        folds[account, kind] for kind in ("fund", "withdraw", "capture", "overrun")
    )
    doubtful = folds[account, "expose"] - folds[account, "release"]
    for stored, rebuilt in (
        (credits_posted, funded),
        (debits_posted, drawn + captured + doubtful),
        (withdrawn, drawn),
        (exposed, doubtful),
        (overrun, exceeded),
    ):
        if stored != rebuilt:
            yield Imbalance("fold", name, stored, rebuilt)
    if debits_pending != held:
        yield Imbalance("holds", name, debits_pending, held)
    available = funded - drawn - captured - doubtful - held
    if floor is not None and available < floor:
        yield Imbalance("floor", name, floor, available)


def _unconserved(accounts: list[Row], moved: list[_Moved]) -> Iterator[Imbalance]:
    """What double entry contradicts: all that accounts gave, sinks have, and vice versa."""
    assets: dict[int, str] = {row[0]: row[2] for row in accounts}
    in_accounts, in_sinks = Counter[str](), Counter[str]()
    for _, _, asset, credits_posted, debits_posted, _, _, _, overrun, _ in accounts:
        in_accounts[asset] += credits_posted - debits_posted - overrun
    for each in moved:
        asset = assets[each.account]
        in_sinks[asset] += -each.amount if each.kind in _FROM_A_SINK else each.amount
        captures = {Sink.REVENUE if asset == CREDIT else Sink.SPENT}
        if each.sink not in _SINKS.get(each.kind, captures):
            yield Imbalance("sink", f"{each.kind}: {each.sink}", each.amount, 0)
    for asset in sorted(in_accounts):
        if in_accounts[asset] + in_sinks[asset]:
            yield Imbalance("conservation", asset, in_accounts[asset], -in_sinks[asset])
