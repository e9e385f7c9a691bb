"""Requests made from the description of the admin API, right ones and wrong ones: never a 500."""

import os
import subprocess
import sys
from collections import Counter
from contextlib import closing
from typing import Any, Final

import pytest
import schemathesis
from gateway_process import GatewayProcess
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import checks as general
from schemathesis.specs.openapi import checks as conformance

from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger_check import verify

EXAMPLES: Final = int(os.environ.get("TOKONOMI_ADMIN_FUZZ_EXAMPLES", "6"))
"""Of each operation, right ones and as many wrong ones."""
GENERAL: Final[Any] = general
KNOWN: Final[Any] = conformance
CHECKS: Final[list[Any]] = [
    GENERAL.not_a_server_error,
    KNOWN.content_type_conformance,
    KNOWN.response_schema_conformance,
    KNOWN.status_code_conformance,
]
TRYING: Final = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@pytest.fixture
def token(gateway: GatewayProcess) -> str:
    words = ["admin", "token", "create", "--name", "fuzz", "--role", "admin"]
    made = subprocess.run(
        [sys.executable, "-m", "tokonomi", *words],
        cwd=gateway.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return made.stdout.strip()


def test_no_request_to_the_admin_api_is_answered_500_or_with_another_shape(
    gateway: GatewayProcess, token: str
) -> None:
    headers = {"authorization": f"Bearer {token}"}
    openapi: Any = schemathesis.openapi
    schema = openapi.from_url(f"{gateway.url}/admin/openapi.json", headers=headers)
    statuses = Counter[int]()

    def try_all(operation: Any, mode: schemathesis.GenerationMode) -> None:
        @TRYING
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            answer = case.call(headers=headers)
            statuses[answer.status_code] += 1
            case.validate_response(answer, checks=CHECKS)

        ask()

    for found in schema.get_all_operations():
        for mode in schemathesis.GenerationMode:
            try_all(found.ok(), mode)
    assert {200, 400, 404} <= {*statuses}
    with closing(open_store(gateway.store)) as database:
        assert verify(database).imbalances == ()
