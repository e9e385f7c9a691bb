"""The answers of a batch: each of its lines is settled once, and its results are written down.

It begins from the first line of output whenever it begins. A line that was settled before stays as
it is, since its attempt is gone; only the results are written anew.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from tokonomi.batches.answers import (
    Answer,
    Lie,
    Matching,
    for_client,
    reference_of,
    without_answer,
)
from tokonomi.batches.batch import Batch, Progress, may_be_billed
from tokonomi.batches.line import WrongLine
from tokonomi.calls import Call, Status
from tokonomi.gateway.batches.desk import now_us
from tokonomi.gateway.batches.lines import ENDPOINTS, lines_of, reading_of, settling
from tokonomi.gateway.batches.results import ResultFile
from tokonomi.gateway.settle import Exchange, row_of
from tokonomi.ledger.hold import Captured
from tokonomi.pricing.book import PriceBook
from tokonomi.providers.adapter import Reading
from tokonomi.providers.settled_call import Ending
from tokonomi.providers.whole_reply import FINE, error_kind, observe_whole
from tokonomi.storage.batch_holds import (
    LineTerms,
    OpenLine,
    call_id,
    open_lines,
    settle_lines,
    terms_after,
    terms_of,
)
from tokonomi.storage.database import Database
from tokonomi.storage.file_store import StoredFile, part_of_line
from tokonomi.storage.master_keys import MasterKeys

_NANOSECONDS_PER_US: Final = 1_000
_WHY: Final = {
    "completed": ("line_missing", "the provider's output has no line for it"),
    "expired": ("batch_expired", "it was not run before the batch expired"),
    "cancelled": ("batch_cancelled", "it was not run before the batch was cancelled"),
    "failed": ("batch_failed", "the provider refused or lost the batch"),
}
"""What a line without an answer is told, by how its batch ends."""
_UNREAD: Final = ("output_unread", "not all of the provider's output could be read")
"""What it is told when its answer may stand in what was not read."""


class SettledLine(NamedTuple):
    """A line that was settled just now: its call, its captures, and its alias as configured."""

    call: Call
    captured: Sequence[Captured]
    label: str


@dataclass(frozen=True, slots=True)
class Means:
    """What settling needs: prices, what files are sealed with, and the largest body of a line."""

    book: PriceBook
    keys: MasterKeys | None
    body_bytes: int


class Settlement:
    """One pass through the output of one batch. It works in threads, one at a time.

    `is_cut_short` says that not all of the output was read: then nobody knows which lines were run.
    """

    def __init__(self, batch: Batch, progress: Progress, means: Means) -> None:
        self._batch = batch
        self._progress = progress
        self._means = means
        self._matching = Matching(batch.id)
        self._output = ResultFile(batch.project, f"{batch.id}_output.jsonl", means.keys)
        self._errors = ResultFile(batch.project, f"{batch.id}_error.jsonl", means.keys)
        self.completed = self.failed = 0
        self.is_cut_short = False
        self.lies: Counter[Lie] = Counter()

    def take(self, database: Database, texts: Iterable[bytes | None]) -> list[SettledLine]:
        """The lines that these lines of output settle."""
        answers: list[Answer] = []
        for text in texts:
            read = self._matching.read(text)
            if isinstance(read, Answer):
                answers.append(read)
            else:
                self.lies[read] += 1
        terms = terms_of(database, self._batch.id, [each.number for each in answers])
        known = [each for each in answers if each.number in terms]
        self.lies[Lie.UNKNOWN] += len(answers) - len(known)
        unsettled = self._open(database, terms)
        settled: list[SettledLine] = []
        told: list[tuple[Answer, bool]] = []
        for answer in known:
            line = unsettled.get(answer.number)
            ending, rows = self._judged(database, answer, terms[answer.number], line)
            settled += rows
            told.append((answer, ending.status is Status.OK))
        # What is paid for is written before what is given out.
        _write(database, settled)
        for answer, succeeded in told:
            self._tell(database, answer, terms[answer.number], succeeded=succeeded)
        return settled

    def take_missing(self, database: Database, after: int) -> tuple[int | None, list[SettledLine]]:
        """Some of the lines without an answer, settled, and after which one to go on; None at last.

        Call it when all output was taken.
        """
        terms = terms_after(database, self._batch.id, after)
        if not terms:
            return None, []
        missing = {
            each.number: each for each in terms if not self._matching.has_answered(each.number)
        }
        ran = may_be_billed(self._progress)
        # What cannot be read may be the answer to any of them; where all were run, that is known.
        unread = self.is_cut_short or (not ran and self.lies[Lie.UNREADABLE] > 0)
        code, why = _UNREAD if unread else _WHY[self._progress.outcome or "failed"]
        self.lies[Lie.MISSING] += len(missing) if ran and not unread else 0
        settled: list[SettledLine] = []
        for number, line in self._open(database, missing).items():
            exchange = settling(self._batch, missing[number], line)
            ending = Ending(Status.FAILED, unknown=why, may_bill=ran or unread)
            settled.append(self._row(exchange, ending))
        _write(database, settled)
        for number, line in missing.items():
            reference = reference_of(self._batch.id, number)
            told = without_answer(reference, custom_id=line.custom_id, code=code, message=why)
            self._errors.add(database, told, now_us=now_us())
            self.failed += 1
        return terms[-1].number, settled

    def results(self, database: Database) -> tuple[list[StoredFile], str, str]:
        """The files of results, to be finished, and the names of that of answers and of errors."""
        keep = self._batch.keep_seconds
        files = [
            *self._output.whole(database, keep_seconds=keep),
            *self._errors.whole(database, keep_seconds=keep),
        ]
        return files, self._output.id, self._errors.id

    def _open(self, database: Database, numbers: Iterable[int]) -> dict[int, OpenLine]:
        calls = {call_id(self._batch.id, number): number for number in numbers}
        return {calls[call]: line for call, line in open_lines(database, [*calls]).items()}

    def _judged(
        self,
        database: Database,
        answer: Answer,
        terms: LineTerms,
        line: OpenLine | None,
    ) -> tuple[Ending, list[SettledLine]]:
        """How a line ended, and its row where it was not settled before."""
        reading = reading_of(self._batch)
        ending = self._ending(reading, answer)
        if line is None:
            return ending, []
        exchange = settling(self._batch, terms, line)
        exchange.reading, exchange.http_status = reading, answer.status
        if ending is FINE and reading.usage(line.intent.at, batch=True) is None:
            self._recall_request(database, exchange, answer.number)
        return ending, [self._row(exchange, ending)]

    def _ending(self, reading: Reading, answer: Answer) -> Ending:
        if answer.succeeded:
            bulk = ENDPOINTS[self._batch.endpoint].bulk
            return observe_whole(reading, answer.body, http_status=answer.status, bulk=bulk)
        said = f"HTTP {answer.status}" if answer.status else "an error"
        return Ending(
            Status.FAILED,
            unknown=f"the provider answered this line with {said} ({error_kind(answer.error)})",
        )

    def _recall_request(self, database: Database, exchange: Exchange, number: int) -> None:
        """Reads the request again, whose text an estimate counts."""
        means = self._means
        part = part_of_line(database, self._batch.input_file, number, means.keys)
        if part is None:
            return
        with contextlib.suppress(WrongLine):
            for read in lines_of(part, body_bytes=means.body_bytes):
                if read.line.number == number:
                    exchange.request = read.request

    def _row(self, exchange: Exchange, ending: Ending) -> SettledLine:
        # What of it is not billed says the ending; its file has left, as far as anybody knows.
        exchange.sent = True
        begun_us = now_us() - self._batch.created_us
        exchange.begun_ns = time.monotonic_ns() - begun_us * _NANOSECONDS_PER_US
        call, captured = row_of(exchange, ending, self._means.book)
        return SettledLine(call, captured, exchange.target.label)

    def _tell(
        self, database: Database, answer: Answer, terms: LineTerms, *, succeeded: bool
    ) -> None:
        """Writes an answer into the client's file of answers, or of errors."""
        told = for_client(answer, custom_id=terms.custom_id, alias=terms.alias)
        (self._output if succeeded else self._errors).add(database, told, now_us=now_us())
        self.completed += succeeded
        self.failed += not succeeded


def _write(database: Database, settled: Sequence[SettledLine]) -> None:
    settle_lines(database, [(each.call, each.captured) for each in settled], at_us=now_us())
