"""Requests shaped as clients really send them."""

from collections.abc import Mapping
from typing import Any

import msgspec

Json = dict[str, Any]

SCHEMA: Json = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"

CHAT_REQUEST: Json = {
    "model": "smart",
    "messages": [
        {"role": "developer", "content": "You are a travel agent."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Where is this?", "cache_control": {"type": "ephemeral"}},
                {
                    "type": "image_url",
                    "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "auto"},
                },
                {"type": "image_url", "image_url": {"url": "https://a.example/b.jpg"}},
            ],
        },
        {
            "role": "assistant",
            "content": "Let me look.",
            "refusal": None,
            "annotations": [],
            "reasoning": "Looks like Bogor.",
            "reasoning_details": [
                {
                    "type": "reasoning.text",
                    "text": "Looks like Bogor.",
                    "signature": "c2ln",
                    "format": "anthropic-claude-v1",
                    "index": 0,
                }
            ],
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
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "sun"}]},
        {"role": "user", "content": "Thanks. And tomorrow?"},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "weather",
                "description": "The weather of a city.",
                "parameters": SCHEMA,
            },
        }
    ],
    "tool_choice": "auto",
    "max_completion_tokens": 4000,
    "temperature": 0.5,
    "stop": ["END"],
    "user": "ani",
    "stream": True,
    "stream_options": {"include_usage": True},
}

MESSAGES_REQUEST: Json = {
    "model": "smart",
    "max_tokens": 4000,
    "system": [
        {
            "type": "text",
            "text": "You are a travel agent.",
            "cache_control": {"type": "ephemeral", "ttl": "1h"},
        }
    ],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Where is this?"},
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": PIXEL},
                },
                {"type": "image", "source": {"type": "url", "url": "https://a.example/b.jpg"}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Looks like Bogor.", "signature": "c2ln"},
                {"type": "text", "text": "Let me look."},
                {"type": "tool_use", "id": "t_1", "name": "weather", "input": {"city": "Bogor"}},
                {"type": "tool_use", "id": "t_2", "name": "weather", "input": {"city": "Depok"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t_1", "content": "rain"},
                {
                    "type": "tool_result",
                    "tool_use_id": "t_2",
                    "is_error": True,
                    "content": [
                        {"type": "text", "text": "no such city"},
                        {
                            "type": "image",
                            "source": {"type": "base64", "media_type": "image/png", "data": PIXEL},
                        },
                    ],
                },
                {"type": "text", "text": "Thanks. And tomorrow?"},
            ],
        },
    ],
    "tools": [{"name": "weather", "description": "The weather of a city.", "input_schema": SCHEMA}],
    "tool_choice": {"type": "auto"},
    "temperature": 0.5,
    "metadata": {"user_id": "ani"},
    "stream": True,
}

RESPONSES_REQUEST: Json = {
    "model": "smart",
    "instructions": "You are a travel agent.",
    "input": [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Where is this?"},
                {
                    "type": "input_image",
                    "image_url": f"data:image/png;base64,{PIXEL}",
                    "detail": "auto",
                },
            ],
        },
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "Looks like Bogor."}],
            "encrypted_content": "gAAAAB",
        },
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "Let me look.", "annotations": []}],
        },
        {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "call_1",
            "name": "weather",
            "arguments": '{"city":"Bogor"}',
            "status": "completed",
        },
        {"type": "function_call_output", "call_id": "call_1", "output": "rain"},
        {"role": "user", "content": "Thanks. And tomorrow?"},
    ],
    "tools": [
        {
            "type": "function",
            "name": "weather",
            "description": "The weather of a city.",
            "parameters": SCHEMA,
            "strict": True,
        }
    ],
    "tool_choice": "auto",
    "max_output_tokens": 4000,
    "temperature": 0.5,
    "store": False,
    "include": ["reasoning.encrypted_content"],
    "user": "ani",
    "stream": True,
}

REQUESTS: Mapping[str, Json] = {
    "openai_chat": CHAT_REQUEST,
    "anthropic_messages": MESSAGES_REQUEST,
    "openai_responses": RESPONSES_REQUEST,
}

HELLO: Mapping[str, Json] = {
    "openai_chat": {"model": "m", "messages": [{"role": "user", "content": "Hello"}]},
    "anthropic_messages": {
        "model": "m",
        "max_tokens": 4000,
        "messages": [{"role": "user", "content": "Hello"}],
    },
    "openai_responses": {"model": "m", "input": "Hello"},
}
"""The least that a client can send."""


def raw(body: Mapping[str, object]) -> dict[str, msgspec.Raw]:
    """The fields of a body as the gateway has them."""
    return {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in body.items()}
