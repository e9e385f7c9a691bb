"""The dialects: what reads and writes each. A new one is an entry here and files of its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tokonomi.dialects import (
    anthropic_answer_write,
    anthropic_errors,
    anthropic_read,
    anthropic_write,
    gemini_errors,
    gemini_write,
    openai_chat_answer_write,
    openai_chat_read,
    openai_chat_write,
    openai_errors,
)
from tokonomi.dialects.answer import Answer, Failure, Head
from tokonomi.dialects.anthropic_answer_read import MessagesReader
from tokonomi.dialects.conversation import Conversation
from tokonomi.dialects.destination import Destination, EgressName, IngressName
from tokonomi.dialects.fields import Fields
from tokonomi.dialects.gemini_answer_read import GeminiReader
from tokonomi.dialects.openai_chat_answer_read import ChatReader
from tokonomi.dialects.refusal import Dropped, Limit, Rule
from tokonomi.dialects.stream_port import Reader, Writer
from tokonomi.usage import Usage


@dataclass(frozen=True, slots=True)
class Ingress:
    """What clients speak.

    Attributes:
        rules: every field of a request that is known, and what becomes of it.
        read: the request that the carried fields state.
        write_whole: the body of an answer.
        writer: writes an answer as a stream.
        write_error: the body of an answer that is an error.
    """

    rules: Mapping[str, Rule]
    read: Callable[[Fields, list[Dropped]], Conversation]
    write_whole: Callable[[Answer, Usage | None, Head], bytes]
    writer: Callable[[Head], Writer]
    write_error: Callable[[Failure], bytes]


@dataclass(frozen=True, slots=True)
class Egress:
    """What providers speak.

    Attributes:
        limits: the features that a destination cannot be told, and what becomes of them.
        write: the body of a request.
        reader: reads an answer, whole or streamed.
        read_error: the error that a reply with an error's status states.
    """

    limits: Callable[[Destination], Mapping[str, Limit]]
    write: Callable[[Conversation, Destination, list[Dropped]], dict[str, object]]
    reader: Callable[[], Reader]
    read_error: Callable[[int, bytes], Failure]


INGRESS: Final[Mapping[IngressName, Ingress]] = {
    "openai_chat": Ingress(
        openai_chat_read.RULES,
        openai_chat_read.read,
        openai_chat_answer_write.write_whole,
        openai_chat_answer_write.ChatWriter,
        openai_chat_answer_write.write_error,
    ),
    "anthropic_messages": Ingress(
        anthropic_read.RULES,
        anthropic_read.read,
        anthropic_answer_write.write_whole,
        anthropic_answer_write.MessagesWriter,
        anthropic_answer_write.write_error,
    ),
}
EGRESS: Final[Mapping[EgressName, Egress]] = {
    "openai_chat": Egress(
        openai_chat_write.limits, openai_chat_write.write, ChatReader, openai_errors.read
    ),
    "anthropic_messages": Egress(
        anthropic_write.limits, anthropic_write.write, MessagesReader, anthropic_errors.read
    ),
    "gemini": Egress(gemini_write.limits, gemini_write.write, GeminiReader, gemini_errors.read),
}
