"""Requests of every form become passages in the order in which a model gets them."""

import json
from typing import Any

import pytest

from tokonomi.errors import BadInput
from tokonomi.prompts.request import (
    Part,
    Request,
    from_json,
    from_json_lines,
    from_text,
    with_instructions,
)


def read(request: Any) -> Request:
    return from_json(json.dumps(request), "p.json").requests[0]


def passages(request: Request) -> list[tuple[str, str, str]]:
    return [(part.value, passage.path, passage.text) for part, passage in request.passages]


def test_a_chat_request_has_tools_first_then_messages_as_they_stand() -> None:
    tool = {"type": "function", "function": {"name": "find"}}
    call = {"id": "1", "function": {"name": "find", "arguments": "{}"}}
    request = read(
        {
            "model": "gpt-5.1",
            "messages": [
                {"role": "developer", "content": "Rules."},
                {"role": "system", "name": "example_user", "content": "Hi"},
                {"role": "user", "content": [{"type": "text", "text": "Where?"}]},
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "content": "There."},
            ],
            "tools": [tool],
            "response_format": {"type": "json_schema", "json_schema": {"name": "answer"}},
        }
    )
    assert request.model == "gpt-5.1"
    assert request.marked is None
    assert passages(request) == [
        ("tools", "tools[0]", json.dumps(tool, separators=(",", ":"))),
        ("tools", "response_format", '{"type":"json_schema","json_schema":{"name":"answer"}}'),
        ("system", "messages[0].content", "Rules."),
        ("examples", "messages[1].content", "Hi"),
        ("turns", "messages[2].content[0].text", "Where?"),
        ("turns", "messages[3].tool_calls[0]", json.dumps(call, separators=(",", ":"))),
        ("turns", "messages[4].content", "There."),
    ]


def test_a_request_of_anthropic_has_its_system_before_its_messages() -> None:
    document = {"type": "document", "source": {"type": "text", "data": "The handbook."}}
    file = {"type": "document", "source": {"type": "base64", "data": "AAAA"}}
    request = read(
        {
            "messages": [
                {
                    "role": "user",
                    "content": [document, file, {"type": "image"}, {"type": "text", "text": "Hi"}],
                },
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "name": "find", "input": {}}],
                },
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "content": [{"text": "Found."}]}],
                },
            ],
            "system": [{"type": "text", "text": "Rules.", "cache_control": {"type": "ephemeral"}}],
            "tools": [{"name": "find", "input_schema": {}}],
        }
    )
    assert (request.marked, request.uncounted) == (True, 2)
    assert passages(request) == [
        ("tools", "tools[0]", '{"name":"find","input_schema":{}}'),
        ("system", "system[0].text", "Rules."),
        ("documents", "messages[0].content[0].source.data", "The handbook."),
        ("turns", "messages[0].content[3].text", "Hi"),
        ("turns", "messages[1].content[0]", '{"type":"tool_use","name":"find","input":{}}'),
        ("turns", "messages[2].content[0].content[0].text", "Found."),
    ]


def test_a_mark_for_the_cache_is_seen_where_the_form_has_one() -> None:
    ephemeral = {"cache_control": {"type": "ephemeral"}}
    tool: dict[str, Any] = {"name": "f", "input_schema": {}}
    requests: list[dict[str, Any]] = [
        {"system": "Rules.", "messages": []},
        {"system": "Rules.", "messages": [], **ephemeral},
        {"messages": [{"role": "user", "content": "Hi"}]},
        {"prompt": "Hi", "tools": [tool]},
        {"prompt": "Hi", "tools": [{**tool, **ephemeral}]},
    ]
    assert [read(request).marked for request in requests] == [False, True, None, False, True]


def test_a_request_of_the_responses_interface_has_instructions_and_input() -> None:
    request = read(
        {
            "instructions": "Rules.",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
                {"type": "function_call", "name": "find", "arguments": "{}"},
                {"type": "function_call_output", "output": "Found."},
            ],
        }
    )
    assert passages(request) == [
        ("system", "instructions", "Rules."),
        ("turns", "input[0].content[0].text", "Hi"),
        ("turns", "input[1]", '{"type":"function_call","name":"find","arguments":"{}"}'),
        ("turns", "input[2].output", "Found."),
    ]
    assert passages(read({"input": "Hi"})) == [("turns", "input", "Hi")]


@pytest.mark.parametrize("key", ["body", "params", "request"])
def test_a_recorded_request_is_found_in_its_wrapper(key: str) -> None:
    request = read({"custom_id": "1", key: {"model": "m", "prompt": "Hi"}})
    assert (request.model, passages(request)) == ("m", [("system", "prompt", "Hi")])


def test_a_plain_list_of_messages_is_a_request() -> None:
    request = read([{"role": "system", "content": "Rules."}, "stray", {"role": "user"}])
    assert passages(request) == [("system", "[0].content", "Rules.")]


def test_a_line_each_is_a_request_and_empty_lines_are_none() -> None:
    lines = '{"prompt": "one"}\n\n  \r\n{"prompt": "two"}\n'
    file = from_json_lines(lines, "calls.jsonl")
    texts = [request.passages[0][1] for request in file.requests]
    assert [(text.text, text.request) for text in texts] == [("one", 1), ("two", 2)]
    place = texts[1].place(0, 3, file.lines)
    assert (place.line, place.column, lines[place.start : place.end]) == (4, 13, "two")


@pytest.mark.parametrize("text", ['"hello"', "12", "{}", "[]", '{"messages": [{"content": " "}]}'])
def test_json_without_a_text_for_a_model_is_told(text: str) -> None:
    with pytest.raises(BadInput) as wrong:
        from_json(text, "p.json")
    assert str(wrong.value) == (
        "bad_input: p.json holds no text for a model. Give a list of messages, or an object with "
        "messages (and system, tools), instructions and input, or a prompt."
    )


def test_a_broken_line_is_told_with_its_place_in_the_file() -> None:
    with pytest.raises(BadInput, match=r"c\.jsonl:2:10 is not JSON"):
        from_json_lines('{"prompt": "x"}\n{"prompt"}\n', "c.jsonl")
    with pytest.raises(BadInput, match=r"c\.jsonl:2 holds no text"):
        from_json_lines('{"prompt": "x"}\n{}\n', "c.jsonl")


def test_empty_files_are_told() -> None:
    with pytest.raises(BadInput, match=r"p\.md is empty"):
        from_text(" \n", "p.md")
    with pytest.raises(BadInput, match=r"c\.jsonl is empty"):
        from_json_lines("\n", "c.jsonl")


def test_a_first_message_counts_as_instructions_when_there_are_no_others() -> None:
    request = with_instructions(read({"messages": [{"role": "user", "content": "All in one."}]}))
    assert [part for part, _ in request.passages] == [Part.SYSTEM]
    both = read(
        {"messages": [{"role": "system", "content": "R"}, {"role": "user", "content": "H"}]}
    )
    assert with_instructions(both) == both
