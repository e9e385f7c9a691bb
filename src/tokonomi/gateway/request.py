"""A request's body, parsed once: what we must know is decoded, all else passes untouched."""

from collections.abc import Mapping
from typing import Final

import msgspec

from tokonomi.gateway.duplicates import repeated_field
from tokonomi.gateway.wire_errors import WireError
from tokonomi.providers.adapter import Dialect

_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text: Final = msgspec.json.Decoder(str).decode
_decode_flag: Final = msgspec.json.Decoder(bool | None).decode
_encode: Final = msgspec.json.Encoder().encode
_INCLUDE_USAGE: Final = msgspec.Raw(b'{"include_usage":true}')
OUTPUT_LIMITS: Final[Mapping[Dialect, tuple[str, ...]]] = {
    Dialect.OPENAI_CHAT: ("max_completion_tokens", "max_tokens"),
    Dialect.OPENAI_RESPONSES: ("max_output_tokens",),
    Dialect.OPENAI_EMBEDDINGS: (),
    Dialect.ANTHROPIC_MESSAGES: ("max_tokens",),
}
"""The fields that limit an answer, by dialect. Every server that speaks it knows the last."""
_TRUE: Final = msgspec.Raw(b"true")
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError)
"""What a value raises that is of another type, or whose text is not UTF-8."""


class ParsedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request's body.

    Attributes:
        body: as the client sent it.
        fields: its top level; the values are the client's own bytes.
        model: the name that the client asked for.
        stream: whether the answer is to be a stream.
        wants_usage: whether the client asked for the usage event of a stream.
        user: the end user that the body names.
        dialect: what it is written in.
    """

    body: bytes
    fields: dict[str, msgspec.Raw]
    model: str
    stream: bool
    wants_usage: bool
    user: str
    dialect: Dialect = Dialect.OPENAI_CHAT

    def body_for(
        self,
        model: str,
        *,
        max_tokens: int | None = None,
        fields: Mapping[str, msgspec.Raw] | None = None,
    ) -> bytes:
        """The body for the provider: its name of the model, and the usage of a stream forced.

        `max_tokens` is a limit of output to send along; a hold was made for no more. `fields` stand
        in place of the client's, the model among them.

        When nothing changes these are the client's own bytes; else every value that we do not set
        is.
        """
        forced = self.stream and not self.wants_usage
        if model == self.model and not forced and max_tokens is None and fields is None:
            return self.body
        fields = dict(fields or {**self.fields, "model": msgspec.Raw(_encode(model))})
        if max_tokens is not None:
            known = OUTPUT_LIMITS[self.dialect]
            limits = [name for name in known if name in fields] or known[-1:]
            fields |= dict.fromkeys(limits, msgspec.Raw(b"%d" % max_tokens))
        if forced:
            fields["stream_options"] = _with_usage(self.fields.get("stream_options"))
        return _encode(fields)


def parse(body: bytes, dialect: Dialect = Dialect.OPENAI_CHAT) -> ParsedRequest:
    """The request that a body states.

    Raises:
        WireError: 400, when it is no JSON object, or one of its fields stands twice, or `model`,
            `stream` or `stream_options` has a wrong type. All else is the provider's to judge.
    """
    try:
        fields = _decode_fields(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(
            400, "invalid_json", f"The body is not a JSON object: {error}. Send an object."
        ) from None
    repeated = repeated_field(body, fields)
    if repeated is not None:
        # Of two values we may take one, and the provider the other. To send on our reading of it
        # would change a request without a word; so whoever wrote it says which one is meant.
        raise _wrong(repeated, "stands twice in the body", "Send it once.")
    if "model" not in fields:
        raise _wrong("model", "is missing", "Name a model that GET /v1/models lists.")
    try:
        model = _decode_text(fields["model"])
    except _UNREADABLE:
        raise _wrong("model", "is not a text", "Send a model's name.") from None
    stream = _flag(fields, "stream")
    options = fields.get("stream_options") if stream else None
    return ParsedRequest(
        body=body,
        fields=fields,
        model=model,
        stream=stream,
        wants_usage=options is not None and _flag(_options(options), "include_usage"),
        user=_user(fields.get("user")),
        dialect=dialect,
    )


def _flag(fields: dict[str, msgspec.Raw], name: str) -> bool:
    raw = fields.get(name)
    if raw is None:
        return False
    try:
        return bool(_decode_flag(raw))
    except _UNREADABLE:
        raise _wrong(name, "is neither true nor false", "Send true or false.") from None


def _options(raw: msgspec.Raw) -> dict[str, msgspec.Raw]:
    try:
        return msgspec.json.decode(raw, type=dict[str, msgspec.Raw] | None) or {}
    except _UNREADABLE:
        raise _wrong("stream_options", "is not an object", "Send an object.") from None


def _with_usage(raw: msgspec.Raw | None) -> msgspec.Raw:
    if raw is None:
        return _INCLUDE_USAGE
    return msgspec.Raw(_encode({**_options(raw), "include_usage": _TRUE}))


def _user(raw: msgspec.Raw | None) -> str:
    """The body's `user`; one of a wrong type is the provider's to refuse."""
    if raw is None:
        return ""
    try:
        user = _decode_text(raw)
    except _UNREADABLE:
        return ""
    return user if user.isprintable() else ""


def _wrong(name: str, what: str, remedy: str) -> WireError:
    return WireError(400, "invalid_request", f"`{name}` {what}. {remedy}", param=name)
