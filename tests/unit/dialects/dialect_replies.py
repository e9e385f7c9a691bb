"""Answers shaped as providers really send them, whole and streamed."""

from collections.abc import Mapping

import msgspec
from dialect_samples import Json


def stream(*events: Mapping[str, object]) -> list[bytes]:
    """The data of the events of a stream."""
    return [msgspec.json.encode(event) for event in events]


def chunk(delta: Json, finish: str | None = None, **fields: object) -> Json:
    """A chunk of a chat completion."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {
        "id": "gen-1",
        "object": "chat.completion.chunk",
        "created": 1790000000,
        "model": "anthropic/claude-sonnet-4.5",
        "choices": [choice],
        **fields,
    }


def detail(index: int, **fields: object) -> Json:
    """A chunk of reasoning as OpenRouter sends it."""
    return {"type": "reasoning.text", "format": "anthropic-claude-v1", "index": index, **fields}


CITED: Json = {
    "type": "url_citation",
    "url_citation": {
        "url": "https://bmkg.example/bogor",
        "title": "Bogor",
        "content": "Hujan.",
        "start_index": 0,
        "end_index": 4,
    },
}

OPENROUTER_STREAM = [
    *stream(
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning": "Rain", "reasoning_details": [detail(0, text="Rain")]}),
        chunk({"reasoning": "y.", "reasoning_details": [detail(0, text="y.")]}),
        chunk({"reasoning_details": [detail(0, signature="c2ln")]}),
        chunk({"content": "Rain"}),
        chunk({"content": " today."}),
        chunk({"annotations": [CITED]}),
        chunk(
            {
                "tool_calls": [
                    {
                        "index": 0,
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": ""},
                    }
                ]
            }
        ),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '"Bogor"}'}}]}),
        chunk(
            {
                "tool_calls": [
                    {
                        "index": 1,
                        "id": "call_2",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city":"Depok"}'},
                    }
                ]
            }
        ),
        chunk({}, "tool_calls"),
        {
            **chunk({}),
            "choices": [],
            "usage": {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18},
        },
    ),
    b"[DONE]",
]

OPENROUTER_REPLY: Json = {
    "id": "gen-1",
    "object": "chat.completion",
    "created": 1790000000,
    "model": "anthropic/claude-sonnet-4.5",
    "provider": "Anthropic",
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "native_finish_reason": "tool_use",
            "message": {
                "role": "assistant",
                "content": "Rain today.",
                "refusal": None,
                "reasoning": "Rainy.",
                "reasoning_details": [detail(0, text="Rainy.", signature="c2ln")],
                "annotations": [CITED],
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city":"Bogor"}'},
                    },
                    {
                        "id": "call_2",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city":"Depok"}'},
                    },
                ],
            },
        }
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18},
}

SEARCH_RESULT: Json = {
    "type": "web_search_result_location",
    "url": "https://bmkg.example/bogor",
    "title": "Bogor",
    "cited_text": "Hujan.",
    "encrypted_index": "Eo8B",
}
ANTHROPIC_REPLY: Json = {
    "id": "msg_01",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-4-7",
    "content": [
        {"type": "thinking", "thinking": "Rainy.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "ZGF0YQ"},
        {"type": "server_tool_use", "id": "s_1", "name": "web_search", "input": {"query": "x"}},
        {
            "type": "web_search_tool_result",
            "tool_use_id": "s_1",
            "content": [
                {
                    "type": "web_search_result",
                    "url": "https://bmkg.example/bogor",
                    "title": "Bogor",
                    "encrypted_content": "Eo8B",
                }
            ],
        },
        {"type": "text", "text": "It rains: "},
        {"type": "text", "text": "hujan.", "citations": [SEARCH_RESULT]},
        {"type": "tool_use", "id": "t_1", "name": "weather", "input": {"city": "Bogor"}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {"input_tokens": 9, "output_tokens": 9},
}


def block(index: int, start: Json, *deltas: Json) -> list[Json]:
    """The events of one block of a message."""
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


ANTHROPIC_STREAM = stream(
    {
        "type": "message_start",
        "message": {
            "id": "msg_01",
            "type": "message",
            "role": "assistant",
            "model": "claude-opus-4-7",
            "content": [],
            "stop_reason": None,
            "usage": {"input_tokens": 9, "output_tokens": 1},
        },
    },
    {"type": "ping"},
    *block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "Rai"},
        {"type": "thinking_delta", "thinking": "ny."},
        {"type": "signature_delta", "signature": "c2ln"},
    ),
    *block(1, {"type": "redacted_thinking", "data": "ZGF0YQ"}),
    *block(
        2,
        {"type": "server_tool_use", "id": "s_1", "name": "web_search", "input": {}},
        {"type": "input_json_delta", "partial_json": '{"query":"x"}'},
    ),
    *block(3, {"type": "web_search_tool_result", "tool_use_id": "s_1", "content": []}),
    *block(4, {"type": "text", "text": ""}, {"type": "text_delta", "text": "It rains: "}),
    *block(
        5,
        {"type": "text", "text": "", "citations": []},
        {"type": "citations_delta", "citation": SEARCH_RESULT},
        {"type": "text_delta", "text": "hujan"},
        {"type": "text_delta", "text": "."},
    ),
    *block(
        6,
        {"type": "tool_use", "id": "t_1", "name": "weather", "input": {}},
        {"type": "input_json_delta", "partial_json": ""},
        {"type": "input_json_delta", "partial_json": '{"city":'},
        {"type": "input_json_delta", "partial_json": '"Bogor"}'},
    ),
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {"output_tokens": 9},
    },
    {"type": "message_stop"},
)


def gemini(parts: list[Json], **candidate: object) -> Json:
    """A reply of Gemini, or a chunk of one."""
    content = {"role": "model", "parts": parts}
    return {
        "candidates": [{"content": content, "index": 0, **candidate}],
        "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 9, "totalTokenCount": 18},
        "modelVersion": "gemini-3-pro",
        "responseId": "r-1",
    }


GROUNDING: Json = {
    "webSearchQueries": ["cuaca bogor"],
    "groundingChunks": [{"web": {"uri": "https://bmkg.example/bogor", "title": "bmkg.example"}}],
    "groundingSupports": [
        {
            "segment": {"startIndex": 3, "endIndex": 13, "text": "hujan è"},
            "groundingChunkIndices": [0],
        }
    ],
}
THOUGHT: Json = {"text": "Rainy.", "thought": True}
CALL: Json = {
    "functionCall": {"name": "weather", "args": {"city": "Bogor"}},
    "thoughtSignature": "c2ln",
}
SECOND_CALL: Json = {"functionCall": {"name": "weather", "args": {"city": "Depok"}}}
GEMINI_REPLY = gemini(
    [THOUGHT, {"text": "è: hujan lebat."}, CALL, SECOND_CALL],
    finishReason="STOP",
    groundingMetadata=GROUNDING,
)
GEMINI_STREAM = stream(
    gemini([{"text": "Rai", "thought": True}]),
    gemini([{"text": "ny.", "thought": True}]),
    gemini([{"text": "è: huj"}]),
    gemini([{"text": "an lebat."}]),
    gemini([CALL]),
    gemini([SECOND_CALL]),
    gemini([], finishReason="STOP", groundingMetadata=GROUNDING),
)

RESPONSES_CITED: Json = {
    "type": "url_citation",
    "url": "https://bmkg.example/bogor",
    "title": "Bogor",
    "start_index": 0,
    "end_index": 4,
}
RESPONSES_REPLY: Json = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1790000000,
    "status": "completed",
    "model": "gpt-5.1",
    "error": None,
    "incomplete_details": None,
    "output": [
        {
            "id": "rs_1",
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "Rainy."}],
            "encrypted_content": "gAAAAB",
        },
        {
            "id": "ws_1",
            "type": "web_search_call",
            "status": "completed",
            "action": {"type": "search", "query": "x"},
        },
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [
                {"type": "output_text", "text": "Rain today.", "annotations": [RESPONSES_CITED]}
            ],
        },
        {
            "id": "fc_1",
            "type": "function_call",
            "call_id": "call_1",
            "name": "weather",
            "arguments": '{"city":"Bogor"}',
            "status": "completed",
        },
    ],
    "usage": {"input_tokens": 9, "output_tokens": 9, "total_tokens": 18},
}


def item(kind: str, index: int, **fields: object) -> Json:
    """An event about an item of a response."""
    return {"type": f"response.{kind}", "output_index": index, "sequence_number": 0, **fields}


RESPONSES_STREAM = stream(
    item("created", 0, response={**RESPONSES_REPLY, "output": [], "status": "in_progress"}),
    item("in_progress", 0, response={**RESPONSES_REPLY, "output": [], "status": "in_progress"}),
    item("output_item.added", 0, item={"id": "rs_1", "type": "reasoning", "summary": []}),
    item("reasoning_summary_part.added", 0, item_id="rs_1", part={"type": "summary_text"}),
    item("reasoning_summary_text.delta", 0, item_id="rs_1", delta="Rai"),
    item("reasoning_summary_text.delta", 0, item_id="rs_1", delta="ny."),
    item("reasoning_summary_text.done", 0, item_id="rs_1", text="Rainy."),
    item(
        "output_item.done",
        0,
        item={"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAAAB"},
    ),
    item("output_item.added", 1, item={"id": "ws_1", "type": "web_search_call"}),
    item("output_item.added", 2, item={"id": "msg_1", "type": "message", "content": []}),
    item("content_part.added", 2, part={"type": "output_text", "text": ""}),
    item("output_text.delta", 2, item_id="msg_1", delta="Rain "),
    item("output_text.delta", 2, item_id="msg_1", delta="today."),
    item("output_text.annotation.added", 2, annotation=RESPONSES_CITED),
    item("output_text.done", 2, text="Rain today."),
    item(
        "output_item.added",
        3,
        item={"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "weather"},
    ),
    item("function_call_arguments.delta", 3, item_id="fc_1", delta='{"city":'),
    item("function_call_arguments.delta", 3, item_id="fc_1", delta='"Bogor"}'),
    item("function_call_arguments.done", 3, arguments='{"city":"Bogor"}'),
    item("completed", 0, response=RESPONSES_REPLY),
)

REPLIES: Mapping[str, Json] = {
    "openai_chat": OPENROUTER_REPLY,
    "anthropic_messages": ANTHROPIC_REPLY,
    "gemini": GEMINI_REPLY,
    "openai_responses": RESPONSES_REPLY,
}
STREAMS: Mapping[str, list[bytes]] = {
    "openai_chat": OPENROUTER_STREAM,
    "anthropic_messages": ANTHROPIC_STREAM,
    "gemini": GEMINI_STREAM,
    "openai_responses": RESPONSES_STREAM,
}
