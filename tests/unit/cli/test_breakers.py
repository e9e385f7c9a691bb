"""The commands on circuit breakers, on both databases, as they are typed."""

import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from tokonomi.cli import main
from tokonomi.storage.changes import Author
from tokonomi.storage.config_files import apply_text
from tokonomi.storage.engine import open_store

TARGET = "openrouter/openai/gpt-5.1"
CONFIGURED = """
[providers.openrouter]
base_url = "https://openrouter.ai/api/v1"
[models.writer]
targets = [{ provider = "openrouter", model = "openai/gpt-5.1" }]
[models."openrouter/*"]
provider = "openrouter"
"""
Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(new_store: Callable[[], Path | str], capfdbinary: pytest.CaptureFixture[bytes]) -> Typed:
    store = str(new_store())
    with closing(open_store(store)) as database:
        apply_text(database, CONFIGURED, now=datetime(2026, 11, 28, tzinfo=UTC), by=Author("ani"))

    def type_command(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["breakers", *words, "--store", store])
        out, err = capfdbinary.readouterr()
        return cast("int", ended.value.code), out.decode(), err.decode()

    return type_command


def rows(typed: Typed) -> list[dict[str, Any]]:
    code, out, _ = typed("list", "--format", "json")
    assert code == 0
    return json.loads(out)["rows"]


def test_a_target_is_opened_by_hand_and_closed_again(typed: Typed) -> None:
    assert "No call has gone through" in typed("list")[1]
    code, out, _ = typed("open", TARGET)
    assert (code, out.startswith(f"{TARGET} is open until you close it.")) == (0, True)
    [held] = rows(typed)
    assert (held["target"], held["state"], held["why"]) == (TARGET, "held", "opened by hand")
    assert typed("close", TARGET)[0] == 0
    [closed] = rows(typed)
    assert (closed["state"], closed["calls"], closed["half_opens"]) == ("closed", 0, None)


def test_all_models_behind_a_star_are_opened_as_one(typed: Typed) -> None:
    assert typed("open", "openrouter/*")[0] == 0
    assert [row["target"] for row in rows(typed)] == ["openrouter/*"]


def test_nothing_is_opened_where_no_model_is_configured(
    new_store: Callable[[], Path | str], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    with pytest.raises(SystemExit):
        main(["breakers", "open", TARGET, "--store", str(new_store())])
    assert b"Apply a [models] section first." in capfdbinary.readouterr().err


def test_a_target_is_opened_for_a_time(typed: Typed) -> None:
    code, out, _ = typed("open", TARGET, "--minutes", "5")
    assert (code, "is open until 20" in out) == (0, True)
    [opened] = rows(typed)
    assert (opened["state"], opened["half_opens"] is None) == ("open", False)


def test_no_time_and_no_such_target_are_refused(typed: Typed) -> None:
    assert typed("open", TARGET, "--minutes", "0")[0] == 2
    code, _, err = typed("open", "openrouter/openai/gpt-5.2")
    wrong = "not_found: no model has the target 'openrouter/openai/gpt-5.2'."
    assert (code, err) == (1, f'{wrong} Did you mean "{TARGET}"?\n')
    assert typed("open", "gpt")[2].endswith(f"Use one of openrouter/*, {TARGET}.\n")
    assert rows(typed) == []
    code, _, err = typed("close", TARGET)
    assert (code, err.startswith("not_found: no target")) == (1, True)
