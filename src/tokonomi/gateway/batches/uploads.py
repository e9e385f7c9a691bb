"""A file of requests on its way in: every line is judged as it comes, and stored in parts."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from tokonomi.batches.line import LineSplitter, WrongLine
from tokonomi.gateway.authenticate import allow_model
from tokonomi.gateway.batches.desk import MICROSECONDS, Desk, Visit, kept_seconds, new_id, now_us
from tokonomi.gateway.batches.form import Piece, file_too_large, form_of
from tokonomi.gateway.batches.lines import ENDPOINTS, FRAME_BYTES, ReadLine, chosen, understood
from tokonomi.gateway.dimensions import bound_user, refuse_other_user
from tokonomi.gateway.wire_errors import GATEWAY, WireError
from tokonomi.storage.database import Database
from tokonomi.storage.file_store import (
    Part,
    StoredFile,
    add_part,
    begin_file,
    discard_file,
    finish_file,
    stored_bytes,
)

PART_BYTES: Final = 256 * 1024
_FIELD_BYTES: Final = 1_024
_ARRIVING_SECONDS: Final = 3_600
"""How long after its upload should have ended a file that did not is deleted."""
_DIGEST_BYTES: Final = 16
_LONGEST_NAME: Final = 256
_SPARE_BYTES: Final = 64 * 1024
"""What a form may have besides its file."""
BATCH: Final = "batch"


async def upload(desk: Desk, visit: Visit) -> StoredFile:
    """The file that a form brings, once it is stored.

    Raises:
        WireError: it is none that a batch can be made of; nothing of it is kept.
    """
    now = now_us()
    settings = desk.settings
    arriving = settings.upload_seconds + _ARRIVING_SECONDS
    file = StoredFile(
        id=new_id("file-"),
        project=visit.project,
        purpose=BATCH,
        name="",
        created_us=now,
        expires_us=now + int(arriving) * MICROSECONDS,
    )
    arrival = _Arrival(desk, visit, file)
    await desk.store.run(lambda database: begin_file(database, file))
    try:
        async with asyncio.timeout(settings.upload_seconds):
            return await arrival.through()
    except BaseException as error:
        await asyncio.shield(desk.store.run(lambda database: discard_file(database, file.id)))
        if isinstance(error, TimeoutError):
            raise _too_slow(settings.upload_seconds) from None
        raise


class _Arrival:
    """One form, from its first byte to its last."""

    def __init__(self, desk: Desk, visit: Visit, file: StoredFile) -> None:
        self._desk = desk
        self._visit = visit
        self._file = file
        self._fields: dict[str, bytes] = {}
        self._splitter = LineSplitter(desk.body_bytes + FRAME_BYTES)
        self._lines: list[bytes] = []
        self._judge = _Judge(desk, visit)
        self._gathered = 0
        self._first_line = 1
        self._parts = 0
        self._size = 0
        self._has_file = False

    async def through(self) -> StoredFile:
        """The file, when all of it is stored."""
        settings = self._desk.settings
        content_type = self._visit.headers.get(b"content-type", b"").decode("latin-1")
        async for piece in form_of(
            content_type,
            self._visit.receive,
            most_bytes=settings.file_bytes + _SPARE_BYTES,
            patience_seconds=self._desk.body_seconds,
        ):
            await self._take(piece)
        return await self._end()

    async def _take(self, piece: Piece) -> None:
        if piece.filename is None:
            known = self._fields.get(piece.field, b"") + piece.content
            if len(known) > _FIELD_BYTES:
                raise WireError(
                    400, "invalid_form", f"A field is longer than {_FIELD_BYTES} bytes."
                )
            self._fields[piece.field] = known
        elif piece.field != "file":
            raise WireError(400, "invalid_form", "The file of the form is not called `file`.")
        elif piece.content:
            await self._take_content(piece.content)
        else:
            self._has_file = True
            self._file = replace(self._file, name=_name(piece.filename))

    async def _take_content(self, content: bytes) -> None:
        self._size += len(content)
        if self._size > self._desk.settings.file_bytes:
            raise file_too_large(self._desk.settings.file_bytes)
        if self._has_file:
            raise WireError(400, "invalid_form", "The form has more than one file.")
        self._lines.append(content)
        self._gathered += len(content)
        ended = self._splitter.feed(content)
        for number, text in ended:
            self._judge.look_at(number, text)
        if self._gathered >= PART_BYTES and b"\n" in content:
            await self._store_lines()

    async def _store_lines(self, *, last: bool = False) -> None:
        """Stores what has come up to the end of its last whole line."""
        gathered = b"".join(self._lines)
        end = len(gathered) if last else gathered.rindex(b"\n") + 1
        content = gathered[:end]
        self._lines = [gathered[end:]] if end < len(gathered) else []
        self._gathered = len(gathered) - end
        if content:
            self._parts += 1
            part = Part(self._parts, self._first_line, content)
            self._first_line += content.count(b"\n")
            await self._desk.store.run(self._adding(part))

    def _adding(self, part: Part) -> Callable[[Database], None]:
        file_id, desk = self._file.id, self._desk
        return lambda database: add_part(database, file_id, part, desk.keys())

    async def _end(self) -> StoredFile:
        _check_purpose(self._fields.get("purpose"))
        if not self._has_file:
            raise WireError(400, "invalid_form", "The form has no `file`.")
        for number, text in self._splitter.rest():
            self._judge.look_at(number, text)
        if not self._judge.lines:
            raise WireError(400, "invalid_file", "The file has no line. Write a request a line.")
        await self._store_lines(last=True)
        stated = self._fields.get("expires_after[seconds]", b"").decode("latin-1")
        anchor = self._fields.get("expires_after[anchor]", b"").decode("latin-1")
        kept = kept_seconds(self._desk.settings, anchor, stated)
        file = replace(
            self._file,
            size=self._size,
            lines=self._judge.lines,
            endpoint=self._judge.endpoint,
            models=tuple(self._judge.models),
            expires_us=self._file.created_us + kept * MICROSECONDS,
        )
        await self._desk.store.run(self._finishing(file))
        return file

    def _finishing(self, file: StoredFile) -> Callable[[Database], None]:
        most = self._desk.settings.project_bytes

        def finish(database: Database) -> None:
            stored = stored_bytes(database, file.project)
            if stored > most:
                raise _full(stored - file.size, most)
            finish_file(database, file)

        return finish


class _Judge:
    """What must hold of the lines of one file, each by itself and all together."""

    def __init__(self, desk: Desk, visit: Visit) -> None:
        self._desk = desk
        self._visit = visit
        self._seen: dict[bytes, int] = {}
        self._provider = ""
        self.lines = 0
        self.endpoint = ""
        self.models: dict[str, None] = {}

    def look_at(self, number: int, text: bytes | None) -> None:
        """Returns when the line is one that a batch can have.

        Raises:
            WireError: 400, with its number.
        """
        try:
            self._look_at(number, text)
        except WrongLine as wrong:
            raise refused_line(wrong) from None

    def _look_at(self, number: int, text: bytes | None) -> None:
        if text is None:
            most = self._desk.body_bytes
            raise WrongLine(
                number,
                f"it is longer than {most} bytes",
                "Send less, or raise [limits] body_bytes.",
            )
        self.lines += 1
        if self.lines > self._desk.settings.file_lines:
            raise WrongLine(
                number,
                f"the file has more than {self._desk.settings.file_lines} requests",
                "Split it, or raise [batches] file_lines.",
            )
        read = understood(number, text, body_bytes=self._desk.body_bytes)
        self._check_operation(read)
        self._check_name(read)
        self._check_model(read)
        self._check_user(read)

    def _check_operation(self, read: ReadLine) -> None:
        self.endpoint = self.endpoint or read.line.url
        if read.line.url != self.endpoint:
            raise WrongLine(
                read.line.number,
                f"its url is {read.line.url}, and that of the lines before is {self.endpoint}",
                "Make a file for each.",
                param="url",
            )

    def _check_name(self, read: ReadLine) -> None:
        name = hashlib.blake2b(read.line.custom_id.encode(), digest_size=_DIGEST_BYTES).digest()
        first = self._seen.setdefault(name, read.line.number)
        if first != read.line.number:
            raise WrongLine(
                read.line.number,
                f"its `custom_id` {read.line.custom_id!r} is that of line {first}",
                "Give each line one of its own.",
                param="custom_id",
            )

    def _check_model(self, read: ReadLine) -> None:
        alias, number = read.request.model, read.line.number
        if alias in self.models:
            return
        try:
            allow_model(self._visit.key, alias)
            target = chosen(alias, ENDPOINTS[read.line.url], self._visit.aliases).target
        except WireError as error:
            raise _at_line(error, number) from None
        self._provider = self._provider or target.name
        if target.name != self._provider:
            raise WrongLine(
                number,
                f"{alias!r} leads to {target.name}, and the lines before to {self._provider}",
                "A batch goes to one provider: make a file for each.",
                param="model",
            )
        self.models[alias] = None

    def _check_user(self, read: ReadLine) -> None:
        key = self._visit.key
        try:
            refuse_other_user(key.id, bound_user(key), read.request.user)
        except WireError as error:
            raise _at_line(error, read.line.number) from None


def refused_line(wrong: WrongLine) -> WireError:
    """The answer to a file with a line that cannot be taken."""
    return WireError(
        400,
        "invalid_file",
        f"Line {wrong.number}: {wrong.what}. {wrong.remedy}".rstrip(),
        param=wrong.param,
        metadata={"line": str(wrong.number)},
    )


def _at_line(error: WireError, number: int) -> WireError:
    error.message = f"Line {number}: {error.message}"
    error.metadata = {**(error.metadata or {}), "line": str(number)}
    return error


def _check_purpose(stated: bytes | None) -> None:
    if stated is None:
        raise WireError(400, "invalid_form", "The form has no `purpose`.", param="purpose")
    if stated != BATCH.encode():
        purpose = stated.decode("utf-8", "replace")[:100]
        raise WireError(
            400,
            "unsupported_purpose",
            f"Files of the purpose {purpose!r} are not kept here. The only one is {BATCH!r}.",
            param="purpose",
        )


def _name(filename: str) -> str:
    return "".join(each for each in filename if each.isprintable())[:_LONGEST_NAME]


def _full(stored: int, most: int) -> WireError:
    return WireError(
        413,
        "file_store_full",
        f"The files of this project take {stored} of {most} bytes, and this one does not fit."
        " Delete some, or raise [batches] project_bytes.",
    )


def _too_slow(seconds: float) -> WireError:
    return WireError(
        408,
        "body_too_slow",
        f"The file did not arrive within {seconds:g} s. Split it, or raise [batches]"
        " upload_seconds.",
        kind=GATEWAY,
    )
