"""The operator's own packages are what commands and the admin API sell."""

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from fake_provider import FakeProvider
from gateway_process import GatewayProcess, configuration

PACKAGES = """
[credit]
tokens = 10
weights = { output = "3" }

[[package]]
id = "tiny"
name = "Tiny"
credits = 12
price = "1.99"
currency = "USD"
source = "our price list, 2026-11-01"
"""
HELLO: Any = [{"role": "user", "content": "Say hello."}]


@pytest.fixture(scope="module")
def selling(
    provider: FakeProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("selling")
    process = GatewayProcess(
        folder / "gateway", configuration(provider.base_url, more=PACKAGES.lstrip())
    )
    typed(process, "credits", "rule", "user")
    process.start()
    yield process
    process.stop()


def typed(process: GatewayProcess, *words: str) -> Any:
    """What a command in the gateway's folder answers, as JSON."""
    command = [sys.executable, "-m", "tokonomi", *words, "--format", "json"]
    ran = subprocess.run(command, cwd=process.folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)["rows"]


def asked(
    process: GatewayProcess, token: str, path: str, *, buy: str = "", payment: str = ""
) -> tuple[int, Any]:
    """What the admin API of the gateway answers; with `buy`, to a payment for that package."""
    address = urlsplit(process.url)
    assert address.hostname
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    if buy:
        headers["idempotency-key"] = payment
        body = json.dumps({"package": buy})
        connection.request("POST", f"/admin{path}", body, headers)
    else:
        connection.request("GET", f"/admin{path}", headers=headers)
    answer = connection.getresponse()
    content = json.loads(answer.read())
    connection.close()
    return answer.status, content


def test_a_package_of_ones_own_file_is_sold_by_command_and_by_api_and_pays_for_calls(
    selling: GatewayProcess,
) -> None:
    listed = typed(selling, "credits", "packages")
    assert [(each["id"], each["credits"], each["price"]) for each in listed] == [
        ("tiny", "12", "1.99")
    ]
    key, _ = selling.make_key()
    buy = ("credits", "purchase", "tiny", "--wallet", "user=ani", "--payment", "p-1")
    [bought] = typed(selling, *buy)
    assert (bought["grant"], bought["credits"], bought["paid"], bought["currency"]) == (
        "payment/p-1",
        "12",
        "1.99",
        "USD",
    )
    token = subprocess.run(
        [
            sys.executable,
            "-m",
            "tokonomi",
            "admin",
            "token",
            "create",
            "--name",
            "shop",
            "--role",
            "operator",
        ],
        cwd=selling.folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert asked(selling, token, "/packages") == (
        200,
        [
            {
                "id": "tiny",
                "name": "Tiny",
                "credits": "12",
                "price": {"amount": "1.99", "currency": "USD"},
                "expires_after_days": None,
                "rollover": "0",
                "source": "our price list, 2026-11-01",
            }
        ],
    )
    path = "/wallets/user=ani/purchases"
    status, granted = asked(selling, token, path, buy="tiny", payment="p-2")
    assert (status, granted["credits"], granted["paid"]["amount"]) == (201, "12", "1.99")
    assert asked(selling, token, path, buy="paper", payment="p-3")[0] == 404

    with selling.client(key) as client:
        client.chat.completions.create(
            model="gpt-4o-mini", messages=HELLO, max_tokens=7, user="ani"
        )
    # 21 input tokens, and 7 of output that count three times: 42 tokens at 10 a credit.
    [wallet] = typed(selling, "credits", "wallets")
    assert (wallet["balance"], wallet["held"]) == ("19.8", "0")
