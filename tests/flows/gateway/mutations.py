"""Requests and answers that are nearly right: values exchanged, fields lost, bytes broken."""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from dialect_replies import REPLIES, STREAMS
from dialect_samples import HELLO, REQUESTS
from fake_provider import STREAM_END, STREAM_HEAD, chunked, whole
from hypothesis import strategies as st

PATHS: Final = {
    "openai_chat": "/v1/chat/completions",
    "openai_responses": "/v1/responses",
    "anthropic_messages": "/v1/messages",
}
"""The gateway's endpoint of each dialect of clients."""
DONE: Final = b"[DONE]"
EMBEDDING: Final = {"model": "text-embedding-3-small", "input": "hello"}
DEEP: Final[Any] = json.loads("[" * 200 + "]" * 200)
ODD: Final[list[Any]] = [None, True, "", "\ud800", "\x00", "user", "9" * 500, -1, 0, 10**30, 1e308]
NASTY: Final[st.SearchStrategy[Any]] = st.sampled_from([*ODD, [], {}, [[]], DEEP])
VALUES: Final[st.SearchStrategy[Any]] = NASTY | st.recursive(
    st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
PLACE: Final = st.integers(0, 10**6)


@dataclass(frozen=True)
class ByteEdit:
    """A change of bytes at a place, which counts in millionths of the text."""

    kind: Literal["delete", "insert", "repeat", "cut"]
    place: int
    length: int
    text: bytes


BYTE_EDITS: Final = st.builds(
    ByteEdit,
    kind=st.sampled_from(["delete", "insert", "repeat", "cut"]),
    place=PLACE,
    length=st.integers(1, 40),
    text=st.sampled_from(
        [b'"', b"}", b"\\", b"\xff", b"\r\n\r\n", b"data: ", b"99999999999999999999"]
    )
    | st.binary(max_size=12),
)


def broken(data: bytes, edits: list[ByteEdit]) -> bytes:
    """The text after each edit."""
    for edit in edits:
        at = len(data) * edit.place // 10**6
        piece = data[at : at + edit.length]
        match edit.kind:
            case "delete":
                data = data[:at] + data[at + edit.length :]
            case "insert":
                data = data[:at] + edit.text + data[at:]
            case "repeat":
                data = data[:at] + piece * 3 + data[at + edit.length :]
            case "cut":
                data = data[:at]
    return data


def _places(value: object) -> Iterator[tuple[Any, Any]]:
    """Every container in a value, with each of its keys or numbers."""
    if isinstance(value, dict):
        keys: list[Any] = [*cast("dict[str, object]", value)]
    elif isinstance(value, list):
        keys = [*range(len(cast("list[object]", value)))]
    else:
        return
    container = cast("Any", value)
    for key in keys:
        yield container, key
        yield from _places(container[key])


@dataclass(frozen=True)
class ValueEdit:
    """One value of a document is another one, or is gone."""

    place: int
    gone: bool
    value: object


VALUE_EDITS: Final = st.builds(ValueEdit, place=PLACE, gone=st.booleans(), value=VALUES)


def changed(document: Mapping[str, object], edits: list[ValueEdit]) -> dict[str, object]:
    """The document after each edit."""
    found: dict[str, object] = deepcopy(dict(document))
    for edit in edits:
        places = [*_places(found)]
        if not places:
            break
        container, key = places[edit.place % len(places)]
        if edit.gone:
            del container[key]
        else:
            container[key] = deepcopy(edit.value)
    return found


@dataclass(frozen=True)
class Sent:
    """A request as it goes to the gateway."""

    path: str
    body: bytes


@st.composite
def bodies(draw: st.DrawFn, models: list[str]) -> Sent:
    """A nearly right body for one of the endpoints."""
    if draw(st.integers(0, 9)) == 0:
        path, document = "/v1/embeddings", dict[str, object](EMBEDDING)
    else:
        dialect = draw(st.sampled_from([*PATHS]))
        path = PATHS[dialect]
        document = {**draw(st.sampled_from([REQUESTS[dialect], HELLO[dialect]]))}
        document["model"] = draw(st.sampled_from(models))
        document["stream"] = draw(st.booleans())
    text = json.dumps(changed(document, draw(st.lists(VALUE_EDITS, max_size=3)))).encode()
    # A broken byte is a refusal most of the time, so most bodies have none.
    breaks = draw(st.lists(BYTE_EDITS, max_size=2)) if draw(st.integers(0, 3)) == 0 else []
    return Sent(path, broken(text, breaks))


def events_of(dialect: str, data: list[bytes]) -> bytes:
    """A stream of events in the form of its dialect."""
    if dialect in {"openai_chat", "gemini"}:
        return b"".join(b"data: " + each + b"\n\n" for each in data)
    names = [str(json.loads(each).get("type", "")).encode(errors="replace") for each in data]
    pairs = zip(names, data, strict=True)
    return b"".join(b"event: " + name + b"\ndata: " + each + b"\n\n" for name, each in pairs)


@dataclass(frozen=True)
class Upstream:
    """How a provider's answers differ from right ones."""

    values: list[ValueEdit]
    """Edits of a whole answer, and of the event of a stream that `event` names."""
    event: int
    raw: list[ByteEdit]
    pieces: list[int]
    """Sizes of the pieces that a stream comes in."""
    ends: bool
    """Whether a stream ends as HTTP asks."""

    def answer(self, dialect: str, *, stream: bool) -> Iterator[bytes]:
        """The bytes of the answer; what follows is a hangup where it does not end."""
        if not stream:
            body = json.dumps(changed(REPLIES[dialect], self.values)).encode()
            yield whole(200, broken(body, self.raw))
            return
        data = [*STREAMS[dialect]]
        place = self.event % (len(data) - (data[-1] == DONE))
        data[place] = json.dumps(changed(json.loads(data[place]), self.values)).encode()
        text = broken(events_of(dialect, data), self.raw)
        yield STREAM_HEAD
        for size in self.pieces:
            if piece := text[:size]:
                yield chunked(piece)
            text = text[size:]
        if text:
            yield chunked(text)
        if self.ends:
            yield STREAM_END


RIGHT: Final = Upstream([], 0, [], [], ends=True)
UPSTREAMS: Final = st.builds(
    Upstream,
    values=st.lists(VALUE_EDITS, max_size=3),
    event=st.integers(0, 50),
    raw=st.just(list[ByteEdit]()) | st.lists(BYTE_EDITS, max_size=3),
    pieces=st.lists(st.integers(1, 200), max_size=20),
    ends=st.integers(0, 3).map(bool),
)
