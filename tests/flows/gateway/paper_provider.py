"""A provider that bills a whole Paper of seed 001 for every answer, as a process to be killed.

`python paper_provider.py PORT` prints its port, 0 taking a free one, and serves until it is killed
or its standard input closes.
"""

import json
import sys
from typing import Any, Final

from fake_provider import Answer, FakeProvider, Received, completion, whole

USAGE: Final[dict[str, Any]] = {
    "prompt_tokens": 150_000,
    "completion_tokens": 150_000,
    "total_tokens": 300_000,
}
CITED: Final = {
    "type": "url_citation",
    "url_citation": {
        "url": "https://example.com/jurnal",
        "title": "Jurnal",
        "content": "Sungai di Jawa.",
        "start_index": 0,
        "end_index": 5,
    },
}


async def paper(request: Received) -> Answer:
    """An answer of 300,000 tokens, half of them read; a search cites what it found."""
    reply: dict[str, Any] = json.loads(completion(USAGE))
    if request.fields["model"].endswith(":online"):
        reply["choices"][0]["message"]["annotations"] = [CITED]
    yield whole(200, json.dumps(reply).encode())


def main() -> None:
    fake = FakeProvider(port=int(sys.argv[1]), always=paper)
    fake.start()
    sys.stdout.write(f"{fake.port}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
