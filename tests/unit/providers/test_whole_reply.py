"""A whole reply: read, or said to be unreadable, and an error is one under any status."""

import json

import pytest

from tokonomi.calls import Status
from tokonomi.providers.registry import adapter_for
from tokonomi.providers.settled_call import Ending
from tokonomi.providers.whole_reply import FINE, error_kind, observe_whole

USAGE = {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3}


def ending_of(body: bytes, *, bulk: frozenset[str] = frozenset()) -> Ending:
    reading = adapter_for("openai_chat").stream()
    return observe_whole(reading, body, http_status=200, bulk=bulk)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"\xff", b"[" * 100_000])
def test_a_reply_that_is_no_json_object_names_no_usage(body: bytes) -> None:
    unreadable = Ending(Status.OK, "the provider's reply is not JSON and names no usage")
    assert ending_of(body) == unreadable
    assert ending_of(body, bulk=frozenset({"data"})) == unreadable


def test_an_error_under_a_status_of_success_is_one_unless_usage_is_reported() -> None:
    error = {"error": {"code": 503, "message": "a prompt may stand here"}}
    assert ending_of(json.dumps(error).encode()) == Ending(
        Status.FAILED,
        "the provider answered HTTP 200 with an error (503) and reported no usage",
    )
    assert ending_of(json.dumps({**error, "usage": USAGE}).encode()) == FINE


def test_bulk_is_left_out_and_the_rest_is_read() -> None:
    reply = json.dumps({"data": [0.5] * 10, "usage": USAGE}).encode()
    assert ending_of(reply, bulk=frozenset({"data"})) == FINE


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("a text", "an error"),
        ({}, "an error"),
        ({"type": "overloaded_error"}, "overloaded_error"),
        ({"code": "x" * 500}, "x" * 200),
        ({"code": "a\nb"}, "an error"),
    ],
)
def test_the_kind_of_an_error_is_the_providers_word_without_its_message(
    error: object, kind: str
) -> None:
    assert error_kind(error) == kind
