"""The dialects by their names. A new one is a folder of its own, and a line here."""

from collections.abc import Mapping
from typing import Final

from tokonomi.dialects import anthropic_messages, gemini, openai_chat, openai_responses
from tokonomi.dialects.destination import EgressName, IngressName
from tokonomi.dialects.port import Egress, Ingress

INGRESS: Final[Mapping[IngressName, Ingress]] = {
    "openai_chat": openai_chat.INGRESS,
    "openai_responses": openai_responses.INGRESS,
    "anthropic_messages": anthropic_messages.INGRESS,
}
EGRESS: Final[Mapping[EgressName, Egress]] = {
    "openai_chat": openai_chat.EGRESS,
    "openai_responses": openai_responses.EGRESS,
    "anthropic_messages": anthropic_messages.EGRESS,
    "gemini": gemini.EGRESS,
}
