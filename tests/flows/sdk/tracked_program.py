"""A program that uses a tracked client, and ends in the way that its first argument says.

Arguments: how it ends, the provider's URL, the store.
"""

import asyncio
import os
import signal
import sys
import threading
from typing import Any

import openai

from tokonomi import sdk

TALK: Any = [{"role": "user", "content": "Hello"}]


def client_of(url: str, store: str) -> openai.OpenAI:
    return sdk.track(openai.OpenAI(base_url=url, api_key="k"), provider="openai", store=store)


def call(client: openai.OpenAI) -> None:
    client.chat.completions.create(model="gpt-4o-mini", messages=TALK)


def killed_after_a_call(url: str, store: str) -> None:
    call(client_of(url, store))
    os.kill(os.getpid(), signal.SIGKILL)


def killed_in_a_call(url: str, store: str) -> None:
    pieces = client_of(url, store).chat.completions.create(
        model="stall", messages=TALK, stream=True
    )
    next(pieces)
    os.kill(os.getpid(), signal.SIGKILL)


def ends(url: str, store: str) -> None:
    call(client_of(url, store))


def ends_with_its_cost(url: str, store: str) -> None:
    """Says how many calls have a cost here, which needs no store, and whether the store has all."""
    client = client_of(url, store)
    call(client)
    sys.stdout.write(f"{sdk.costs_of(client).spend().priced} {sdk.flush()}\n")


def ends_in_a_stream(url: str, store: str) -> None:
    pieces = client_of(url, store).chat.completions.create(
        model="stall", messages=TALK, stream=True
    )
    next(pieces)
    threading.current_thread().held = pieces  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue] - alive to the end


def ends_with_an_async_stream(url: str, store: str) -> None:
    async def left() -> None:
        plain = openai.AsyncOpenAI(base_url=url, api_key="k")
        client = sdk.track(plain, provider="openai", store=store)
        await client.chat.completions.create(model="gpt-4o-mini", messages=TALK)
        pieces = await client.chat.completions.create(model="stall", messages=TALK, stream=True)
        await anext(pieces)
        threading.current_thread().held = (client, pieces)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue] - as above

    asyncio.run(left())


def forks(url: str, store: str) -> None:
    """Parent and child go on with the same client; each has its own journal."""
    client = client_of(url, store)
    call(client)
    child = os.fork()
    with openai.OpenAI(base_url=url, api_key="k") as plain:
        # Connections do not survive a fork, so each side has its own.
        own = client.with_options() if child else sdk.track(plain, store=store, provider="openai")
        for _ in range(3):
            call(own)
    if child:
        _, status = os.waitpid(child, 0)
        assert status == 0


def twenty_calls(url: str, store: str) -> None:
    client = client_of(url, store)
    threads = [threading.Thread(target=lambda: [call(client) for _ in range(5)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
