"""Batches through the official client, and what a provider may do to them."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import openai
import pytest
from batch_gateway import (
    NOW,
    SETTINGS,
    BatchProvider,
    check_ledger,
    content,
    ended,
    gateway_of,
    jsonl,
    limited,
    line,
    made,
)
from fake_batches import FakeBatches, completion, failure
from gateway_process import GatewayProcess, until

from tokonomi.storage import keys
from tokonomi.storage.engine import open_store
from tokonomi.storage.keys import Terms, bound_to

NewStore = Callable[[], Path | str]


@dataclass
class Setting:
    """A gateway, its provider and its store."""

    provider: BatchProvider
    gateway: GatewayProcess
    client: openai.OpenAI
    location: Path | str

    @property
    def fake(self) -> FakeBatches:
        return self.provider.fake

    def calls(self) -> list[dict[str, Any]]:
        """The settled calls, in the order of their ids."""
        names = "id, request_id, project, status, batch, amount, alias, route, tags, end_user"
        names += ", feature, source, unpriced, exposure, model_asked, model_served"
        with closing(open_store(self.location)) as database:
            rows = database.execute(f"SELECT {names} FROM call ORDER BY id").fetchall()
        return [dict(zip(names.split(", "), row, strict=True)) for row in rows]

    def check(self) -> None:
        with closing(open_store(self.location)) as database:
            check_ledger(database)


@pytest.fixture(scope="module")
def setting(new_store: NewStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    provider, location = BatchProvider(), new_store()
    provider.start()
    key = limited(location)
    folder = tmp_path_factory.mktemp("gateway")
    gateway = gateway_of(folder / "one", provider.configuration(), location)
    gateway.start()
    with gateway.client(key) as client:
        yield Setting(provider, gateway, client, location)
    gateway.stop()
    provider.stop()


@pytest.fixture(autouse=True)
def honest(setting: Setting) -> None:
    """Each test begins with a provider that does as it should."""
    fresh = FakeBatches()
    setting.fake.outputs, setting.fake.status = fresh.outputs, fresh.status
    setting.fake.is_done = True
    setting.fake.hooks.clear()
    setting.fake.troubles.clear()


def rows_of(setting: Setting, batch_id: str) -> list[dict[str, Any]]:
    found = [row for row in setting.calls() if row["request_id"].startswith(batch_id)]
    return sorted(found, key=lambda row: int(row["request_id"].rpartition("-")[2]))


def test_a_batch_goes_through_with_the_official_client(setting: Setting) -> None:
    client = setting.client
    lines = [line("first", user="ani"), line("second", model="house-model")]
    file = client.files.create(file=jsonl(lines), purpose="batch")
    assert (file.purpose, file.filename, file.status) == ("batch", "requests.jsonl", "processed")
    assert client.files.retrieve(file.id).bytes == file.bytes
    assert file.id in [each.id for each in client.files.list(purpose="batch")]
    batch = client.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"job": "nightly"},
        extra_headers={"x-tokonomi-feature": "growth", "x-tokonomi-tags": "team=a"},
    )
    assert (batch.status, batch.metadata) == ("validating", {"job": "nightly"})
    done = ended(client, batch.id)
    assert done.status == "completed"
    assert done.request_counts is not None
    assert (done.request_counts.total, done.request_counts.completed) == (2, 2)
    assert done.error_file_id is None
    answers = content(client, done.output_file_id)
    assert [each["custom_id"] for each in answers] == ["first", "second"]
    models = [each["response"]["body"]["model"] for each in answers]
    assert models == ["gpt-4o-mini", "house-model"]
    assert batch.id in [each.id for each in client.batches.list()]
    first, second = rows_of(setting, batch.id)
    # 20 tokens at $0.075 a million and 10 at $0.30, in pico-dollars: half of what a call costs.
    assert first["amount"] == second["amount"] == 20 * 75_000 + 10 * 300_000
    assert (first["batch"], first["status"], first["source"]) == (1, "ok", "reported")
    assert (first["project"], first["feature"], first["route"]) == ("tests", "growth", "primary")
    assert (first["end_user"], second["alias"]) == ("ani", "house-model")
    assert f'"batch":"{batch.id}","custom_id":"first","team":"a"' in first["tags"]
    sent = setting.fake.lines_of(next(iter(setting.fake.files)))
    assert [each["custom_id"] for each in sent] == [f"{batch.id}-1", f"{batch.id}-2"]
    assert [each["body"]["model"] for each in sent] == ["gpt-4o-mini", "gpt-4o-mini"]
    setting.check()


def test_the_file_of_a_finished_batch_can_be_deleted_and_the_providers_copies_are(
    setting: Setting,
) -> None:
    client = setting.client
    batch = made(client, [line("a")])
    done = ended(client, batch.id)
    assert client.files.delete(batch.input_file_id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(batch.input_file_id)
    remote = setting.fake.batches[[*setting.fake.batches][-1]]
    gone = {remote["input_file_id"], remote["output_file_id"]}
    until(lambda: gone <= {*setting.fake.deleted})
    assert content(client, done.output_file_id)[0]["custom_id"] == "a"


def test_a_provider_that_lies_settles_each_line_once(setting: Setting) -> None:
    def lies(lines: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        dear = {"prompt_tokens": 900, "completion_tokens": 900, "total_tokens": 1_800}
        odd = {"prompt_tokens": -5, "completion_tokens": 10, "total_tokens": 5}
        foreign = {**lines[0], "custom_id": "batch_of_somebody_else-1"}
        answers = [
            completion(lines[0]),
            completion(lines[0], usage=dear),
            completion(foreign),
            {"raw": b"this is no JSON\n"},
            completion(lines[1], usage=None),
            completion(lines[2], usage=odd),
            {"raw": b"\n"},
        ]
        lost = failure(lines[3]) | {"response": None, "error": {"code": "batch_expired"}}
        return answers, [failure(lines[0]), lost]

    setting.fake.outputs = lies
    client = setting.client
    batch = made(client, [line(name) for name in ("a", "b", "c", "d", "e")])
    done = ended(client, batch.id)
    assert done.request_counts is not None
    assert (done.request_counts.completed, done.request_counts.failed) == (3, 2)
    assert [each["custom_id"] for each in content(client, done.output_file_id)] == ["a", "b", "c"]
    errors = content(client, done.error_file_id)
    assert [each["custom_id"] for each in errors] == ["d", "e"]
    assert errors[1]["error"]["code"] == "line_missing"
    reported, estimated, quarantined, failed, missing = rows_of(setting, batch.id)
    assert reported["amount"] == 20 * 75_000 + 10 * 300_000
    assert (estimated["source"], estimated["status"]) == ("estimated", "ok")
    assert estimated["amount"] > 0
    assert quarantined["amount"] is None
    assert quarantined["exposure"] > 0
    assert (failed["status"], failed["exposure"]) == ("failed", None)
    assert (missing["status"], missing["amount"]) == ("failed", None)
    assert missing["exposure"] > 0
    setting.check()


@pytest.mark.parametrize("status", ["expired", "cancelled", "failed"])
def test_lines_that_were_not_run_are_voided(setting: Setting, status: str) -> None:
    setting.fake.status = status
    setting.fake.outputs = lambda lines: ([completion(lines[0])], [])
    batch = made(setting.client, [line("a"), line("b")])
    done = ended(setting.client, batch.id)
    assert done.status == status
    ran, did_not = rows_of(setting, batch.id)
    assert (ran["status"], did_not["status"]) == ("ok", "failed")
    assert did_not["exposure"] is None
    assert did_not["amount"] is None
    setting.check()


def test_lines_whose_output_was_not_read_may_have_been_billed(
    setting: Setting, new_store: NewStore, tmp_path: Path
) -> None:
    def long(lines: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        filling = {"raw": b"x" * 4_000_000 + b"\n"}
        return [completion(lines[0]), filling, completion(lines[1])], []

    setting.fake.status, setting.fake.outputs = "expired", long
    location = new_store()
    key = limited(location)
    settings = setting.provider.configuration(more=SETTINGS + "output_bytes = 1000\n")
    gateway = gateway_of(tmp_path / "short", settings, location)
    gateway.start()
    with gateway.client(key) as client:
        done = ended(client, made(client, [line("a"), line("b")]).id)
        [error] = content(client, done.error_file_id)
    gateway.stop()
    assert (done.status, error["custom_id"]) == ("expired", "b")
    assert error["error"]["code"] == "output_unread"
    ran, unread = replace(setting, location=location).calls()
    assert (ran["status"], unread["status"], unread["amount"]) == ("ok", "failed", None)
    assert unread["exposure"] > 0


def test_a_line_of_output_that_cannot_be_read_may_be_the_answer_to_any(setting: Setting) -> None:
    setting.fake.status = "expired"
    setting.fake.outputs = lambda lines: ([completion(lines[0]), {"raw": b"{half of a li\n"}], [])
    batch = made(setting.client, [line("a"), line("b")])
    done = ended(setting.client, batch.id)
    [error] = content(setting.client, done.error_file_id)
    assert (error["custom_id"], error["error"]["code"]) == ("b", "output_unread")
    ran, unread = rows_of(setting, batch.id)
    assert (ran["status"], unread["status"], unread["amount"]) == ("ok", "failed", None)
    assert unread["exposure"] > 0
    setting.check()


def test_a_provider_that_is_busy_or_breaks_is_asked_again(setting: Setting) -> None:
    seen = setting.fake.seen["POST /v1/batches"]
    setting.fake.troubles["POST /v1/files"] = [503]
    setting.fake.troubles["POST /v1/batches"] = [429]
    setting.fake.troubles["GET /v1/batches/"] = [429, 500]
    setting.fake.troubles["GET /v1/files/"] = ["hangup"]
    batch = made(setting.client, [line("a")])
    assert ended(setting.client, batch.id).status == "completed"
    assert setting.fake.seen["POST /v1/batches"] == seen + 2
    assert len(rows_of(setting, batch.id)) == 1
    setting.check()


def test_a_batch_that_the_provider_refuses_fails_with_its_reason_and_holds_nothing(
    setting: Setting,
) -> None:
    setting.fake.troubles["POST /v1/batches"] = [400]
    batch = made(setting.client, [line("a"), line("b")])
    done = ended(setting.client, batch.id)
    assert done.status == "failed"
    assert done.errors is not None
    assert done.errors.data is not None
    assert done.errors.data[0].code == "trouble"
    assert rows_of(setting, batch.id) == []
    setting.check()


def test_a_batch_can_be_cancelled_while_it_runs(setting: Setting) -> None:
    setting.fake.is_done = False
    batch = made(setting.client, [line("a"), line("b")])
    until(lambda: setting.client.batches.retrieve(batch.id).status == "in_progress")
    with pytest.raises(openai.ConflictError) as used:
        setting.client.files.delete(batch.input_file_id)
    assert used.value.code == "file_in_use"
    assert setting.client.batches.cancel(batch.id).status == "cancelling"
    seen = setting.fake.seen
    until(lambda: seen["POST /v1/batches/"] == 1)
    setting.fake.status = "cancelled"
    setting.fake.outputs = lambda lines: ([completion(lines[1])], [])
    setting.fake.is_done = True
    done = ended(setting.client, batch.id)
    assert done.status == "cancelled"
    assert [each["custom_id"] for each in content(setting.client, done.output_file_id)] == ["b"]
    errors = content(setting.client, done.error_file_id)
    assert errors[0]["error"]["code"] == "batch_cancelled"
    setting.check()
    with pytest.raises(openai.ConflictError) as over:
        setting.client.batches.cancel(batch.id)
    assert over.value.code == "batch_ended"


def test_a_batch_that_does_not_fit_its_budget_is_not_sent_and_leaves_nothing_held(
    setting: Setting,
) -> None:
    seen = setting.fake.seen["POST /v1/files"]
    # 1,000 lines of 16,000 tokens at $0.30 a million are $4.80 and their input; the budget has $5.
    lines = [line(f"n{number}", max_tokens=16_000) for number in range(1_200)]
    batch = made(setting.client, lines)
    done = ended(setting.client, batch.id)
    assert done.status == "failed"
    assert done.errors is not None
    assert done.errors.data is not None
    [error] = done.errors.data
    assert error.code == "budget_exceeded"
    assert error.line is not None
    assert error.line > 900
    assert setting.fake.seen["POST /v1/files"] == seen
    assert rows_of(setting, batch.id) == []
    setting.check()


def test_other_projects_see_neither_files_nor_batches(setting: Setting) -> None:
    batch = made(setting.client, [line("a")])
    done = ended(setting.client, batch.id)
    with closing(open_store(setting.location)) as database:
        text, _ = keys.create(database, "stranger", "strangers", now=NOW)
    until(lambda: setting.gateway.accepts(text))
    with setting.gateway.client(text) as stranger:
        assert [*stranger.files.list()] == []
        assert [*stranger.batches.list()] == []
        assert done.output_file_id is not None
        for refused in (
            lambda: stranger.batches.retrieve(batch.id),
            lambda: stranger.batches.cancel(batch.id),
            lambda: stranger.files.retrieve(batch.input_file_id),
            lambda: stranger.files.content(str(done.output_file_id)),
            lambda: stranger.files.delete(batch.input_file_id),
            lambda: stranger.batches.create(
                input_file_id=batch.input_file_id,
                endpoint="/v1/chat/completions",
                completion_window="24h",
            ),
        ):
            with pytest.raises(openai.NotFoundError):
                refused()


def test_no_line_names_another_user_than_its_key_is_bound_to(setting: Setting) -> None:
    bound = Terms(bound=bound_to(user="ani", tags={}))
    with closing(open_store(setting.location)) as database:
        text, key = keys.create(database, "bound", "tests", now=NOW, terms=bound)
    until(lambda: setting.gateway.accepts(text))
    lines = [line("a", user="ani"), line("b"), line("c", user="budi")]
    free_file = setting.client.files.create(file=jsonl(lines), purpose="batch")
    seen = setting.fake.seen["POST /v1/files"]
    with setting.gateway.client(text) as client:
        with pytest.raises(openai.PermissionDeniedError) as refused:
            client.files.create(file=jsonl(lines), purpose="batch")
        told = f"The key {key.id} is bound to user 'ani', and user of this request says 'budi'."
        assert refused.value.code == "bound_otherwise"
        assert f"Line 3: {told}" in str(refused.value)
        batch = client.batches.create(
            input_file_id=free_file.id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
        )
        done = ended(client, batch.id)
        assert done.status == "failed"
        assert done.errors is not None
        assert done.errors.data is not None
        [error] = done.errors.data
        assert (error.code, error.line, error.param) == ("bound_otherwise", 3, "user")
        assert str(error.message).startswith(told)
        assert setting.fake.seen["POST /v1/files"] == seen
        settled = ended(client, made(client, lines[:2]).id)
    assert settled.status == "completed"
    assert [row["end_user"] for row in rows_of(setting, settled.id)] == ["ani", "ani"]
    setting.check()


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([line("a"), line("a")], "Line 2: its `custom_id` 'a' is that of line 1"),
        ([line("a"), line("b", model="nobody")], "Line 2: No model is configured as 'nobody'"),
        ([line("a", stream=True)], "Line 1: `stream` asks for a stream"),
        ([line("a"), line("b") | {"url": "/v1/embeddings"}], "Line 2: its url is /v1/embeddings"),
        ([line("a") | {"url": "/v1/files"}], "Line 1: its url is '/v1/files'"),
        ([line("a") | {"priority": 1}], "Line 1: `priority` is not known here"),
        ([line("a", model="unreachable")], "'unreachable' leads to nobody, which takes no batches"),
        ([], "The file has no line"),
    ],
)
def test_a_file_with_a_wrong_line_is_refused_by_its_number_and_not_kept(
    setting: Setting, lines: list[dict[str, Any]], says: str
) -> None:
    before = [each.id for each in setting.client.files.list()]
    with pytest.raises(openai.APIStatusError) as refused:
        setting.client.files.create(file=jsonl(lines), purpose="batch")
    assert refused.value.status_code in {400, 404}
    assert says in refused.value.message
    assert [each.id for each in setting.client.files.list()] == before


def test_the_command_line_shows_batches_and_why_one_failed(setting: Setting) -> None:
    setting.fake.troubles["POST /v1/batches"] = [400]
    batch = made(setting.client, [line("a")])
    ended(setting.client, batch.id)
    options = ["--store", str(setting.location), "--format", "json"]
    listed = run_tokonomi(["batches", "list", *options])
    assert batch.id in listed
    shown = run_tokonomi(["batches", "show", batch.id, *options])
    assert "trouble" in shown
    assert "failed" in shown


def run_tokonomi(arguments: list[str]) -> str:
    """What a command prints."""
    command = [sys.executable, "-m", "tokonomi", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_files_of_other_purposes_are_refused_by_name(setting: Setting) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        setting.client.files.create(file=jsonl([line("a")]), purpose="fine-tune")
    assert refused.value.code == "unsupported_purpose"
    assert "'fine-tune'" in refused.value.message


def test_a_batch_of_another_endpoint_than_its_lines_is_refused(setting: Setting) -> None:
    file = setting.client.files.create(file=jsonl([line("a")]), purpose="batch")
    with pytest.raises(openai.BadRequestError) as refused:
        setting.client.batches.create(
            input_file_id=file.id, endpoint="/v1/embeddings", completion_window="24h"
        )
    assert refused.value.param == "endpoint"
