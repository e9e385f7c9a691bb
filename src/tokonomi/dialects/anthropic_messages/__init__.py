"""Anthropic's messages."""

from typing import Final

from tokonomi.dialects.anthropic_messages import errors, read_request, write_answer, write_request
from tokonomi.dialects.anthropic_messages.read_answer import MessagesReader
from tokonomi.dialects.port import Egress, Ingress

INGRESS: Final = Ingress(
    rules=read_request.RULES,
    read=read_request.read,
    write_whole=write_answer.write_whole,
    writer=write_answer.MessagesWriter,
    write_error=write_answer.write_error,
)
EGRESS: Final = Egress(
    limits=write_request.limits,
    write=write_request.write,
    reader=MessagesReader,
    read_error=errors.read,
)
