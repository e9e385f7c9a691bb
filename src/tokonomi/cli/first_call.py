"""One real call through the gateway with the official client, and its cost opened to its lines."""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import openai

from tokonomi.errors import StartError
from tokonomi.money import Money, currency_of
from tokonomi.providers.local_model import CHAT_MODEL

QUESTION: Final = "What is the capital of Indonesia?"
LONGEST_ANSWER_TOKENS: Final = 64
SECONDS: Final = 120


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said, and the gateway's id of the request."""

    text: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Cost:
    """The exact cost of a call, and its lines, such as `9 output tokens x $0.13 per million`."""

    total: str
    lines: tuple[str, ...]


def ask(base_url: str, key: str) -> Answer:
    """The local model's answer to one question.

    Raises:
        StartError: the gateway or the model did not answer as it should.
    """
    client = openai.OpenAI(base_url=base_url, api_key=key, timeout=SECONDS, max_retries=0)
    try:
        raw = client.chat.completions.with_raw_response.create(
            model=CHAT_MODEL,
            messages=[{"role": "user", "content": QUESTION}],
            max_tokens=LONGEST_ANSWER_TOKENS,
            temperature=0,
        )
    except openai.OpenAIError as error:
        raise StartError(f"the first call was not answered: {error}") from error
    text = raw.parse().choices[0].message.content or ""
    return Answer(text.strip(), raw.headers.get("x-tokonomi-request-id", ""))


def cost_of(store: Path, request_id: str) -> Cost:
    """The cost of a request as the store holds it.

    Raises:
        StartError: the store holds no priced call of this request.
    """
    with closing(sqlite3.connect(store)) as connection:
        row = connection.execute(
            "SELECT amount, currency, lines FROM call WHERE request_id = ? AND amount NOT NULL",
            (request_id,),
        ).fetchone()
    if row is None:
        raise StartError(f"the store {store} holds no priced call of request {request_id!r}")
    amount, currency, lines = row
    return Cost(
        _exact(Money(amount, currency)),
        tuple(
            f"{quantity} {meter.replace('_', ' ')} tokens x "
            f"{_exact(Money(rate, currency) * 1_000_000)} per million"
            for meter, quantity, rate, _ in json.loads(lines)
        ),
    )


def _exact(money: Money) -> str:
    """All its decimals: a rounded figure beside an equals sign would be wrong."""
    return f"{currency_of(money.currency).symbol}{money.decimal()}"
