"""OpenAI's responses, written: an answer as a client of that interface expects it.

A whole response is what its stream ends with, so there is one way to make it.
"""

from collections.abc import Mapping
from typing import Final

from tokonomi.dialects.answer import (
    Answer,
    Cited,
    Event,
    Failed,
    Failure,
    Finish,
    Finished,
    Head,
    ReasoningBegun,
    ReasoningDelta,
    ReasoningSigned,
    RefusalDelta,
    Started,
    TextBegun,
    TextDelta,
    ToolBegun,
    ToolDelta,
    events_of,
)
from tokonomi.dialects.conversation import Reasoning
from tokonomi.dialects.openai_errors import TYPES
from tokonomi.dialects.openai_errors import write as error_object
from tokonomi.dialects.openai_responses.write_request import annotation
from tokonomi.dialects.reasoning import OPENAI, seal
from tokonomi.dialects.sse import encode, named_event
from tokonomi.usage import Usage

Json = dict[str, object]
ECHOED: Final = (
    "instructions",
    "metadata",
    "temperature",
    "top_p",
    "parallel_tool_calls",
    "tool_choice",
    "tools",
    "max_output_tokens",
    "reasoning",
    "text",
    "truncation",
    "user",
)
"""What a response repeats of its request."""

_UNSAID: Final[Json] = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
UNFINISHED: Final[Mapping[Finish, str]] = {
    "length": "max_output_tokens",
    "filtered": "content_filter",
}
"""Why a response is `incomplete`; every other one is `completed`."""


def usage_fields(usage: Usage) -> Json:
    """Usage in the fields of responses, whose input includes what was cached."""
    return {
        "input_tokens": usage.total_input,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read + usage.cache_read_audio,
            "cache_write_tokens": usage.cache_write_5m + usage.cache_write_1h,
        },
        "output_tokens": usage.total_output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total_tokens,
    }


def write_whole(answer: Answer, usage: Usage | None, head: Head) -> bytes:
    """The body of a whole answer."""
    writer = ResponsesWriter(head)
    for event in events_of(answer):
        writer.write(event)
    return encode(writer.response(usage))


def write_error(failure: Failure) -> bytes:
    """The body of an answer that is an error."""
    return encode(error_object(failure))


class ResponsesWriter:
    """One answer being written as responses stream: items and their parts, each begun and done."""

    __slots__ = (
        "_cited_at",
        "_content",
        "_end",
        "_fields",
        "_head",
        "_item",
        "_output",
        "_part",
        "_pieces",
        "_reasoning",
        "_sequence",
        "_signed",
        "_sources",
        "_started",
        "_summary",
        "_where",
    )

    def __init__(self, head: Head) -> None:
        self._head = head
        self._started: Started | None = None
        self._fields: Json = {}
        self._sequence = -1
        self._output: list[Json] = []
        self._item: Json = {}
        self._content: list[Json] = []
        self._summary: list[Json] = []
        self._part: Json = {}
        self._sources: list[Json] = []
        self._cited_at: Json = {}
        self._pieces: list[str] = []
        self._where = b""
        self._reasoning = ReasoningBegun()
        self._signed = ReasoningSigned("")
        self._end = Finished("stop")

    def write(self, event: Event) -> bytes:  # noqa: C901, PLR0911 - one case for each event
        """What goes to the client for one event; see `Writer.write`."""
        match event:
            case TextDelta(text=text):
                opened = b"" if self._part_is("output_text") else self._begin_text()
                return opened + self._text_delta(text)
            case ToolDelta(arguments=text):
                return self._delta("response.function_call_arguments.delta", text)
            case ReasoningDelta(text=text):
                return self._thought(text)
            case RefusalDelta(text=text):
                opened = b"" if self._part_is("refusal") else self._begin_refusal()
                return opened + self._delta("response.refusal.delta", text, content_index=True)
            case Started():
                return self._begin(event)
            case TextBegun():
                return self._begin_text()
            case ToolBegun():
                return self._begin_call(event)
            case ReasoningBegun():
                return self._begin_reasoning(event)
            case ReasoningSigned():
                self._signed = event
                return b""
            case Cited(citation=citation):
                return self._cited(annotation(citation))
            case Finished():
                self._end = event
                return b""
            case Failed(failure=failure):
                return self.fail(failure)

    def finish(self, usage: Usage | None) -> bytes:
        """The last events; see `Writer.finish`."""
        closed = self._begin() + self._close_item()
        response = self.response(usage)
        return closed + self._event(f"response.{response['status']}", response=response)

    def fail(self, failure: Failure) -> bytes:
        """The error as OpenAI streams it: an event of its own, then the failed response."""
        begun = self._begin() + self._close_item()
        code, message = failure.code or TYPES[failure.kind], failure.message
        known = {"rate_limit": "rate_limit_exceeded", "invalid_request": "invalid_prompt"}
        error = {"code": known.get(failure.kind, "server_error"), "message": message}
        response = self._response("failed") | {"error": error}
        told = self._event("error", code=code, message=message, param=failure.param or None)
        return begun + told + self._event("response.failed", response=response)

    def response(self, usage: Usage | None) -> Json:
        """The whole response as far as it has come."""
        self._begin()
        self._close_item()
        unfinished = UNFINISHED.get(self._end.reason)
        response = self._response("incomplete" if unfinished else "completed")
        if unfinished:
            response["incomplete_details"] = {"reason": unfinished}
        return response | {"usage": usage_fields(usage) if usage else None}

    def _response(self, status: str) -> Json:
        started = self._started or Started()
        return {
            "id": started.id,
            "object": "response",
            "created_at": started.created,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "model": started.model,
            "output": [*self._output],
            **self._fields,
            "previous_response_id": None,
            "store": False,
            "usage": None,
        }

    def _begin(self, started: Started | None = None) -> bytes:
        if self._started is not None:
            return b""
        self._started = self._head.named(started or Started())
        asked = self._head.fields
        self._fields = _UNSAID | {name: asked[name] for name in ECHOED if name in asked}
        response = self._response("in_progress")
        created = self._event("response.created", response=response)
        return created + self._event("response.in_progress", response=response)

    def _event(self, kind: str, **fields: object) -> bytes:
        self._sequence += 1
        return named_event({"type": kind, "sequence_number": self._sequence, **fields})

    def _item_event(self, kind: str, **fields: object) -> bytes:
        index = len(self._output)
        return self._event(kind, item_id=self._item["id"], output_index=index, **fields)

    def _begin_item(self, prefix: str, item: Json) -> bytes:
        begun = self._begin() + self._close_item()
        started = self._started or Started()
        name = f"{prefix}_{started.id}_{len(self._output)}"
        self._item = {"id": name, **item, "status": "in_progress"}
        self._content, self._summary = [], []
        match item["type"]:
            case "message":
                self._item["content"] = self._content
            case "reasoning":
                self._item["summary"] = self._summary
            case _:
                pass
        added = {"output_index": len(self._output), "item": self._item}
        return begun + self._event("response.output_item.added", **added)

    def _begin_text(self) -> bytes:
        self._sources = []
        begun = self._begin_content(
            {"type": "output_text", "text": "", "annotations": self._sources}
        )
        self._cited_at = {
            "item_id": self._item["id"],
            "output_index": len(self._output),
            "content_index": len(self._content),
        }
        return begun

    def _begin_refusal(self) -> bytes:
        return self._begin_content({"type": "refusal", "refusal": ""})

    def _begin_content(self, part: Json) -> bytes:
        """A part of a message, which is opened when there is none."""
        begun = self._close_part()
        if self._item.get("type") != "message":
            begun += self._begin_item("msg", {"type": "message", "role": "assistant"})
        return begun + self._begin_part(part, "content")

    def _begin_part(self, part: Json, among: str) -> bytes:
        self._part, self._pieces = part, []
        index = len(self._summary if among == "summary" else self._content)
        self._where = b'"item_id":%b,"output_index":%d,"content_index":%d,' % (
            encode(self._item["id"]),
            len(self._output),
            index,
        )
        if among == "summary":
            return self._item_event(
                "response.reasoning_summary_part.added", summary_index=index, part=part
            )
        return self._item_event("response.content_part.added", content_index=index, part=part)

    def _part_is(self, kind: str) -> bool:
        return self._part.get("type") == kind

    def _text_delta(self, text: str) -> bytes:
        self._sequence += 1
        self._pieces.append(text)
        return (
            b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta",'
            b'"sequence_number":%d,%b"delta":%b,"logprobs":[]}\n\n'
            % (self._sequence, self._where, encode(text))
        )

    def _delta(self, kind: str, text: str, *, content_index: bool = False) -> bytes:
        self._pieces.append(text)
        index = len(self._content)
        place: Json = {"content_index": index} if content_index else {}
        return self._item_event(kind, **place, delta=text)

    def _begin_call(self, begun: ToolBegun) -> bytes:
        call = {"call_id": begun.id, "name": begun.name, "arguments": ""}
        added = self._begin_item("fc", {"type": "function_call", **call})
        self._pieces = []
        return added

    def _begin_reasoning(self, begun: ReasoningBegun) -> bytes:
        """A piece of reasoning: in the item of the same name, else in one of its own."""
        before = self._close_part()
        same = begun.id != "" and self._item.get("type") == "reasoning"
        if not (same and (self._reasoning.id, self._reasoning.maker) == (begun.id, begun.maker)):
            own: Json = {"id": begun.id} if begun.maker == OPENAI and begun.id else {}
            before += self._begin_item("rs", {"type": "reasoning", **own})
        self._reasoning, self._pieces = begun, []
        match begun.kind:
            case "summary":
                return before + self._begin_part({"type": "summary_text", "text": ""}, "summary")
            case "text":
                self._item["content"] = self._content
                return before + self._begin_part({"type": "reasoning_text", "text": ""}, "content")
            case "encrypted":
                return before

    def _thought(self, text: str) -> bytes:
        match self._reasoning.kind:
            case "summary":
                self._pieces.append(text)
                index = len(self._summary)
                kind = "response.reasoning_summary_text.delta"
                return self._item_event(kind, summary_index=index, delta=text)
            case "text":
                return self._delta("response.reasoning_text.delta", text, content_index=True)
            case "encrypted":
                self._pieces.append(text)
                return b""

    def _cited(self, source: Json) -> bytes:
        """A source of the last text, also when that is done: the whole response has it."""
        opened = b"" if self._cited_at else self._begin_text()
        self._sources.append(source)
        return opened + self._event(
            "response.output_text.annotation.added",
            **self._cited_at,
            annotation_index=len(self._sources) - 1,
            annotation=source,
        )

    def _close_part(self) -> bytes:
        """Ends the open part with its whole text."""
        part, text = self._part, "".join(self._pieces)
        if not part:
            return b""
        self._part = {}
        kind = part["type"]
        part["refusal" if kind == "refusal" else "text"] = text
        if kind == "summary_text":
            index = len(self._summary)
            done = self._item_event(
                "response.reasoning_summary_text.done", summary_index=index, text=text
            )
            done += self._item_event(
                "response.reasoning_summary_part.done", summary_index=index, part=part
            )
            self._summary.append(part)
            return done
        index = len(self._content)
        said: Json = {"refusal": text} if kind == "refusal" else {"text": text}
        if kind == "output_text":
            said["logprobs"] = []
        word = {"reasoning_text": "reasoning_text", "refusal": "refusal"}.get(
            str(kind), "output_text"
        )
        done = self._item_event(f"response.{word}.done", content_index=index, **said)
        done += self._item_event("response.content_part.done", content_index=index, part=part)
        self._content.append(part)
        return done

    def _close_item(self) -> bytes:
        """Ends the open item."""
        item = self._item
        if not item:
            return b""
        done = self._close_part()
        match item["type"]:
            case "function_call":
                item["arguments"] = arguments = "".join(self._pieces)
                kind = "response.function_call_arguments.done"
                done += self._item_event(kind, arguments=arguments, name=item["name"])
            case "reasoning":
                self._seal(item)
            case _:
                pass
        item["status"] = "completed"
        done += self._event("response.output_item.done", output_index=len(self._output), item=item)
        self._output.append(item)
        self._item = {}
        return done

    def _seal(self, item: Json) -> None:
        """Puts the proof of the reasoning where clients keep it for the next turn."""
        begun, signed = self._reasoning, self._signed
        data = "".join(self._pieces) if begun.kind == "encrypted" else ""
        self._signed = ReasoningSigned("")
        if begun.maker == OPENAI:
            item["encrypted_content"] = data or None
            return
        maker = signed.maker or begun.maker
        piece = Reasoning(begun.kind, data, signed.signature, maker, begun.id)
        item["encrypted_content"] = seal(piece, OPENAI) or None
