"""The lines of a batch before it leaves: held one after the other, and put together for sending."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from tokonomi.batches.batch import Batch, BatchError
from tokonomi.batches.line import WrongLine
from tokonomi.budgets.hold_size import Refused
from tokonomi.gateway.batches.desk import now_us
from tokonomi.gateway.batches.lines import ReadLine, claim_of, lines_of, outgoing_line
from tokonomi.gateway.claims import Rules
from tokonomi.gateway.dimensions import refuse_other_user
from tokonomi.gateway.refusals import refused_by_balance, refused_by_rule
from tokonomi.gateway.store_turns import StoreTurns
from tokonomi.gateway.wire_errors import WireError
from tokonomi.pricing.book import PriceBook
from tokonomi.storage.batch_holds import LineClaim, hold_lines, terms_of
from tokonomi.storage.database import Database
from tokonomi.storage.file_store import Part, part_of_line, read_part
from tokonomi.storage.master_keys import MasterKeys


class FileGone(Exception):
    """The file of a batch is not there any more."""


@dataclass(frozen=True, slots=True)
class Rulebook:
    """What a line must pass before it may leave.

    Attributes:
        rules: budgets and wallets.
        book: prices.
        refused: is told of a wallet that cannot pay.
    """

    rules: Rules
    book: PriceBook
    refused: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of one batch, read from its file a part at a time."""

    batch: Batch
    keys: MasterKeys | None
    body_bytes: int

    def hold_after(
        self, database: Database, held: int, rulebook: Rulebook
    ) -> "int | BatchError | None":
        """Up to which line all hold their worst case now; None when there are no more.

        An error is that of the first line that does not fit.

        Raises:
            FileGone: the file is not there.
        """
        part = part_of_line(database, self.batch.input_file, held + 1, self.keys)
        if part is None:
            raise FileGone
        claims: list[LineClaim] = []
        last = held
        try:
            for read in lines_of(part, body_bytes=self.body_bytes):
                last = max(last, read.line.number)
                if read.line.number <= held:
                    continue
                refuse_other_user(self.batch.key_id, self.batch.bound_user, read.request.user)
                claim = claim_of(self.batch, read, rulebook.rules, rulebook.book)
                if isinstance(claim, Refused):
                    return _error(refused_by_rule(claim), read.line.number)
                claims.append(claim)
        except WrongLine as wrong:
            return BatchError("invalid_file", str(wrong), wrong.number, wrong.param)
        except WireError as refusal:
            return _error(refusal, last)
        if not claims:
            return self._behind(database, part)
        refused = hold_lines(database, self.batch.id, claims, at_us=now_us())
        if refused is None:
            return last
        line, refusal = refused
        claim = next(each for each in line.claims if each.source == refusal.source)
        if isinstance(claim.on, str):
            rulebook.refused(claim.on)
        return _error(refused_by_balance(refusal, claim), line.terms.number)

    def _behind(self, database: Database, part: Part) -> int | None:
        """The line before the next part, when this part has no further line; None at the end."""
        following = read_part(database, self.batch.input_file, part.number + 1, self.keys)
        return None if following is None else following.first_line - 1

    def outgoing(self, database: Database, number: int) -> bytes | None:
        """A part of the file as the provider gets it; None behind the last one.

        Raises:
            FileGone: the file is not there, or not as it was.
        """
        part = read_part(database, self.batch.input_file, number, self.keys)
        if part is None:
            return None
        try:
            lines = [*lines_of(part, body_bytes=self.body_bytes)]
        except WrongLine:
            raise FileGone from None
        return b"".join(self._outgoing(database, lines))

    def _outgoing(self, database: Database, lines: list[ReadLine]) -> list[bytes]:
        told: list[bytes] = []
        for first in range(0, len(lines), _AT_ONCE):
            some = lines[first : first + _AT_ONCE]
            terms = terms_of(database, self.batch.id, [each.line.number for each in some])
            for each in some:
                found = terms.get(each.line.number)
                # Deny by default: what holds nothing does not leave.
                if found is None:
                    raise FileGone
                told.append(outgoing_line(self.batch, each, found.max_tokens))
        return told


_AT_ONCE = 500


async def outgoing_bytes(lines: Lines, store: StoreTurns) -> AsyncIterator[bytes]:
    """The whole file as the provider gets it.

    Raises:
        FileGone: the file is not there any more.
    """
    number = 1
    while piece := await store.run(_outgoing(lines, number)):
        yield piece
        number += 1
    if number == 1:
        raise FileGone


def _outgoing(lines: Lines, number: int) -> Callable[[Database], bytes | None]:
    return lambda database: lines.outgoing(database, number)


def _error(error: WireError, number: int) -> BatchError:
    return BatchError(error.code, error.message, number, error.param)
