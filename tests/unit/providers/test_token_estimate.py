import json
import sys
from datetime import UTC, datetime

import pytest

from tokonomi.errors import ImpossibleUsage
from tokonomi.providers import token_estimate
from tokonomi.providers.adapter import Seen
from tokonomi.providers.token_estimate import (
    Encoding,
    estimated_tokens,
    estimated_usage,
    input_upper_bound,
    tokens_of_bytes,
)
from tokonomi.usage import Source, Usage

AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
HOSTILE = {
    "emoji": "😀🏳️‍🌈👩‍👩‍👧‍👦" * 40,
    "Chinese": "汉字很多而且没有空格" * 40,
    "Japanese": "カタカナとひらがな" * 40,
    "Thai": "ภาษาไทยไม่มีช่องว่าง" * 40,
    "rare": "𓀀𓂀\u0378ꙮ﷽" * 40,
    "Indonesian": "Harga token bulan ini naik dua belas persen. " * 40,
    "code": "if(x){return\t\n\n  y;}" * 40,
    "special": "<|endoftext|><|im_start|>" * 40,
    "noise": "".join(chr(33 + i * 7919 % 90) for i in range(900)),
}


@pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base"])
def test_known_texts_have_their_published_counts(encoding: Encoding):
    assert estimated_tokens("hello world", encoding) == 2
    assert estimated_tokens("", encoding) == 0


def test_special_tokens_in_a_users_text_are_text():
    assert estimated_tokens("<|endoftext|>") > 1


def test_a_text_that_no_vocabulary_reads_is_a_third_of_its_bytes_rounded_up():
    assert estimated_tokens("\ud800abc") == tokens_of_bytes(6) == 2
    assert [tokens_of_bytes(n) for n in (0, 1, 3, 4)] == [0, 1, 1, 2]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_the_bytes_of_a_body_bound_its_tokens(name: str, encoding: Encoding, *, ascii_only: bool):
    text = HOSTILE[name]
    messages = [{"role": "user", "content": text}, {"role": "user", "content": ""}]
    body = json.dumps({"model": "m", "messages": messages}, ensure_ascii=ascii_only).encode()
    assert estimated_tokens(text, encoding) <= input_upper_bound(body)


def test_a_quarter_of_the_characters_is_no_bound():
    text = HOSTILE["emoji"]
    assert estimated_tokens(text) > len(text) // 4
    assert estimated_tokens(HOSTILE["Chinese"]) > len(HOSTILE["Chinese"]) // 4


def test_templates_are_in_the_bound_even_of_many_empty_messages():
    messages = [{"role": "user", "content": ""}] * 50
    body = json.dumps({"messages": messages}).encode()
    assert input_upper_bound(body) == len(body) + 50 * 16 + 64


def test_a_reply_that_reported_nothing_is_estimated_from_what_was_relayed():
    seen = Seen(service_tier="flex")
    seen.relayed.add("hello ")
    seen.relayed.add("world")
    assert estimated_usage(seen, input_tokens=70, at=AT, batch=True) == Usage(
        at=AT,
        uncached_input=70,
        output=2,
        tier="flex",
        batch=True,
        source=Source.ESTIMATED,
    )


def test_an_estimate_of_a_negative_input_is_refused():
    with pytest.raises(ImpossibleUsage):
        estimated_usage(Seen(), input_tokens=-1, at=AT)


def test_a_python_without_the_vocabularies_counts_a_third_of_the_bytes(
    monkeypatch: pytest.MonkeyPatch,
):
    counter_of = token_estimate._counter  # pyright: ignore[reportPrivateUsage]  # to forget it
    counter_of.cache_clear()
    with monkeypatch.context() as hidden:
        hidden.setitem(sys.modules, "quicktok", None)
        assert estimated_tokens("hello world") == 4
    counter_of.cache_clear()
    assert estimated_tokens("hello world") == 2
