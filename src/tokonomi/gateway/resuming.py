"""Answers that broke off, taken up by the next target: whether, and what that target is asked."""

from dataclasses import dataclass
from typing import Final

import msgspec

from tokonomi.dialects import translate
from tokonomi.dialects.refusal import CannotCarry
from tokonomi.gateway.errand import Errand
from tokonomi.gateway.joined_answer import JoinedAnswer
from tokonomi.gateway.outgoing import Outgoing, form_of
from tokonomi.gateway.request import ParsedRequest
from tokonomi.providers.adapter import Dialect
from tokonomi.providers.settled_call import joined
from tokonomi.routing.chain import Try
from tokonomi.routing.resume import Prefix, Resumption, resumed_by, resumption

_encode: Final = msgspec.json.Encoder().encode
_decode_list: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_TURNS: Final = {Dialect.OPENAI_RESPONSES: "input"}
"""The field that holds a request's turns, where it is not `messages`."""


@dataclass(slots=True)
class Resuming:
    """What resumes the answer of one request.

    Attributes:
        errand: the request.
        joined: its answer, out of those of its targets.
        prefilled: whether the client itself gives a beginning; then no target gets another one.
        broken: the number of the attempt whose answer the client has the last part of.
        mark: what the row of the attempt that failed last says of its part in the answer.
    """

    errand: Errand
    joined: JoinedAnswer
    prefilled: bool = False
    broken: int = 0
    mark: str = ""

    @classmethod
    def of(cls, errand: Errand) -> "Resuming | None":
        """What resumes the answer of a request; None where nothing would.

        Only what the neutral form can say is read and written in parts. So a request that it
        cannot say, one for several answers among them, has its stream byte for byte and unresumed.
        """
        ingress, terms = errand.endpoint.ingress, errand.destination.terms
        if not terms.resume or not errand.request.stream or ingress is None:
            return None
        try:
            asked = translate.read_request(ingress, errand.request.fields, [])
        except CannotCarry:
            return None
        joined = JoinedAnswer(ingress, structured=asked.output_format is not None)
        prefilled = bool(asked.messages) and asked.messages[-1].role == "assistant"
        return cls(errand, joined, prefilled)

    def breaks_off(self, step: Try, *, sent: bool) -> None:
        """An attempt has failed; `sent` when the client has a part of its answer."""
        self.mark = self.joined.mark
        if sent:
            self.broken = step.attempt

    def takes_up(self, step: Try) -> bool:
        """Whether a try can take up what the client has; if so it is to do that."""
        how = self._resumption(step)
        if how is not None:
            self.joined.resume(how, attempt=self.broken)
        return how is not None

    def note(self, then: Try | None) -> str:
        """What the row of the attempt that failed last says; `then` is the try behind it."""
        goes_on = then is not None and self.broken == then.attempt - 1
        return joined(self.mark, resumed_by(then.attempt) if then and goes_on else "")

    def request(self) -> ParsedRequest:
        """The request for the present try, with the beginning of its answer where it gets one."""
        request = self.errand.request
        prefix = self._prefix
        return request if prefix is None else _behind(request, prefix)

    def addressed(self, out: Outgoing) -> Outgoing:
        """What leaves for the present try, with what its provider wants to be told of a prefix."""
        prefix = self._prefix
        if prefix is None or out.dialect is not Dialect.OPENAI_CHAT:
            return out
        fields = _decode_fields(out.body)
        turns: list[object] = [*_decode_list(fields["messages"])[:-1], prefix.message]
        return msgspec.structs.replace(
            out, body=_encode({**fields, **prefix.fields, "messages": turns})
        )

    @property
    def _prefix(self) -> Prefix | None:
        how = self.joined.resumes
        return None if how is None else how.prefix

    def _resumption(self, step: Try) -> Resumption | None:
        target = self.errand.destination.targets[step.target]
        form = "none" if self.prefilled else form_of(target, self.errand.endpoint)
        return resumption(self.joined.sent, step.how, form)


def _behind(request: ParsedRequest, prefix: Prefix) -> ParsedRequest:
    """A request whose last turn is the beginning of its answer, in the client's dialect."""
    name = _TURNS.get(request.dialect, "messages")
    raw = request.fields[name]
    turn = {"role": "assistant", "content": prefix.message["content"]}
    if bytes(raw).startswith(b'"'):
        before: list[object] = [{"role": "user", "content": raw}]
    else:
        before = [*_decode_list(raw)]
    fields = {**request.fields, name: msgspec.Raw(_encode([*before, turn]))}
    return msgspec.structs.replace(request, fields=fields, body=_encode(fields))
