"""Google's generateContent, which clients of ours do not speak."""

from typing import Final

from tokonomi.dialects.gemini import errors, write_request
from tokonomi.dialects.gemini.read_answer import GeminiReader
from tokonomi.dialects.port import Egress

EGRESS: Final = Egress(
    limits=write_request.limits,
    write=write_request.write,
    reader=GeminiReader,
    read_error=errors.read,
)
