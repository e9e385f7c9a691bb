"""A group of beginnings and ends of calls, written in one transaction.

This is the whole of what a live call does to the store: it is authorised and its hold and intent
are written before it leaves; its row, its captures and the release of its hold are written before
its last byte is given out. Ends come first in a group, so that what they free can be held again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from tokonomi.budgets.rate_limit import RateClaim, Standing
from tokonomi.calls import Call, Intent, Status
from tokonomi.errors import AmountTooLarge
from tokonomi.ledger.hold import Captured, Held, Refusal, capture, lost, without_hold
from tokonomi.storage.call_rows import COLUMNS, row_of
from tokonomi.storage.database import Database, StoreRefused, Value
from tokonomi.storage.exposures import exposed_parts
from tokonomi.storage.ledger import Claim
from tokonomi.storage.locked_accounts import (
    AccountsMade,
    FreeOfAccounts,
    LockedAccounts,
    Release,
    Resolutions,
    in_store,
)
from tokonomi.storage.rate_limits import RatesOfGroup, Standings

_ATTEMPT: Final = ("id", "worker_id", "intent", "held", "limited_key", "tokens_held")
_CALL: Final = (*COLUMNS, "held")
LATE: Final = "+late"
"""Ends the request id of a call that a sweep had taken for dead, and that then ended."""

_NOTHING: Final = b"[]"

_encode_intent = msgspec.msgpack.Encoder().encode
_encode_held = msgspec.json.Encoder().encode
_decode_held = msgspec.json.Decoder(tuple[Held, ...]).decode


ROW_DEFECTS: Final = (StoreRefused, AmountTooLarge, OverflowError, ValueError, TypeError)
"""What one row's values can raise, when it is encoded, bound or checked by the schema."""


class Begin(msgspec.Struct, frozen=True):
    """A call that wants to leave, and what it claims of budgets, wallets and its key's limits."""

    intent: Intent
    claims: tuple[Claim, ...] = ()
    rate: RateClaim | None = None


class Begun(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A call that has begun: its worker decided what it holds, and wrote that to its own log."""

    intent: Intent
    held: tuple[Held, ...] = ()


class Settle(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A call that has ended, and how its holds are resolved.

    None frees whatever it holds; of an orphan budgets take it as exposed.
    """

    call: Call
    captured: tuple[Captured, ...] | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """What a writer of groups remembers of those that it wrote.

    Attributes:
        standings: what limits of keys had left.
        free: what the accounts had free that calls claimed; None where nobody wants to know.
    """

    standings: Standings = field(default_factory=dict[str, tuple[Standing, ...]])
    free: FreeOfAccounts | None = None


class Record(NamedTuple):
    """A record of a worker's log: its number, when it was written, and what it says."""

    number: int
    at_us: int
    entry: Begun | Settle


Outcome = tuple[Held, ...] | Refusal
"""What a `Begin` got: its holds, or why not. A `Settle` gets no holds."""


def write_group(
    database: Database,
    worker_id: int,
    group: Sequence[Begin | Settle],
    *,
    at_us: int,
    log: Sequence[Record] = (),
    again: bool = False,
    memory: Memory | None = None,
) -> list[Outcome]:
    """The outcomes of a group, in its order, once its transaction is committed.

    `log` are records of the worker's own log: those that the store does not have yet come before
    the group, whoever brings them in. `again` says that the group was tried before and nobody
    knows whether its commit came through: beginnings that stand already then count as written.
    `memory` is what the caller keeps between groups.

    A group with an end in it commits power-safe; one of beginnings only survives the death of the
    process, and becomes power-safe with the next end. A call that was settled before changes
    nothing.

    Raises:
        StoreError: nothing was written; `StoreBusy` when trying again may help at once.
    """
    while True:
        try:
            return _write_group(
                database,
                worker_id,
                group,
                at_us=at_us,
                log=log,
                again=again,
                memory=memory or Memory(),
            )
        except AccountsMade:
            # The accounts that this one lacked stand now, so the next try finds and locks them.
            continue


def _write_group(
    database: Database,
    worker_id: int,
    group: Sequence[Begin | Settle],
    *,
    at_us: int,
    log: Sequence[Record],
    again: bool,
    memory: Memory,
) -> list[Outcome]:
    begins = [it for it in group if isinstance(it, Begin)]
    settles = [it for it in group if isinstance(it, Settle)]
    power_safe = bool(settles) or any(isinstance(it.entry, Settle) for it in log)
    rates = RatesOfGroup(database, at_us=at_us)
    # What is in a log was decided by its worker, which may be alone with the accounts.
    with database.transaction(power_safe=power_safe, accounts=bool(group)):
        logged = _taken_from(log, database, worker_id)
        settles = [*logged.settles, *settles]
        ends = _write_ends(database, settles, rates, logged.begun)
        standing = _standing(database, begins) if again else {}
        fresh = [it for it in begins if it.intent.id not in standing]
        too_fast = _too_fast(fresh, rates)
        in_time = [it for it in fresh if it.intent.id not in too_fast]
        decided = _decide(database, in_time, ends, at_us=at_us, free=memory.free)
        _write_rates(in_time, decided, rates, memory.standings)
        decided |= too_fast
        begun = [(it, decided[it.intent.id]) for it in fresh]
        _write_beginnings(database, worker_id, [*_open(logged.begun, settles), *begun])
    decided |= standing
    return [decided[it.intent.id] if isinstance(it, Begin) else () for it in group]


class _Logged(NamedTuple):
    """What the store takes from a log: beginnings by call, and ends."""

    begun: Mapping[str, Begun]
    settles: Sequence[Settle]


def _taken_from(log: Sequence[Record], database: Database, worker_id: int) -> _Logged:
    """What a log says that the store does not have yet; from now on it has."""
    if not log:
        return _Logged({}, [])
    last = max(it.number for it in log)
    row = database.execute("SELECT logged FROM worker WHERE id = ?", (worker_id,)).fetchone()
    known = last if row is None else int(row[0])
    if known < last:
        database.execute("UPDATE worker SET logged = ? WHERE id = ?", (last, worker_id))
    news = [it.entry for it in log if it.number > known]
    begun = {it.intent.id: it for it in news if isinstance(it, Begun)}
    return _Logged(begun, [it for it in news if isinstance(it, Settle)])


def _open(
    begun: Mapping[str, Begun], settles: Sequence[Settle]
) -> list[tuple[Begin, tuple[Held, ...]]]:
    """Those of these calls that do not end in the same group, by the log or without it."""
    ended = {it.call.intent.id for it in settles}
    return [(Begin(it.intent), it.held) for call, it in begun.items() if call not in ended]


def _too_fast(begins: Sequence[Begin], rates: RatesOfGroup) -> dict[str, Outcome]:
    """The beginnings that a limit of their key refuses; those of the others are taken."""
    rates.lock([it.rate for it in begins])
    refused = [(it.intent.id, rates.take(it.intent, it.rate)) for it in begins]
    return {call: refusal for call, refusal in refused if refusal is not None}


def _write_rates(
    begins: Sequence[Begin],
    decided: Mapping[str, Outcome],
    rates: RatesOfGroup,
    standings: Standings,
) -> None:
    for it in begins:
        if isinstance(decided[it.intent.id], Refusal):
            rates.void(it.rate)
    rates.write(standings)


def _decide(
    database: Database,
    begins: Sequence[Begin],
    ends: "_Ends",
    *,
    at_us: int,
    free: FreeOfAccounts | None,
) -> dict[str, Outcome]:
    """What each beginning gets, after the ends have given back what they do not need."""
    claims = [claim for it in begins for claim in it.claims]
    if not claims and not ends.resolutions and not ends.held:
        return {it.intent.id: () for it in begins}
    accounts = LockedAccounts(
        database,
        claims,
        ends.resolutions,
        at_us=at_us,
        releases=ends.releases,
        held=ends.held,
    )
    accounts.release(ends.releases)
    accounts.resolve(ends.resolutions)
    accounts.follow_rules()
    decided = {it.intent.id: accounts.hold(it.claims) if it.claims else () for it in begins}
    made = accounts.write()
    if free is not None:
        accounts.tell(free, made)
    if made:
        decided = {call: in_store(outcome, made) for call, outcome in decided.items()}
    return decided


class _Ends(NamedTuple):
    """What ends of calls do to accounts, and what was held without them."""

    resolutions: Resolutions
    releases: Sequence[Release]
    held: Sequence[Held]


def _write_ends(
    database: Database,
    settles: Sequence[Settle],
    rates: RatesOfGroup,
    begun: Mapping[str, Begun],
) -> _Ends:
    """The holds that these ends resolve: those of calls that were still in flight.

    An end that comes after a sweep took its call for dead is kept as a row of its own. Its hold is
    gone, so what it used is taken from what is available, and is overrun where that is too little.
    What the sweep had exposed for it is released, once its cost is known.
    """
    held = [each for it in begun.values() for each in it.held]
    if not settles:
        return _Ends({}, [], held)
    database.serialise("calls")
    in_flight = _ended(database, settles, rates, begun)
    swept = _swept(database, [it for it in settles if it.call.intent.id not in in_flight])
    rows: list[Sequence[Value]] = []
    resolutions: dict[str, tuple[Captured, ...]] = {}
    known: dict[str, str] = {}
    for settle in settles:
        call, captured = settle.call, settle.captured
        in_hold = in_flight.get(call.intent.id)
        if call.intent.id in in_flight:
            captured = _unasked(in_hold, call) if captured is None else captured
        elif call.intent.id in swept and captured:
            swept_id = call.intent.id
            call, captured = _late(call), tuple(map(without_hold, captured))
            if database.execute("SELECT 1 FROM call WHERE id = ?", (call.intent.id,)).fetchone():
                continue
            if call.exposure is None:
                known[swept_id] = call.intent.id
        else:
            captured = ()
        rows.append((*row_of(call), in_hold))
        if captured:
            resolutions[call.intent.id] = captured
    database.insert("call", _CALL, rows, keep_known=True)
    parts = exposed_parts(database, list(known)) if known else {}
    releases = [Release(call, parts[call], f"{known[call]} ended") for call in sorted(parts)]
    return _Ends(resolutions, releases, held)


def _ended(
    database: Database,
    settles: Sequence[Settle],
    rates: RatesOfGroup,
    begun: Mapping[str, Begun],
) -> dict[str, bytes | None]:
    """What those of these calls held that were in flight; they are not any more."""
    calls = {it.call.intent.id: it.call for it in settles}
    logged = {call: begun[call] for call in calls if call in begun}
    ended = {call: _encode_held(it.held) if it.held else None for call, it in logged.items()}
    calls = {call: it for call, it in calls.items() if call not in logged}
    if not calls:
        return ended
    rows = database.execute(
        f"DELETE FROM attempt WHERE id IN ({_marks(calls)})"  # noqa: S608 - marks only
        " RETURNING id, held, limited_key, tokens_held",
        (*calls,),
    ).fetchall()
    rates.ended([(call, key_id, tokens) for call, _, key_id, tokens in rows], calls)
    return ended | {row[0]: row[1] for row in rows}


def _unasked(held: bytes | None, call: Call) -> tuple[Captured, ...]:
    """How all that a call held is resolved when nobody says so: it never left, or is an orphan."""
    holds = _decode_held(bytes(held or _NOTHING))
    if call.status is Status.ORPHANED:
        return tuple(map(lost, holds))
    return tuple(capture(each, 0) for each in holds)


def _swept(database: Database, settles: Sequence[Settle]) -> set[str]:
    if not settles:
        return set()
    ids = [it.call.intent.id for it in settles]
    rows = database.execute(
        f"SELECT id FROM call WHERE status = ? AND id IN ({_marks(ids)})",  # noqa: S608 - marks only
        (Status.ORPHANED, *ids),
    ).fetchall()
    return {row[0] for row in rows}


def _late(call: Call) -> Call:
    attempt = call.intent.attempt
    intent = replace(call.intent, id=f"{call.intent.request_id}{LATE}.{attempt}")
    note = "its gateway had been taken for dead when this end came"
    return replace(call, intent=intent, note=f"{call.note}; {note}" if call.note else note)


def _standing(database: Database, begins: Sequence[Begin]) -> dict[str, Outcome]:
    """The holds of calls whose beginning is already written."""
    ids = [it.intent.id for it in begins]
    if not ids:
        return {}
    rows = database.execute(
        f"SELECT id, held FROM attempt WHERE id IN ({_marks(ids)})",  # noqa: S608 - marks only
        ids,
    ).fetchall()
    return {row[0]: _decode_held(bytes(row[1] or _NOTHING)) for row in rows}


def _write_beginnings(
    database: Database, worker_id: int, begins: Sequence[tuple[Begin, Outcome]]
) -> None:
    rows = [
        (
            it.intent.id,
            worker_id,
            _encode_intent(it.intent),
            _encode_held(held) if held else None,
            *((it.rate.key_id, it.rate.tokens) if it.rate else (None, None)),
        )
        for it, held in begins
        if not isinstance(held, Refusal)
    ]
    if rows:
        database.insert("attempt", _ATTEMPT, rows)


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))
