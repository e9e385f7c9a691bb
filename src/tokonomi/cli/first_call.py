"""One real call through the gateway with the official client."""

from dataclasses import dataclass
from typing import Final

import openai

from tokonomi.errors import StartError
from tokonomi.providers.local_model import CHAT_MODEL

QUESTION: Final = "What is the capital of Indonesia?"
LONGEST_ANSWER_TOKENS: Final = 64
SECONDS: Final = 120


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said, and the gateway's id of the request."""

    text: str
    request_id: str


def ask(base_url: str, key: str) -> Answer:
    """The local model's answer to one question.

    Raises:
        StartError: the gateway or the model did not answer as it should.
    """
    client = openai.OpenAI(
        base_url=base_url,
        api_key=key,
        timeout=SECONDS,
        max_retries=0,
        # The call does not leave this machine, so no proxy of the environment has a part in it.
        http_client=openai.DefaultHttpxClient(trust_env=False),
    )
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
