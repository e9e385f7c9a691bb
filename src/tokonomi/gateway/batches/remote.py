"""A provider's files and batches, as OpenAI's interface has them.

Nothing that it says is trusted: its ids are looked at before they stand in an address, its texts
are cut, its numbers are bounded, and what it does not say is not known.
"""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import msgspec

from tokonomi.batches.batch import MOST_ERRORS, BatchError, RemoteBatch
from tokonomi.gateway.http_client import HttpUpstream, Transfer
from tokonomi.gateway.upstream import Broken, Reply, Unreachable
from tokonomi.routing.provider import Timeouts

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
_OK: Final = range(200, 300)
_REFUSED: Final = range(400, 500)
_AGAIN: Final = frozenset({408, 409, 425, 429})
"""Statuses below 500 that may be another one the next time."""
_ANSWER_BYTES: Final = 4 * 1024 * 1024
_LONGEST_TEXT: Final = 500
_MOST_LINES: Final = 1_000_000_000
_MOST_PAGES: Final = 20
_PAGE: Final = 100
MARK: Final = "tokonomi_batch"
"""The name under which a batch at the provider says in its metadata which one of ours it is."""
_LONGEST_WAIT_SECONDS: Final = 3_600
_encode: Final = msgspec.json.Encoder().encode


T = TypeVar("T")


class NotNow(Exception):
    """The provider did not do it, or nobody knows whether it did; it may another time.

    Attributes:
        may_have_arrived: whether it may have done it all the same.
        wait_seconds: how long it asks to be left alone.
    """

    def __init__(
        self, why: str, *, may_have_arrived: bool = True, wait_seconds: int | None = None
    ) -> None:
        self.may_have_arrived = may_have_arrived
        self.wait_seconds = wait_seconds
        super().__init__(why)


class Refused(Exception):
    """The provider will not do it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status = status
        self.code = code
        self.message = message
        super().__init__(f"HTTP {status} ({code})")


class _Counts(msgspec.Struct, frozen=True):
    completed: int = 0
    failed: int = 0


class _Error(msgspec.Struct, frozen=True):
    code: str | None = None
    message: str | None = None
    line: int | None = None


class _Errors(msgspec.Struct, frozen=True):
    data: list[_Error] | None = None


class _Batch(msgspec.Struct, frozen=True):
    id: str
    status: str
    output_file_id: str | None = None
    error_file_id: str | None = None
    request_counts: _Counts | None = None
    errors: _Errors | None = None
    metadata: dict[str, str] | None = None
    created_at: int = 0


class _File(msgspec.Struct, frozen=True):
    id: str
    filename: str = ""
    created_at: int = 0


class _List(msgspec.Struct, Generic[T], frozen=True):
    data: list[T]
    has_more: bool = False


L = TypeVar("L", _Batch, _File)


class _Refusal(msgspec.Struct, frozen=True):
    error: _Error = _Error()


_decode_batch: Final = msgspec.json.Decoder(_Batch).decode
_decode_file: Final = msgspec.json.Decoder(_File).decode
_decode_batches: Final = msgspec.json.Decoder(_List[_Batch]).decode
_decode_files: Final = msgspec.json.Decoder(_List[_File]).decode
_decode_refusal: Final = msgspec.json.Decoder(_Refusal).decode


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on its way to a provider: its name, its length in bytes, and its pieces."""

    name: str
    length: int
    pieces: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Remote:
    """One provider's files and batches. What fails raises `NotNow` or `Refused`."""

    upstream: HttpUpstream
    timeouts: Timeouts

    async def upload(self, upload: Upload) -> str:
        """The provider's id of a file that it has got."""
        boundary = f"tokonomi-{secrets.token_hex(16)}"
        head = (
            f'--{boundary}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
            f'--{boundary}\r\ncontent-disposition: form-data; name="file";'
            f' filename="{upload.name}"\r\ncontent-type: application/jsonl\r\n\r\n'
        ).encode()
        end = f"\r\n--{boundary}--\r\n".encode()

        async def pieces() -> AsyncIterator[bytes]:
            yield head
            async for piece in upload.pieces:
                yield piece
            yield end

        transfer = Transfer(
            "POST",
            "/files",
            pieces(),
            len(head) + upload.length + len(end),
            f"multipart/form-data; boundary={boundary}",
        )
        return _known(_read(_decode_file, await self._answer(transfer)).id)

    async def create(self, remote_file: str, endpoint: str, batch_id: str) -> RemoteBatch:
        """The batch at the provider, just begun, which says in its metadata which of ours it is."""
        asked = {
            "input_file_id": remote_file,
            "endpoint": endpoint,
            "completion_window": "24h",
            "metadata": {MARK: batch_id},
        }
        answer = await self._answer(_posted("/batches", asked))
        return _told(_read(_decode_batch, answer))

    async def find(self, batch_id: str, *, since: int) -> RemoteBatch | None:
        """The batch at the provider that is this one of ours; None where it has none.

        `since` is when it may have been made, in seconds since 1970: older ones are not looked at.
        """
        async for each in self._listed("/batches", "", _decode_batches, since=since):
            if (each.metadata or {}).get(MARK) == batch_id:
                return _told(each)
        return None

    async def files_named(self, name: str, *, since: int) -> list[str]:
        """The provider's ids of all files of batches that bear a name; `since` as in `find`."""
        files = self._listed("/files", "purpose=batch&", _decode_files, since=since)
        return [_known(each.id) async for each in files if each.filename == name]

    async def _listed(
        self, path: str, only: str, decode: Callable[[bytes], _List[L]], *, since: int
    ) -> AsyncIterator[L]:
        """All of a list whose newest come first, save the pages that are older than `since`."""
        after = ""
        for _ in range(_MOST_PAGES):
            query = f"{path}?{only}limit={_PAGE}" + (f"&after={after}" if after else "")
            found = _read(decode, await self._answer(Transfer("GET", query)))
            for each in found.data:
                yield each
            if not found.has_more or not found.data or found.data[-1].created_at < since:
                return
            after = _known(found.data[-1].id)
        raise Refused(200, "list_too_long", f"its list of {path[1:]} has no end")

    async def retrieve(self, remote_batch: str) -> RemoteBatch:
        """The batch as the provider tells of it now."""
        answer = await self._answer(Transfer("GET", f"/batches/{_known(remote_batch)}"))
        return _told(_read(_decode_batch, answer))

    async def cancel(self, remote_batch: str) -> None:
        """Returns when the provider knows that the batch is to end."""
        await self._answer(_posted(f"/batches/{_known(remote_batch)}/cancel", {}))

    async def delete(self, remote_file: str) -> None:
        """Returns when the provider has deleted a file."""
        await self._answer(Transfer("DELETE", f"/files/{_known(remote_file)}"))

    async def content(self, remote_file: str) -> AsyncIterator[bytes]:
        """The bytes of a file, as they come."""
        reply = await self._reply(Transfer("GET", f"/files/{_known(remote_file)}/content"))
        try:
            if reply.status not in _OK:
                raise _failure(reply, await self._whole(reply))
            while piece := await self._piece(reply):
                yield piece
        finally:
            reply.close()

    async def _answer(self, transfer: Transfer) -> bytes:
        reply = await self._reply(transfer)
        try:
            body = await self._whole(reply)
        finally:
            reply.close()
        if reply.status not in _OK:
            raise _failure(reply, body)
        return body

    async def _reply(self, transfer: Transfer) -> Reply:
        limits = self.timeouts
        # A file is as long in coming as a call may take; anything else gets an answer at once.
        patience = (
            limits.total
            if transfer.content_type.startswith("multipart")
            else (limits.connect + limits.first_byte)
        )
        try:
            async with asyncio.timeout(patience):
                return await self.upstream.transfer(transfer, connect_seconds=limits.connect)
        except Unreachable as error:
            raise NotNow(f"it cannot be reached: {error}", may_have_arrived=False) from None
        except Broken as error:
            raise NotNow(f"the connection failed: {error}") from None
        except TimeoutError:
            raise NotNow(f"it did not answer within {patience:g} s") from None

    async def _whole(self, reply: Reply) -> bytes:
        body = b""
        while piece := await self._piece(reply):
            body += piece
            if len(body) > _ANSWER_BYTES:
                raise NotNow(f"its answer is larger than {_ANSWER_BYTES} bytes")
        return body

    async def _piece(self, reply: Reply) -> bytes:
        limit = self.timeouts.between_chunks
        try:
            async with asyncio.timeout(limit):
                return await reply.piece()
        except Broken as error:
            raise NotNow(f"the connection failed: {error}") from None
        except TimeoutError:
            raise NotNow(f"it sent nothing for {limit:g} s") from None


def _read(decode: Callable[[bytes], T], body: bytes) -> T:
    try:
        return decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotNow(f"its answer is not as OpenAI's interface has it: {error}") from None


def _posted(path: str, body: Mapping[str, object]) -> Transfer:
    encoded = _encode(body)

    async def pieces() -> AsyncIterator[bytes]:
        yield encoded

    return Transfer("POST", path, pieces(), len(encoded))


def _failure(reply: Reply, body: bytes) -> NotNow | Refused:
    status = reply.status
    if status not in _REFUSED or status in _AGAIN:
        # A provider that is at its limits has not done it; what broke may have.
        arrived = status not in _AGAIN
        return NotNow(
            f"it answered HTTP {status}", may_have_arrived=arrived, wait_seconds=_wait(reply)
        )
    try:
        error = _decode_refusal(body).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        error = _Error()
    return Refused(status, _text(error.code) or f"http_{status}", _text(error.message))


def _wait(reply: Reply) -> int | None:
    stated = next((value for name, value in reply.headers if name == b"retry-after"), b"")
    return min(int(stated), _LONGEST_WAIT_SECONDS) if stated.isdigit() else None


def _told(batch: _Batch) -> RemoteBatch:
    counts = batch.request_counts or _Counts()
    stated = (batch.errors.data if batch.errors else None) or []
    return RemoteBatch(
        id=_known(batch.id),
        status=batch.status,
        output_file=_known(batch.output_file_id) if batch.output_file_id else "",
        error_file=_known(batch.error_file_id) if batch.error_file_id else "",
        completed=counts.completed,
        failed=counts.failed,
        errors=tuple(
            BatchError(_text(each.code) or "failed", _text(each.message), _line(each.line))
            for each in stated[:MOST_ERRORS]
        ),
    )


def _known(name: str) -> str:
    """An id of the provider's, as it may stand in an address."""
    if not _ID.fullmatch(name):
        raise NotNow(f"its id {name[:40]!r} is none that can stand in an address")
    return name


def _line(number: int | None) -> int | None:
    return number if number is not None and 0 < number < _MOST_LINES else None


def _text(text: str | None) -> str:
    return "".join(each for each in (text or "")[:_LONGEST_TEXT] if each.isprintable())
