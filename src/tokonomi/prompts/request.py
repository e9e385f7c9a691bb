"""Requests to a model as their passages, in the order in which providers put them before it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from tokonomi.errors import BadInput
from tokonomi.prompts.json_text import Json, JsonList, JsonObject, JsonText, parse_json
from tokonomi.prompts.place import Lines, Offsets, Passage


class Part(StrEnum):
    """What a piece of a prompt is, in the order of reports."""

    SYSTEM = "system"
    TOOLS = "tools"
    EXAMPLES = "examples"
    DOCUMENTS = "documents"
    TURNS = "turns"


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        passages: the part that each belongs to, and the passage, in rendered order: tools, system,
            messages. A system passage may hold examples and documents, told by their marks.
        model: the model that it names, or empty.
        marked: whether it marks a prefix for the cache; None in a form that cannot say.
        uncounted: pieces that are no text, such as images: they cost by other rules.
    """

    passages: tuple[tuple[Part, Passage], ...]
    model: str = ""
    marked: bool | None = None
    uncounted: int = 0


@dataclass(frozen=True, slots=True)
class PromptFile:
    """A file of requests, at least one, with the lines of its text."""

    name: str
    lines: Lines
    requests: tuple[Request, ...]


SYSTEM_ROLES: Final = frozenset({"system", "developer"})
WRAPPERS: Final = ("body", "params", "request")
"""Keys under which recorders and batch files put the request itself."""
TEXT_BLOCKS: Final = frozenset({"text", "input_text", "output_text", "thinking", "refusal"})
CALL_BLOCKS: Final = frozenset({"tool_use", "function_call", "server_tool_use"})


def from_text(text: str, name: str) -> PromptFile:
    """A plain or Markdown prompt: one request of one system text.

    Raises:
        BadInput: there is nothing in it.
    """
    if not text.strip():
        raise BadInput(f"{name} is empty", remedy="Write the prompt into it.")
    passages = ((Part.SYSTEM, Passage(text, Offsets.plain())),)
    return PromptFile(name, Lines(text), (Request(passages),))


def from_json(text: str, name: str) -> PromptFile:
    """A JSON file: a list of chat messages, or one request in OpenAI's or Anthropic's form.

    Raises:
        BadInput: not JSON, or no such request; with line and column.
    """
    request = _request(parse_json(text, name), f"{name}", 1)
    return PromptFile(name, Lines(text), (request,))


def from_json_lines(text: str, name: str) -> PromptFile:
    """A JSONL file: one recorded request a line; empty lines are passed over.

    Raises:
        BadInput: a line is no JSON or no request, or there is none.
    """
    requests: list[Request] = []
    start = 0
    for line, content in enumerate(text.split("\n"), 1):
        if content.strip():
            value = parse_json(text, name, start=start, end=start + len(content))
            requests.append(_request(value, f"{name}:{line}", len(requests) + 1))
        start += len(content) + 1
    if not requests:
        raise BadInput(f"{name} is empty", remedy="Write one request a line, as JSON.")
    return PromptFile(name, Lines(text), tuple(requests))


def _request(value: Json, where: str, number: int) -> Request:
    match value:
        case JsonList():
            reader = _Reader(number)
            reader.messages(value, "")
        case JsonObject(fields=fields):
            wrapped = next((fields[key] for key in WRAPPERS if key in fields), None)
            if isinstance(wrapped, JsonObject) and "messages" not in fields:
                return _request(wrapped, where, number)
            reader = _Reader(number)
            reader.object(fields)
        case _:
            raise _no_request(where)
    if not any(passage.text.strip() for _, passage in reader.passages):
        raise _no_request(where)
    marked = reader.marked if reader.can_mark else None
    return Request(tuple(reader.passages), reader.model, marked, reader.uncounted)


def _no_request(where: str) -> BadInput:
    return BadInput(
        f"{where} holds no text for a model",
        remedy="Give a list of messages, or an object with messages (and system, tools), "
        "instructions and input, or a prompt.",
    )


class _Reader:
    """Collects the passages of one request."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.passages: list[tuple[Part, Passage]] = []
        self.model = ""
        self.marked = False
        self.can_mark = False
        self.uncounted = 0

    def object(self, fields: Mapping[str, Json]) -> None:
        """Reads a request in any of the forms that we know."""
        model = fields.get("model")
        self.model = model.text if isinstance(model, JsonText) else ""
        # In OpenAI's form there is nothing to mark, or the mark is newer than most requests.
        self.can_mark = "system" in fields or "cache_control" in fields
        self.marked = "cache_control" in fields
        for key in ("tools", "functions"):
            self._tools(fields.get(key), key)
        self._schema(fields)
        for key in ("system", "instructions"):
            self._content(fields.get(key), Part.SYSTEM, key)
        messages = fields.get("messages")
        if isinstance(messages, JsonList):
            self.messages(messages, "messages")
        self._input(fields.get("input"))
        self._content(fields.get("prompt"), Part.SYSTEM, "prompt")

    def messages(self, messages: JsonList, path: str) -> None:
        """Reads a list of chat messages."""
        for place, message in enumerate(messages.items):
            if isinstance(message, JsonObject):
                self._message(message, f"{path}[{place}]")

    def _message(self, message: JsonObject, path: str) -> None:
        fields = message.fields
        role, name = _text_of(fields.get("role")), _text_of(fields.get("name"))
        part = Part.SYSTEM if role in SYSTEM_ROLES else Part.TURNS
        if name.startswith("example"):
            part = Part.EXAMPLES
        self._content(fields.get("content"), part, f"{path}.content")
        self._tools(fields.get("tool_calls"), f"{path}.tool_calls", Part.TURNS)
        if fields.get("type") is not None and "content" not in fields:
            self._block(message, part, path)

    def _input(self, value: Json | None) -> None:
        if isinstance(value, JsonList):
            self.messages(value, "input")
        else:
            self._content(value, Part.TURNS, "input")

    def _content(self, value: Json | None, part: Part, path: str) -> None:
        match value:
            case JsonText():
                self._add(value, part, path)
            case JsonList(items=blocks):
                for place, block in enumerate(blocks):
                    if isinstance(block, JsonObject):
                        self._block(block, part, f"{path}[{place}]")
                    else:
                        self._content(block, part, f"{path}[{place}]")
            case _:
                pass

    def _block(self, block: JsonObject, part: Part, path: str) -> None:
        """Reads one block of a content; what is no text is only counted."""
        fields = block.fields
        if "cache_control" in fields:
            self.marked = self.can_mark = True
        kind = _text_of(fields.get("type"))
        if kind in TEXT_BLOCKS or (not kind and "text" in fields):
            key = "thinking" if kind == "thinking" else "text"
            self._content(fields.get(key), part, f"{path}.{key}")
        elif kind == "document":
            self._document(fields, path)
        elif kind in {"tool_result", "function_call_output"}:
            key = "content" if "content" in fields else "output"
            self._content(fields.get(key), Part.TURNS, f"{path}.{key}")
        elif kind in CALL_BLOCKS:
            self._add(block.compact(), Part.TURNS, path)
        else:
            self.uncounted += 1

    def _document(self, fields: Mapping[str, Json], path: str) -> None:
        source = fields.get("source")
        if not isinstance(source, JsonObject) or _text_of(source.fields.get("type")) != "text":
            self.uncounted += 1
            return
        self._content(source.fields.get("data"), Part.DOCUMENTS, f"{path}.source.data")

    def _tools(self, value: Json | None, path: str, part: Part = Part.TOOLS) -> None:
        if isinstance(value, JsonList):
            for place, tool in enumerate(value.items):
                if isinstance(tool, JsonObject):
                    self.marked = self.marked or "cache_control" in tool.fields
                    self.can_mark = self.can_mark or self.marked or "input_schema" in tool.fields
                    self._add(tool.compact(), part, f"{path}[{place}]")

    def _schema(self, fields: Mapping[str, Json]) -> None:
        """A forced form of the answer is put before the model as tools are."""
        form = fields.get("response_format")
        if isinstance(form, JsonObject) and "json_schema" in form.fields:
            self._add(form.compact(), Part.TOOLS, "response_format")

    def _add(self, text: JsonText, part: Part, path: str) -> None:
        passage = Passage(text.text, text.offsets, path, self.number)
        self.passages.append((part, passage))


def _text_of(value: Json | None) -> str:
    return value.text if isinstance(value, JsonText) else ""


def with_instructions(request: Request) -> Request:
    """The request, its first message taken as system text when it has no other instructions.

    Many programs put everything into one user message; what stands there is theirs to shorten.
    """
    parts = [part for part, _ in request.passages]
    if Part.SYSTEM in parts or Part.TURNS not in parts:
        return request
    first = parts.index(Part.TURNS)
    passages = list(request.passages)
    passages[first] = (Part.SYSTEM, passages[first][1])
    return replace(request, passages=tuple(passages))
