"""A group of beginnings and ends of calls, written in one transaction.

This is the whole of what a live call does to the store: it is authorised and its hold and intent
are written before it leaves; its row, its captures and the release of its hold are written before
its last byte is given out. Ends come first in a group, so that what they free can be held again.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from tokonomi.calls import Call, Intent
from tokonomi.ledger.hold import Captured, Held, Refusal
from tokonomi.storage.call_rows import INSERT, row_of
from tokonomi.storage.database import Database
from tokonomi.storage.ledger import Claim, LockedAccounts

_BEGIN: Final = "INSERT INTO attempt (id, worker_id, intent, held) VALUES (?, ?, ?, ?)"
_SETTLE: Final = f"{INSERT} ON CONFLICT (id) DO NOTHING"
_encode_intent = msgspec.msgpack.Encoder().encode
_encode_held = msgspec.json.Encoder().encode


class Begin(msgspec.Struct, frozen=True):
    """A call that wants to leave, and what it claims of budgets and wallets."""

    intent: Intent
    claims: tuple[Claim, ...] = ()


class Settle(msgspec.Struct, frozen=True):
    """A call that has ended, and how its holds are resolved."""

    call: Call
    captured: tuple[Captured, ...] = ()


Outcome = tuple[Held, ...] | Refusal | None
"""What a `Begin` got: its holds, or why not. A `Settle` gets None."""


def write_group(
    database: Database, worker_id: int, group: Sequence[Begin | Settle], *, at_us: int
) -> list[Outcome]:
    """The outcomes of a group, in its order, once its transaction is committed.

    A group with an end in it commits power-safe; one of beginnings only survives the death of the
    process, and becomes power-safe with the next end. A call that was settled before changes
    nothing.
    """
    begins = [it for it in group if isinstance(it, Begin)]
    settles = [it for it in group if isinstance(it, Settle)]
    with database.transaction(power_safe=bool(settles)):
        resolutions = _write_ends(database, settles) if settles else {}
        claims = [claim for it in begins for claim in it.claims]
        accounts = LockedAccounts(database, claims, resolutions, at_us=at_us)
        accounts.resolve(resolutions)
        decided = [accounts.hold(it.claims) if it.claims else () for it in begins]
        accounts.write()
        _write_beginnings(database, worker_id, zip(begins, decided, strict=True))
    outcomes = iter(decided)
    return [next(outcomes) if isinstance(it, Begin) else None for it in group]


def _write_ends(database: Database, settles: Sequence[Settle]) -> dict[str, tuple[Captured, ...]]:
    """The holds that these ends resolve: those of calls that were still in flight."""
    database.write_in_order_of_commits()
    database.executemany(_SETTLE, [row_of(it.call) for it in settles])
    marks = ", ".join("?" * len(settles))
    ended = database.execute(
        f"DELETE FROM attempt WHERE id IN ({marks}) RETURNING id",  # noqa: S608 - marks only
        [it.call.intent.id for it in settles],
    ).fetchall()
    in_flight = {row[0] for row in ended}
    return {
        it.call.intent.id: it.captured
        for it in settles
        if it.captured and it.call.intent.id in in_flight
    }


def _write_beginnings(
    database: Database,
    worker_id: int,
    begins: Iterable[tuple[Begin, tuple[Held, ...] | Refusal]],
) -> None:
    rows = [
        (it.intent.id, worker_id, _encode_intent(it.intent), _encode_held(held) if held else None)
        for it, held in begins
        if not isinstance(held, Refusal)
    ]
    if rows:
        database.executemany(_BEGIN, rows)
