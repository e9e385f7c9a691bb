"""OpenAI's responses."""

from typing import Final

from tokonomi.dialects import openai_errors
from tokonomi.dialects.openai_responses import read_request, write_answer, write_request
from tokonomi.dialects.openai_responses.read_answer import ResponsesReader
from tokonomi.dialects.port import Egress, Ingress

INGRESS: Final = Ingress(
    rules=read_request.RULES,
    read=read_request.read,
    write_whole=write_answer.write_whole,
    writer=write_answer.ResponsesWriter,
    write_error=write_answer.write_error,
)
EGRESS: Final = Egress(
    limits=write_request.limits,
    write=write_request.write,
    reader=ResponsesReader,
    read_error=openai_errors.read,
)
