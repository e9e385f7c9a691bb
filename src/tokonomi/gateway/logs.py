"""How log records are written: a line each, as text or as JSON, whatever is in them."""

import logging
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec

LogFormat = Literal["text", "json"]
_WHOLE: Final = 1_000_000
LONGEST_TEXT: Final = 200
"""What is kept, in characters, of a text that a client wrote."""

_OF_EVERY_RECORD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
"""What `logging` puts on a record itself; everything else is a field that its writer gave it."""

_encode: Final = msgspec.json.Encoder().encode


def plain(text: str, longest: int = LONGEST_TEXT) -> str:
    r"""The text on one line: what does not print is written by its number.

    >>> plain("gpt\n2026-01-30 ERROR all is lost\u2028")
    'gpt\\u000a2026-01-30 ERROR all is lost\\u2028'
    """
    text = text[:longest]
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in text)


class TextFormatter(logging.Formatter):
    """A record as a line of text; the lines of a traceback stand under it, each marked."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line, with nothing in it that could end it."""
        return plain(super().formatMessage(record), longest=_WHOLE)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """The traceback; no line of it can be taken for a record."""
        lines = super().formatException(ei).splitlines()
        return "\n".join(f"  | {plain(line, longest=_WHOLE)}" for line in lines)


class JsonFormatter(logging.Formatter):
    """A record as one JSON object on one line, with the fields that its writer gave it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        told: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": plain(record.getMessage(), longest=_WHOLE),
        }
        for name, value in vars(record).items():
            if name not in _OF_EVERY_RECORD and isinstance(value, str | int):
                told[name] = plain(value) if isinstance(value, str) else value
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return _encode(told).decode()


def formatter(form: LogFormat) -> logging.Formatter:
    """The formatter of a form."""
    return JsonFormatter() if form == "json" else TextFormatter()
