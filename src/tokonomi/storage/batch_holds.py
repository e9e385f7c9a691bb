"""What the lines of batches hold: made before anything leaves, resolved once, whatever happens.

A line is a call like any other: an attempt with its hold while it is open, a settled call after
that. It belongs to no process, so the sweep for calls of the dead leaves it alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from tokonomi.batches.answers import reference_of
from tokonomi.calls import Call, Intent
from tokonomi.ledger.hold import Captured, Held, Refusal, capture
from tokonomi.storage.call_groups import Begin, Settle, write_group
from tokonomi.storage.database import Database, begins_with
from tokonomi.storage.ledger import Claim
from tokonomi.storage.locked_accounts import LockedAccounts

BATCHES: Final = 0
"""The worker that the attempts of batches belong to. No process is it, and it never ends."""
_AT_ONCE: Final = 200
"""Lines that one transaction writes: it keeps live calls waiting for some milliseconds."""
_ATTEMPT: Final = 1
"""A line is sent once."""
_LINE: Final = ("batch", "number", "custom_id", "alias", "max_tokens", "measures")

_decode_intent = msgspec.msgpack.Decoder(Intent).decode
_decode_held = msgspec.json.Decoder(tuple[Held, ...]).decode


class LineTerms(NamedTuple):
    """What settling a line needs to know besides its attempt.

    Attributes:
        number: of the line in its file.
        custom_id: its client's name of it.
        alias: the model that it asks for, by its client's name.
        max_tokens: the limit of output that is sent along for its hold.
        measures: how what it uses is measured, as bytes that their writer can read.
    """

    number: int
    custom_id: str
    alias: str
    max_tokens: int | None
    measures: bytes


class LineClaim(NamedTuple):
    """A line that wants to leave, and what it claims of budgets and wallets."""

    terms: LineTerms
    intent: Intent
    claims: tuple[Claim, ...]


class OpenLine(NamedTuple):
    """A line that is not settled: what was asked, and what it holds."""

    intent: Intent
    held: tuple[Held, ...]


class LineRefused(NamedTuple):
    """The first line that does not fit, and the numbers."""

    line: LineClaim
    refusal: Refusal


def call_id(batch_id: str, number: int) -> str:
    """The id of the call that a line is."""
    return f"{reference_of(batch_id, number)}.{_ATTEMPT}"


def hold_lines(
    database: Database, batch_id: str, lines: Sequence[LineClaim], *, at_us: int
) -> LineRefused | None:
    """The first line that does not fit; None once every one of them holds its worst case.

    A line that holds it already, from a try that was cut, keeps what it holds.
    """
    for first in range(0, len(lines), _AT_ONCE):
        refused = _hold_some(database, batch_id, lines[first : first + _AT_ONCE], at_us=at_us)
        if refused is not None:
            return refused
    return None


def _hold_some(
    database: Database, batch_id: str, lines: Sequence[LineClaim], *, at_us: int
) -> LineRefused | None:
    standing = open_lines(database, [line.intent.id for line in lines])
    fresh = [line for line in lines if line.intent.id not in standing]
    if not fresh:
        return None
    # Before the holds: whoever settles a line finds its terms.
    with database.transaction(power_safe=False):
        marks = ", ".join("?" * len(fresh))
        database.execute(
            f"DELETE FROM batch_line WHERE batch = ? AND number IN ({marks})",  # noqa: S608 - marks only
            (batch_id, *(line.terms.number for line in fresh)),
        )
        database.insert("batch_line", _LINE, [(batch_id, *line.terms) for line in fresh])
        database.execute(
            "INSERT INTO worker (id, host, pid, process_start, started_us)"
            " VALUES (?, 'batches', 0, '', 0) ON CONFLICT (id) DO NOTHING",
            (BATCHES,),
        )
    begins = [Begin(line.intent, line.claims) for line in fresh]
    outcomes = write_group(database, BATCHES, begins, at_us=at_us, again=True)
    for line, outcome in zip(fresh, outcomes, strict=True):
        if isinstance(outcome, Refusal):
            return LineRefused(line, outcome)
    return None


def open_lines(database: Database, calls: Sequence[str]) -> dict[str, OpenLine]:
    """Those of these calls that are not settled, by their ids."""
    if not calls:
        return {}
    marks = ", ".join("?" * len(calls))
    rows = database.execute(
        f"SELECT id, intent, held FROM attempt WHERE id IN ({marks})",  # noqa: S608 - marks only
        tuple(calls),
    ).fetchall()
    return {
        row[0]: OpenLine(_decode_intent(bytes(row[1])), _decode_held(bytes(row[2] or b"[]")))
        for row in rows
    }


def terms_of(database: Database, batch_id: str, numbers: Iterable[int]) -> dict[int, LineTerms]:
    """The terms of these lines of a batch, by their numbers."""
    asked = tuple(numbers)
    if not asked:
        return {}
    marks = ", ".join("?" * len(asked))
    rows = database.execute(
        "SELECT number, custom_id, alias, max_tokens, measures FROM batch_line"  # noqa: S608 - marks only
        f" WHERE batch = ? AND number IN ({marks})",
        (batch_id, *asked),
    ).fetchall()
    return {row[0]: LineTerms(row[0], row[1], row[2], row[3], bytes(row[4])) for row in rows}


def terms_after(database: Database, batch_id: str, number: int) -> list[LineTerms]:
    """The terms of some lines of a batch that come after a number, in their order."""
    rows = database.execute(
        "SELECT number, custom_id, alias, max_tokens, measures FROM batch_line"
        " WHERE batch = ? AND number > ? ORDER BY number LIMIT ?",
        (batch_id, number, _AT_ONCE),
    ).fetchall()
    return [LineTerms(row[0], row[1], row[2], row[3], bytes(row[4])) for row in rows]


def settle_lines(
    database: Database, settled: Sequence[tuple[Call, Sequence[Captured]]], *, at_us: int
) -> None:
    """Writes these calls and resolves what they hold; a settled one changes nothing."""
    if settled:
        group = [Settle(call, tuple(captured)) for call, captured in settled]
        write_group(database, BATCHES, group, at_us=at_us)


def void_lines(database: Database, batch_id: str, *, at_us: int) -> int:
    """How many lines of a batch gave back what they held; none of them leaves, nor has a row.

    As with a call that is refused, nothing has happened that anybody could count.
    """
    voided = 0
    begins, values = begins_with("id", f"{batch_id}-")
    while True:
        with database.transaction(accounts=True):
            # Like every end of a call, before any lock on an account.
            database.serialise("calls")
            rows = database.execute(
                f"DELETE FROM attempt WHERE id IN"  # noqa: S608 - ours
                f" (SELECT id FROM attempt WHERE {begins} ORDER BY id LIMIT ?) RETURNING id, held",
                (*values, _AT_ONCE),
            ).fetchall()
            _release(database, {row[0]: row[1] for row in rows}, at_us=at_us)
        if not rows:
            return voided
        voided += len(rows)


def _release(database: Database, held: Mapping[str, bytes | None], *, at_us: int) -> None:
    resolutions = {
        call: [capture(each, 0) for each in _decode_held(bytes(holds))]
        for call, holds in held.items()
        if holds is not None
    }
    if resolutions:
        accounts = LockedAccounts(database, (), resolutions, at_us=at_us)
        accounts.resolve(resolutions)
        accounts.write()
