from datetime import UTC, datetime
from pathlib import Path

from tokonomi.calls import Dimensions
from tokonomi.ingest import azure, mooncake
from tokonomi.ingest.draft import Draft, Rejected, Target
from tokonomi.ingest.lines import LONGEST_LINE, Lines
from tokonomi.usage import Source, Usage

TARGET = Target("openai", "gpt-4o", "gpt-4o", Dimensions(provider="openai"))
BEGAN = datetime(2024, 6, 1, tzinfo=UTC)
HEADING = "TIMESTAMP,ContextTokens,GeneratedTokens\n"


def azure_rows(folder: Path, text: str) -> list[Draft | Rejected]:
    path = folder / "trace.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return list(azure.read(Lines(path), TARGET))


def mooncake_rows(folder: Path, text: str, *, cache: bool = False) -> list[Draft | Rejected]:
    path = folder / "trace.jsonl"
    path.write_text(text, encoding="utf-8")
    lines = Lines(path)
    return list(mooncake.read(lines, TARGET, base_time=BEGAN, assume_prefix_cache=cache))


def usages(rows: list[Draft | Rejected]) -> list[object]:
    return [row.usage if isinstance(row, Draft) else row.reason for row in rows]


def test_an_azure_line_is_read_as_utc_and_cut_to_microseconds(tmp_path: Path) -> None:
    rows = azure_rows(tmp_path, f"{HEADING}2023-11-16 18:15:46.6805909,374,44")
    at = datetime(2023, 11, 16, 18, 15, 46, 680590, tzinfo=UTC)
    assert usages(rows) == [Usage(at=at, uncached_input=374, output=44)]


def test_windows_line_ends_and_a_mark_at_the_front_change_nothing(tmp_path: Path) -> None:
    plain = azure_rows(tmp_path, f"{HEADING}2023-11-16 18:15:46.6805900,374,44\n")
    marked = f"\ufeff{HEADING}2023-11-16 18:15:46.6805900,374,44\n".replace("\n", "\r\n")
    assert azure_rows(tmp_path, marked) == plain


def test_bad_azure_lines_are_told_by_number_reason_and_text(tmp_path: Path) -> None:
    bad = ["x", "2023-11-16 18:15:46,-1,2", "yesterday,1,2", "2023-11-16 18:15:46Z,1,2"]
    bad.append(f"2023-11-16 18:15:46,{10**12 + 1},2")
    rows = azure_rows(tmp_path, HEADING + "\n".join(bad))
    assert rows == [
        Rejected(2, "1 fields instead of 3", bad[0]),
        Rejected(3, "token counts that are not whole numbers", bad[1]),
        Rejected(4, "a time that is not like 2023-11-16 18:15:46.6805900", bad[2]),
        Rejected(5, "a time with a zone, which this trace does not have", bad[3]),
        Rejected(6, "more than 1000000000000 tokens in one call", bad[4]),
    ]


def test_equal_lines_at_different_places_are_different_calls(tmp_path: Path) -> None:
    line = "2023-11-16 18:15:46.6805900,374,44\n"
    rows = azure_rows(tmp_path, HEADING + line * 2)
    assert len({row.id for row in rows if isinstance(row, Draft)}) == 2


def test_an_appended_file_gives_its_first_rows_the_same_ids(tmp_path: Path) -> None:
    short = azure_rows(tmp_path, f"{HEADING}2023-11-16 18:15:46.68,374,44")
    longer = azure_rows(tmp_path, f"{HEADING}2023-11-16 18:15:46.68,374,44\n2023-11-16 18:16,1,1\n")
    assert longer[:1] == short
    assert len(longer) == 2


def test_a_line_without_an_end_is_cut_and_the_next_is_read(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_bytes(b"x" * (2 * LONGEST_LINE + 5) + b"\nnext\n")
    lines = Lines(path)
    assert [(number, len(line)) for number, line in lines] == [(1, LONGEST_LINE), (2, 5)]
    assert lines.position == path.stat().st_size


def test_mooncake_times_count_from_the_stated_start(tmp_path: Path) -> None:
    line = '{"timestamp": 1500, "input_length": 10, "output_length": 3, "hash_ids": [0]}'
    at = BEGAN.replace(second=1, microsecond=500_000)
    assert usages(mooncake_rows(tmp_path, line)) == [Usage(at=at, uncached_input=10, output=3)]


def test_leading_blocks_seen_before_are_cache_reads_and_never_more_than_the_prompt(
    tmp_path: Path,
) -> None:
    blocks = [(1000, [0, 1]), (1500, [0, 1, 2]), (1000, [0, 1]), (600, [7, 0]), (512, [0, 9])]
    text = "\n".join(
        f'{{"timestamp": 0, "input_length": {length}, "output_length": 1, "hash_ids": {ids}}}'
        for length, ids in blocks
    )
    rows = mooncake_rows(tmp_path, text, cache=True)
    split = [
        (row.usage.cache_read, row.usage.uncached_input, row.usage.source)
        for row in rows
        if isinstance(row, Draft) and isinstance(row.usage, Usage)
    ]
    assert split == [
        (0, 1000, Source.ESTIMATED),
        (1024, 476, Source.ESTIMATED),
        (1000, 0, Source.ESTIMATED),
        (0, 600, Source.ESTIMATED),
        (512, 0, Source.ESTIMATED),
    ]


def test_bad_mooncake_lines_are_rejected_with_a_reason(tmp_path: Path) -> None:
    bad = ["{", '{"timestamp": -1, "input_length": 1, "output_length": 1}', '{"timestamp": 1.5}']
    rows = mooncake_rows(tmp_path, "\n".join(bad))
    assert [type(row) for row in rows] == [Rejected] * 3
    assert [row.line for row in rows if isinstance(row, Rejected)] == [1, 2, 3]
