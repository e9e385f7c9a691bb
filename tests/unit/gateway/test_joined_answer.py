"""One answer out of the parts of several targets, event by event."""

import json
from typing import Any, Final

import pytest

from tokonomi.dialects.answer import Head
from tokonomi.gateway.joined_answer import KEPT_CHARACTERS, JoinedAnswer
from tokonomi.routing.chain import How
from tokonomi.routing.resume import resumption

HEAD: Final = Head(id="r", model="m", created=1)
SENT: Final = "Jakarta is the "


def chunk(**delta: object) -> bytes:
    return json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode()


def thought(text: str) -> bytes:
    return chunk(reasoning_content=text)


def tool(name: str = "weather") -> bytes:
    function = {"name": name, "arguments": "{}"}
    return chunk(tool_calls=[{"index": 0, "id": "c", "function": function}])


def source(start: int, end: int) -> bytes:
    cited = {"url": "https://a", "start_index": start, "end_index": end}
    return chunk(annotations=[{"type": "url_citation", "url_citation": cited}])


def deltas(written: bytes) -> list[dict[str, Any]]:
    """What the chunks of a client's stream add."""
    lines = [line for line in written.decode().splitlines() if line.startswith("data: {")]
    choices = [json.loads(line.removeprefix("data: "))["choices"] for line in lines]
    return [each["delta"] for [each] in choices if each["delta"]]


def text_of(written: bytes) -> str:
    return "".join(delta.get("content") or "" for delta in deltas(written))


def broken_off(*first: bytes, how: How = How.CONTINUE) -> JoinedAnswer:
    """An answer whose first part ended early, and whose second one has begun."""
    answer = JoinedAnswer("openai_chat", structured=False)
    answer.begin("openai_chat", HEAD)
    for data in first:
        answer.feed(data)
    found = resumption(answer.sent, how, "trailing")
    assert found is not None
    answer.resume(found, attempt=1)
    answer.begin("openai_chat", HEAD)
    return answer


def test_the_second_part_goes_on_in_the_same_message() -> None:
    answer = broken_off(chunk(content=SENT))
    written = answer.feed(chunk(role="assistant", content="")) + answer.feed(chunk(content="x"))
    assert deltas(written) == [{"content": "x"}]
    assert answer.sent.text == SENT + "x"


def test_what_was_thought_before_the_sent_text_is_not_thought_again() -> None:
    answer = broken_off(thought("Hm."), chunk(content=SENT))
    assert answer.feed(thought("Hm, again.")) == b""
    assert not answer.passed
    after_thought = broken_off(thought("Hm."))
    assert after_thought.feed(thought("So."))
    assert text_of(after_thought.feed(chunk(content="Jakarta"))) == "Jakarta"


@pytest.mark.parametrize("beyond", [tool(), chunk(refusal="I cannot")], ids=["tool", "refusal"])
def test_half_of_what_is_no_text_cannot_be_taken_up(beyond: bytes) -> None:
    answer = JoinedAnswer("openai_chat", structured=False)
    answer.begin("openai_chat", HEAD)
    answer.feed(chunk(content=SENT))
    answer.feed(beyond)
    assert answer.sent.beyond_text


def test_an_answer_of_endless_text_is_not_kept_to_be_taken_up() -> None:
    answer = JoinedAnswer("openai_chat", structured=False)
    answer.begin("openai_chat", HEAD)
    for _ in range(3):
        answer.feed(chunk(content="x" * (KEPT_CHARACTERS // 2)))
    assert answer.sent.beyond_text
    assert len(answer.sent.text) == KEPT_CHARACTERS


def test_a_tool_call_of_the_second_part_follows_what_was_held_as_a_repetition() -> None:
    answer = broken_off(chunk(content=SENT), how=How.RESTART)
    assert answer.feed(chunk(content="Jakarta")) == b""
    written = answer.feed(tool())
    assert text_of(written) == "\n\nJakarta"
    assert [delta["tool_calls"][0]["index"] for delta in deltas(written)[1:]] == [0, 0]
    assert answer.flush() == b""


@pytest.mark.parametrize(
    ("how", "text", "place"),
    [
        (How.CONTINUE, "capital", (15, 22)),
        (How.RESTART, "Jakarta is the capital", (0, 7)),
        (How.RESTART, "Batavia", (17, 24)),
    ],
)
def test_a_citation_of_the_second_part_has_its_place_in_the_whole_text(
    how: How, text: str, place: tuple[int, int]
) -> None:
    answer = broken_off(chunk(content=SENT), how=how)
    answer.feed(chunk(content=text))
    [delta] = deltas(answer.feed(source(0, 7)))
    cited = delta["annotations"][0]["url_citation"]
    assert (cited["start_index"], cited["end_index"]) == place


def test_an_error_is_kept_back_and_nothing_goes_on_behind_it() -> None:
    answer = broken_off(chunk(content=SENT))
    assert answer.feed(b'{"error": {"message": "no", "code": "overloaded"}}') == b""
    assert answer.failure is not None
    assert answer.failure.message == "no"
    assert answer.feed(chunk(content="more")) == b""
    answer.begin("openai_chat", HEAD)
    assert answer.feed(b"no JSON") == b""
    assert answer.failure.code == "malformed_reply"
    assert b"malformed_reply" in answer.fail(answer.failure)
