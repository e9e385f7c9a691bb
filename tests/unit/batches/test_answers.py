"""Lines of output: which of our lines each answers, and what the client is told."""

import json
from typing import Any

import pytest

from tokonomi.batches.answers import (
    Answer,
    Lie,
    Matching,
    for_client,
    number_of,
    without_answer,
)

BODY: dict[str, Any] = {"model": "gpt-4o-mini-2024-07-18", "usage": {"total_tokens": 1}}


def output(custom_id: str = "batch_1-7", **change: Any) -> bytes:
    response = {"status_code": 200, "request_id": "req_1", "body": BODY}
    line = {"id": "br_1", "custom_id": custom_id, "response": response, "error": None}
    return json.dumps(line | change).encode()


def answer(text: bytes) -> Answer:
    read = Matching("batch_1").read(text)
    assert isinstance(read, Answer)
    return read


@pytest.mark.parametrize(
    "reference",
    [
        *("batch_1", "batch_1-", "batch_1-x", "batch_2-7", "batch_1-07", "batch_1-+7"),
        *("batch_1-\N{ARABIC-INDIC DIGIT SEVEN}", "batch_1-" + "9" * 40, "-7", "7", ""),
    ],
)
def test_what_is_not_exactly_our_name_of_a_line_names_none(reference: str) -> None:
    assert number_of("batch_1", reference) is None


def test_the_first_answer_to_a_line_counts_and_no_other() -> None:
    matching = Matching("batch_1")
    read = [matching.read(text) for text in (output(), output(), output("other-1"), b"{", None)]
    assert isinstance(read[0], Answer)
    assert read[1:] == [Lie.DUPLICATE, Lie.UNKNOWN, Lie.UNREADABLE, Lie.UNREADABLE]
    assert matching.has_answered(7)
    assert not matching.has_answered(8)


def test_an_answer_succeeds_with_a_status_of_success_and_without_an_error() -> None:
    assert answer(output()).succeeded
    assert answer(output()).status == 200
    assert not answer(output(error={"code": "c"})).succeeded
    assert not answer(output(response={"status_code": 500, "body": {}})).succeeded
    lost = answer(output(response=None))
    assert (lost.succeeded, lost.status, lost.body, lost.error) == (False, 0, b"null", None)


def test_the_error_of_an_answer_is_found_where_the_provider_put_it() -> None:
    assert answer(output(error={"code": "c"})).error == {"code": "c"}
    inside = {"status_code": 400, "body": {"error": {"code": "d"}}}
    assert answer(output(response=inside)).error == {"code": "d"}


def test_a_client_gets_its_own_names_and_all_else_as_it_was() -> None:
    told = json.loads(for_client(answer(output()), custom_id="mine", alias="house"))
    assert told["custom_id"] == "mine"
    assert told["response"]["body"] == BODY | {"model": "house"}
    assert told["response"]["request_id"] == "req_1"
    assert told["error"] is None


@pytest.mark.parametrize("body", [[1], {"model": None}, {"x": 1}, "text"])
def test_a_body_without_a_model_stays_as_it_is(body: object) -> None:
    line = answer(output(response={"status_code": 200, "body": body}))
    told = json.loads(for_client(line, custom_id="mine", alias="house"))
    assert told["response"]["body"] == body
    assert told["response"]["request_id"] == ""


def test_an_answer_without_a_response_is_passed_on_with_its_error() -> None:
    line = answer(output(response=None, error={"code": "c", "more": 1}))
    told = json.loads(for_client(line, custom_id="mine", alias="house"))
    assert (told["response"], told["error"]) == (None, {"code": "c", "more": 1})


def test_a_line_without_an_answer_is_told_why() -> None:
    told = json.loads(without_answer("batch_1-7", custom_id="mine", code="c", message="m"))
    assert told == {
        "id": "batch_1-7",
        "custom_id": "mine",
        "response": None,
        "error": {"code": "c", "message": "m"},
    }
