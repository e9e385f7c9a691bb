"""How an answer reaches a client who speaks another dialect than its provider, or the same."""

from functools import cache

from msgspec import Struct

from tokonomi.dialects import translate
from tokonomi.dialects.answer import Failure, Head
from tokonomi.dialects.destination import EgressName, IngressName
from tokonomi.dialects.translate import StreamTranslator
from tokonomi.gateway.endpoints import Endpoint
from tokonomi.gateway.joined_answer import JoinedAnswer
from tokonomi.gateway.settle import Exchange
from tokonomi.gateway.stream import StreamRelay
from tokonomi.gateway.wire_errors import WireError
from tokonomi.providers.adapter import Dialect
from tokonomi.usage import Usage


class Crossing(Struct, frozen=True):
    """A pair of two different dialects."""

    ingress: IngressName
    egress: EgressName


class Carriage(Struct, frozen=True):
    """The way of one answer. Within one dialect it passes byte for byte."""

    ingress: IngressName | None
    dialect: Dialect
    crossing: Crossing | None

    def whole(self, exchange: Exchange, body: bytes) -> bytes | Failure:
        """A whole answer as the client expects it, or why it is none."""
        if self.crossing is None:
            return body
        usage, head = usage_of(exchange), _head(exchange)
        ways = self.crossing.ingress, self.crossing.egress
        return translate.reply(*ways, body, usage=usage, head=head)

    def error(self, status: int, body: bytes) -> bytes:
        """A provider's error as the client expects it."""
        if self.crossing is None:
            return body
        _, translated = translate.error(self.crossing.ingress, self.crossing.egress, status, body)
        return translated

    def relay(self, exchange: Exchange, joined: JoinedAnswer | None = None) -> "Relayed":
        """What carries a streamed answer; `joined` where it may be one of several parts."""
        translator: StreamTranslator | JoinedAnswer | None = joined
        if joined is not None:
            joined.begin(_egress(self.dialect), _head(exchange))
        elif self.crossing is not None:
            ways = self.crossing.ingress, self.crossing.egress
            translator = StreamTranslator(*ways, _head(exchange))
        relay = StreamRelay(
            exchange.reading,
            wants_usage=exchange.request.wants_usage,
            dialect=self.dialect,
            translator=translator,
        )
        return Relayed(self, relay, translator)


@cache
def carriage_between(endpoint: Endpoint, dialect: Dialect) -> Carriage:
    """The way from a provider that is asked in `dialect` to the clients of an endpoint."""
    ingress = endpoint.ingress
    if ingress is None or dialect is endpoint.dialect:
        return Carriage(ingress, dialect, None)
    return Carriage(ingress, dialect, Crossing(ingress, _egress(dialect)))


class Relayed(Struct, frozen=True):
    """A streamed answer on its way, and how it ends for its client."""

    carriage: Carriage
    stream: StreamRelay
    translator: StreamTranslator | JoinedAnswer | None

    def end(self, exchange: Exchange, comment: bytes) -> bytes:
        """The end of an answer that is whole."""
        if self.translator is None:
            return self.stream.ending(comment)
        if self.translator.failure is not None:
            return comment
        return comment + self.translator.finish(usage_of(exchange))

    def broken_off(self, error: WireError, comment: bytes) -> bytes:
        """The end of an answer that is not; the provider's own word for it has gone out before."""
        if self.translator is not None:
            return self.translator.fail(untold(error)) + comment
        said = b"" if self.stream.error_told else error.event(self.carriage.ingress)
        return self.stream.ending(said + comment)


def untold(error: WireError) -> Failure:
    """An error of ours in the neutral form."""
    return Failure(error.status, "server", error.message, error.code)


def usage_of(exchange: Exchange) -> Usage | None:
    """What the answer says of its usage, where that can be true."""
    usage = exchange.reading.usage(exchange.intent.at)
    return usage if isinstance(usage, Usage) else None


def _head(exchange: Exchange) -> Head:
    return Head(
        id=exchange.intent.request_id,
        model=exchange.intent.model,
        created=int(exchange.intent.at.timestamp()),
        wants_usage=exchange.request.wants_usage,
        fields=exchange.request.fields,
    )


def _egress(dialect: Dialect) -> EgressName:
    match dialect:
        case Dialect.OPENAI_CHAT:
            return "openai_chat"
        case Dialect.OPENAI_RESPONSES:
            return "openai_responses"
        case Dialect.ANTHROPIC_MESSAGES:
            return "anthropic_messages"
        case Dialect.GEMINI:
            return "gemini"
        case _:
            raise AssertionError("nothing is translated into this dialect")
