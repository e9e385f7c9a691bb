"""The files and batches of the fake provider: `FakeProvider(always=FakeBatches().answer)`.

It answers each line as it is told, ends a batch when it is told, and fails where it is told.
"""

import json
import re
import threading
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from fake_provider import STALL, Hangup, Received, whole

Line = dict[str, Any]
SERVED = "gpt-4o-mini-2024-07-18"
USAGE = {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}
_FILE = re.compile(rb'filename="([^"]+)"\r\n.*?\r\n\r\n(.*)\r\n--[^\r]+--\r\n', re.DOTALL)


def completion(line: Line, *, usage: Any = USAGE, status: int = 200) -> Line:
    """The answer to a line, as OpenAI's output has it."""
    message = {"role": "assistant", "content": "Hello there."}
    body: Line = {
        "id": f"chatcmpl-{line['custom_id'][-6:]}",
        "object": "chat.completion",
        "model": SERVED,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }
    if usage is not None:
        body["usage"] = usage
    response = {"status_code": status, "request_id": "req_fake", "body": body}
    return {"id": "br_1", "custom_id": line["custom_id"], "response": response, "error": None}


def failure(line: Line, code: str = "server_error", status: int = 500) -> Line:
    """A line of the file of errors."""
    error = {"error": {"message": "it did not work", "type": "some_error", "code": code}}
    response = {"status_code": status, "request_id": "req_fake", "body": error}
    return {"id": "br_2", "custom_id": line["custom_id"], "response": response, "error": None}


def _answer_all(lines: list[Line]) -> tuple[list[Line], list[Line]]:
    return [completion(line) for line in lines], []


@dataclass
class FakeBatches:
    """What the provider has, and how it behaves.

    Attributes:
        outputs: the lines of its files of answers and of errors, from those of the input.
        status: what a batch becomes.
        is_done: whether a batch ends the next time that it is looked at.
        troubles: by the beginning of an operation, statuses or `hangup` to answer with, each once.
        hooks: by the same, what happens when an operation was carried out and is not answered yet.
        names: of the files that came with one.
        seen: how often each operation was asked for.
    """

    outputs: Callable[[list[Line]], tuple[list[Line], list[Line]]] = _answer_all
    status: str = "completed"
    is_done: bool = True
    names: dict[str, str] = field(default_factory=dict[str, str])
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    batches: dict[str, Line] = field(default_factory=dict[str, Line])
    deleted: list[str] = field(default_factory=list[str])
    troubles: dict[str, list[int | str]] = field(
        default_factory=lambda: defaultdict[str, list[int | str]](list)
    )
    hooks: dict[str, Callable[[], None]] = field(default_factory=dict[str, Callable[[], None]])
    seen: Counter[str] = field(default_factory=Counter[str])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    async def answer(self, request: Received) -> AsyncIterator[bytes]:
        """How the provider answers whatever it is asked."""
        operation = f"{request.method} {request.path}"
        kind = next((each for each in _OPERATIONS if operation.startswith(each)), "")
        assert kind, operation
        if kind == "GET /v1/files/" and not operation.endswith("/content"):
            kind = ""
        self.seen[kind] += 1
        if self.troubles[kind]:
            trouble = self.troubles[kind].pop(0)
            if trouble == "hangup":
                raise Hangup
            if trouble == "stall":
                yield STALL
            error = {"error": {"message": "not now", "code": "trouble"}}
            yield whole(int(trouble), json.dumps(error).encode())
            return
        with self._lock:
            status, body = self._do(kind, request)
        if hook := self.hooks.pop(kind, None):
            hook()
            raise Hangup
        yield whole(status, body)

    def _do(self, kind: str, request: Received) -> tuple[int, bytes]:
        name = f"{request.path}/".split("/")[3]
        match kind:
            case "POST /v1/files":
                found = _FILE.search(request.body)
                assert found is not None, request.body[:300]
                told: object = {"id": self._store(found[2], found[1].decode()), "object": "file"}
            case "GET /v1/files?":
                kept = [name for name in self.names if name not in self.deleted]
                files = [{"id": name, "filename": self.names[name]} for name in kept]
                told = {"object": "list", "data": files}
            case "GET /v1/files/":
                return (200, self.files[name]) if name in self.files else (404, b"{}")
            case "DELETE /v1/files/" if name in self.deleted:
                return 404, b"{}"
            case "DELETE /v1/files/":
                self.deleted.append(name)
                told = {"id": name, "deleted": True}
            case "POST /v1/batches":
                told = self._begin(request.fields)
            case "GET /v1/batches?":
                told = {"object": "list", "data": [*self.batches.values()]}
            case "POST /v1/batches/":
                self.batches[name]["status"] = "cancelling"
                told = self.batches[name]
            case _:
                told = self.batches[name]
                if self.is_done and not told["output_file_id"]:
                    self._end(told)
        return 200, json.dumps(told).encode()

    def _store(self, content: bytes, name: str = "") -> str:
        identity = f"file-at-provider-{len(self.files)}"
        if name:
            self.names[identity] = name
        self.files[identity] = content
        return identity

    def _begin(self, fields: Line) -> Line:
        identity = f"batch_at_provider_{len(self.batches)}"
        self.batches[identity] = {
            **fields,
            "id": identity,
            "object": "batch",
            "status": "in_progress",
            "output_file_id": None,
            "error_file_id": None,
            "created_at": 2_000_000_000,
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
        }
        return self.batches[identity]

    def _end(self, batch: Line) -> None:
        lines = self.lines_of(batch["input_file_id"])
        answers, errors = self.outputs(lines)
        batch["status"] = self.status
        if answers:
            batch["output_file_id"] = self._store(_jsonl(answers))
        if errors:
            batch["error_file_id"] = self._store(_jsonl(errors))

    def lines_of(self, file: str) -> list[Line]:
        """The lines of a file, read."""
        return [json.loads(line) for line in self.files[file].splitlines()]


_OPERATIONS = (
    "POST /v1/files",
    "GET /v1/files?",
    "GET /v1/files/",
    "DELETE /v1/files/",
    "POST /v1/batches/",
    "POST /v1/batches",
    "GET /v1/batches?",
    "GET /v1/batches/",
)


def _jsonl(lines: list[Line]) -> bytes:
    return b"".join(
        line["raw"] if "raw" in line else json.dumps(line).encode() + b"\n" for line in lines
    )
