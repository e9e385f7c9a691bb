"""A form that arrives in pieces: its fields, and its file, which is never held whole."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final, NamedTuple, cast

import multipart
from multipart import MultipartError, MultipartSegment, PushMultipartParser

from tokonomi.gateway.answer import Receive
from tokonomi.gateway.wire_errors import GATEWAY, WireError

_FORM: Final = "multipart/form-data"
_MOST_FIELDS: Final = 16
_options_of = cast(
    "Callable[[str], tuple[str, Mapping[str, str]]]",
    multipart.parse_options_header,  # pyright: ignore[reportUnknownMemberType]  # it has no types
)


class Piece(NamedTuple):
    """Some bytes of a field of the form; the last piece of each is empty.

    `filename` is None where the field is no file.
    """

    field: str
    filename: str | None
    content: bytes


async def form_of(
    content_type: str, receive: Receive, *, most_bytes: int, patience_seconds: float
) -> AsyncIterator[Piece]:
    """The fields of a form, in the order and the pieces in which they come.

    Raises:
        WireError: 400 when it is no form, 413 when it is too large, 408 when it comes too slowly.
    """
    kind, options = _options_of(content_type)
    boundary = options.get("boundary", "")
    if kind != _FORM or not boundary:
        raise _no_form(f"Its content-type is {content_type[:100]!r}")
    segment: MultipartSegment | None = None
    try:
        parser = PushMultipartParser(boundary, max_segment_count=_MOST_FIELDS, strict=True)
        with parser:
            async for chunk in _body(receive, most_bytes, patience_seconds, file_too_large):
                for event in parser.parse(chunk):
                    if isinstance(event, MultipartSegment):
                        segment = event
                        continue
                    assert segment is not None, "content comes inside of a field"
                    content = b"" if event is None else bytes(event)
                    yield Piece(segment.name or "", segment.filename, content)
    except MultipartError as error:
        raise _no_form(f"It cannot be read: {error}") from None


async def received(receive: Receive, *, most_bytes: int, patience_seconds: float) -> bytes:
    """A whole body, which is a small one.

    Raises:
        WireError: 413 when it is too large, 408 when it comes too slowly.
    """
    pieces = _body(receive, most_bytes, patience_seconds, _body_too_large)
    return b"".join([piece async for piece in pieces])


async def _body(
    receive: Receive,
    most_bytes: int,
    patience_seconds: float,
    too_large: Callable[[int], WireError],
) -> AsyncIterator[bytes]:
    received = 0
    while True:
        try:
            async with asyncio.timeout(patience_seconds):
                message = await receive()
        except TimeoutError:
            raise WireError(
                408,
                "body_too_slow",
                f"Nothing of the body came for {patience_seconds:g} s.",
                kind=GATEWAY,
            ) from None
        if message["type"] == "http.disconnect":
            raise WireError(400, "client_left", "The client left before its file was whole.")
        piece: bytes = message["body"]
        received += len(piece)
        if received > most_bytes:
            raise too_large(most_bytes)
        if piece:
            yield piece
        if not message.get("more_body"):
            return


def file_too_large(most_bytes: int) -> WireError:
    """The answer to a file that is larger than it may be."""
    return WireError(
        413,
        "file_too_large",
        f"The file is larger than {most_bytes} bytes. Split it, or raise [batches] file_bytes.",
    )


def _body_too_large(most_bytes: int) -> WireError:
    return WireError(413, "body_too_large", f"The body is larger than {most_bytes} bytes.")


def _no_form(what: str) -> WireError:
    return WireError(
        400,
        "invalid_form",
        f"The body is not a form with a file. {what[:300]}. Send {_FORM} with `purpose` and"
        " `file`.",
    )
