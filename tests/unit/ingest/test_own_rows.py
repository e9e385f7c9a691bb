import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tokonomi.calls import Dimensions, Status
from tokonomi.errors import BadInput
from tokonomi.ingest import own
from tokonomi.ingest.draft import Draft, Rejected
from tokonomi.ingest.lines import Lines
from tokonomi.usage import Quarantined, Source, Usage

AT = datetime(2026, 1, 30, 9, tzinfo=UTC)
LEAST: dict[str, Any] = {"at": "2026-01-30T09:00:00Z", "provider": "openai", "model": "gpt-4o"}
NOBODY = Dimensions()


def from_json(folder: Path, *rows: dict[str, Any] | str) -> list[Draft | Rejected]:
    path = folder / "calls.jsonl"
    texts = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(texts), encoding="utf-8", errors="surrogateescape")
    return list(own.read_json_lines(Lines(path), Dimensions(project="web")))


def from_csv(folder: Path, data: bytes) -> list[Draft | Rejected]:
    path = folder / "calls.csv"
    path.write_bytes(data)
    return list(own.read_csv(Lines(path), NOBODY))


def only(rows: list[Draft | Rejected]) -> Draft:
    assert [type(row) for row in rows] == [Draft], rows
    row = rows[0]
    assert isinstance(row, Draft)
    return row


def reason(rows: list[Draft | Rejected]) -> str:
    assert [type(row) for row in rows] == [Rejected], rows
    row = rows[0]
    assert isinstance(row, Rejected)
    return row.reason


def test_time_provider_model_and_a_count_make_a_call(tmp_path: Path) -> None:
    draft = only(from_json(tmp_path, {**LEAST, "output": 7}))
    assert draft.usage == Usage(at=AT, output=7)
    assert (draft.model, draft.status) == ("gpt-4o", Status.IMPORTED)
    assert draft.dimensions == Dimensions(project="web", provider="openai")


def test_the_same_row_as_csv_has_the_same_usage(tmp_path: Path) -> None:
    fields = {**LEAST, "output": 7, "batch": "true", "tags": '{"team":"a"}', "note": "two\nlines"}
    path = tmp_path / "one.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        writer.writerow(fields)
    draft = only(from_csv(tmp_path, path.read_bytes()))
    assert draft.usage == Usage(at=AT, output=7, batch=True)
    assert draft.dimensions.tags == (("team", "a"),)
    assert draft.note == "two\nlines"


def test_an_instant_of_another_zone_is_the_same_instant_in_utc(tmp_path: Path) -> None:
    draft = only(from_json(tmp_path, {**LEAST, "at": "2026-01-30T16:00:00+07:00", "output": 7}))
    assert draft.at == AT


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"at": "2026-01-30T09:00:00"}, "the instant 2026-01-30T09:00:00 has no zone"),
        ({"at": None}, "no instant"),
        ({"at": None, "at_us": 2**62}, "date value out of range"),
        ({"at": "0001-01-01T00:00:00+07:00"}, "date value out of range"),
        ({"model": ""}, "no model"),
        ({"output": None}, "no token counts"),
        ({"output": -1}, "output: expected int >= 0"),
        ({"output": 10**12 + 1}, "output: expected int <= 1000000000000"),
        ({"reasoning": 8}, "8 reasoning tokens inside 7 output tokens"),
        ({"outptu": 7}, "unknown field outptu"),
        ({"status": "fine"}, "status: invalid enum value 'fine'"),
        ({"reported_amount": 1, "reported_currency": "XXX"}, "unknown currency 'XXX'"),
        ({"tags": ["a"]}, "expected array, got str"),
    ],
)
def test_a_row_that_cannot_be_a_call_says_why(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    fields = {name: v for name, v in {**LEAST, "output": 7, **change}.items() if v is not None}
    assert said in reason(from_json(tmp_path, fields))


def test_a_line_that_is_not_json_is_rejected_and_the_next_is_read(tmp_path: Path) -> None:
    rows = from_json(tmp_path, "{nope", "\udcff", "[1]", {**LEAST, "output": 7})
    assert [type(row) for row in rows] == [Rejected, Rejected, Rejected, Draft]


def test_an_unknown_column_of_a_csv_stops_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r'column "outptu".*Did you mean "output"'):
        from_csv(tmp_path, b"at,provider,model,outptu\n")


def test_bad_csv_records_keep_their_bytes_and_their_line(tmp_path: Path) -> None:
    rows = from_csv(
        tmp_path,
        b"at,provider,model,output,note\n"
        b"2026-01-30T09:00:00Z,openai,gpt-4o,7\n"
        b"2026-01-30T09:00:00Z,openai,gpt-4o,7,\xff\n"
        b'2026-01-30T09:00:00Z,openai,gpt-4o,7,"x"y\n'
        b"2026-01-30T09:00:00Z,openai,gpt-4o,7,fine\n",
    )
    assert [row.line if isinstance(row, Rejected) else "read" for row in rows] == [2, 3, 4, "read"]
    assert rows[:2] == [
        Rejected(2, "4 cells under 5 headings", "2026-01-30T09:00:00Z,openai,gpt-4o,7"),
        Rejected(3, "not UTF-8", "2026-01-30T09:00:00Z,openai,gpt-4o,7,\\xff"),
    ]


def test_an_empty_csv_has_no_heading(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no heading"):
        from_csv(tmp_path, b"")


def test_a_given_id_stays_and_gets_an_attempt_when_it_has_none(tmp_path: Path) -> None:
    rows = from_json(
        tmp_path, {**LEAST, "output": 7, "id": "a.2"}, {**LEAST, "output": 7, "id": "b"}
    )
    assert [row.id for row in rows if isinstance(row, Draft)] == ["a.2", "b.1"]


def test_a_quarantined_call_stays_quarantined(tmp_path: Path) -> None:
    fields = {**LEAST, "quarantined": "cache above input", "raw_usage": "{}", "source": "absent"}
    draft = only(from_json(tmp_path, fields))
    assert draft.usage == Quarantined("cache above input", "{}")


def test_absent_usage_needs_no_counts_and_is_not_zero(tmp_path: Path) -> None:
    fields = {**LEAST, "source": "absent", "requests": 0}
    assert only(from_json(tmp_path, fields)).usage == Usage(at=AT, requests=0, source=Source.ABSENT)
