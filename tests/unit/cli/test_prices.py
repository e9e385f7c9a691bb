"""`tokonomi prices` as a person runs it, in the process of the test."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tokonomi.cli import main
from tokonomi.cli.prices import app


class Terminal:
    """Runs a command and gives back its exit code, what it says and what it talks."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self.capfd = capfd

    def run(self, *words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["prices", *words])
        told = self.capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, told.out, told.err


@pytest.fixture
def terminal(capfd: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capfd)


EXPLAIN = ("explain", "openai/gpt-5.1", "--at", "2026-01-30T00:00:00", "--format", "json")


def test_an_amount_opens_to_tokens_times_price(terminal: Terminal) -> None:
    code, out, _ = terminal.run(*EXPLAIN, "--input", "150000", "--output", "150000")
    told = json.loads(out)
    assert code == 0
    assert told["version"] == 1
    assert [
        (row["meter"], row["quantity"], row["price"], row["amount"]) for row in told["rows"]
    ] == [
        ("input", 150_000, "1.25", "0.1875"),
        ("output", 150_000, "10", "1.5"),
        ("total", None, None, "1.6875"),
    ]
    assert told["notes"][:3] == [
        "Row: genai-prices-0.2.3:openai/gpt-5.1.",
        "Source: genai-prices 0.2.3.",
        "Holds at all times, as far as its source says.",
    ]
    assert list(told) == sorted(told)


def test_every_part_of_a_call_can_be_named(terminal: Terminal) -> None:
    parts = ("--cached", "10", "--cache-write", "20", "--cache-write-1h", "30", "--searches", "1")
    whole = ("--input", "100", "--output", "50")
    code, out, _ = terminal.run("explain", "claude-opus-4-8", *whole, *parts, "--format", "csv")
    assert code == 0
    assert [line.split(",")[:2] for line in out.splitlines()] == [
        ["meter", "quantity"],
        ["input", "40"],
        ["cache_read", "10"],
        ["cache_write_5m", "20"],
        ["cache_write_1h", "30"],
        ["output", "50"],
        ["search", "1"],
        ["total", ""],
    ]


def test_hours_tiers_and_dates_are_told_beside_the_amount(terminal: Terminal) -> None:
    _, peak, _ = terminal.run(
        "explain", "deepseek/deepseek-flash", "--at", "2026-10-12T02:00:00+00:00", "--input", "1"
    )
    assert "Hours: 01:00-04:00/12345 UTC." in peak
    assert "Holds since 2026-08-23 00:00 UTC." in peak
    _, long, _ = terminal.run("explain", "gemini-2.5-pro", "--input", "200001")
    assert "Context tier: from 200,001 input tokens." in long
    _, short, _ = terminal.run("explain", "gemini-2.5-pro", "--input", "2")
    assert "Context tier: the lowest." in short
    _, ended, _ = terminal.run("explain", "o3", "--at", "2025-06-01T00:00:00", "--input", "1")
    assert "Holds until 2025-06-10 00:00 UTC." in ended
    _, between, _ = terminal.run(
        "explain", "deepseek/deepseek-chat", "--at", "2025-10-01T00:00:00", "--input", "1"
    )
    assert "Holds from 2025-09-29 00:00 to 2026-04-24 00:00 UTC." in between


def test_an_unknown_model_is_told_with_near_names(terminal: Terminal) -> None:
    code, out, err = terminal.run("explain", "gpt-5.9", "--input", "1")
    assert (code, out) == (1, "")
    assert err.startswith("not_found: no price source knows gpt-5.9. Near names: gpt-5.5")
    code, _, err = terminal.run("show", "qqqqqqqqqq", "--provider", "openai")
    assert code == 1
    assert "no price source knows openai/qqqqqqqqqq. Look with" in err


def test_an_unknown_price_is_told_and_is_not_zero(terminal: Terminal) -> None:
    code, out, err = terminal.run("explain", "gpt-5.1", "--tier", "auto", "--input", "1")
    assert (code, out) == (1, "")
    assert "gpt-5.1 cannot be priced: gpt-5.1 has no auto price. An unknown price is not 0" in err
    code, _, err = terminal.run(
        "explain", "gpt-4o-2024-05-13", "--input", "1", "--provider", "nobody"
    )
    assert code == 1
    code, _, err = terminal.run("explain", "seed-003/sonnet", "--output", "1")
    assert "has no price for output" in err


def test_parts_that_are_more_than_the_whole_are_wrong_usage(terminal: Terminal) -> None:
    code, _, err = terminal.run("explain", "gpt-5.1", "--input", "1", "--cached", "2")
    assert code == 2
    assert "the parts are more than the whole: 2 of 1 input tokens" in err


def test_every_row_of_a_model_is_shown_with_its_source(terminal: Terminal) -> None:
    code, out, _ = terminal.run("show", "google/gemini-2.5-pro")
    assert code == 0
    assert "genai-prices-0.2.3:google/gemini-2.5-pro" in out
    assert "200,001" in out
    assert "Asked for google/gemini-2.5-pro: google/ names the provider." in out
    _, nothing, _ = terminal.run("show", "github-copilot/gpt-4o")
    assert "No price: genai-prices 0.2.3 lists it without a price." in nothing
    _, card, _ = terminal.run("show", "seed-004/gpt-4o", "--format", "markdown")
    assert "Context window 128,000 tokens." in card
    assert "Longest output 4,096 tokens." in card
    _, also, _ = terminal.run("show", "openai/gpt-4.1")
    assert "Also priced, but not counted: storage_searches_kcount." in also


def test_all_models_of_a_provider_are_shown_with_their_state(terminal: Terminal) -> None:
    code, out, _ = terminal.run("show", "--provider", "seed-001", "--format", "csv")
    lines = out.splitlines()
    assert code == 0
    assert len(lines) == 6
    assert lines[2].startswith("seed-001,gpt-5.1,priced,USD,1.25,")
    code, _, err = terminal.run("show", "--provider", "opnai")
    assert code == 1
    assert "no model of provider 'opnai'. Providers are openai" in err


def test_models_are_found_by_a_part_of_their_name(terminal: Terminal) -> None:
    code, out, _ = terminal.run("find", "SmolLM2", "--format", "json")
    rows = json.loads(out)["rows"]
    assert code == 0
    assert [(row["model"], row["state"], row["input"], row["output"]) for row in rows] == [
        ("smollm2-135m", "priced", "0.11", "0.13"),
        ("smollm2-135m-embed", "priced", "0.11", None),
    ]
    code, _, err = terminal.run("find", "zzzz-nothing")
    assert (code, "no model has 'zzzz-nothing' in its name" in err) == (1, True)
    _, unknown, _ = terminal.run("find", "whisper-large-v3", "--format", "markdown")
    assert "audio_hours" in unknown
    _, free, _ = terminal.run("find", "gemma-4-31b-it", "--format", "csv")
    assert "google,gemma-4-31b-it,free,USD,0," in free


def test_what_changed_between_two_dates_is_told(terminal: Terminal) -> None:
    dates = ("--from", "2025-06-01", "--to", "2025-06-30")
    code, out, _ = terminal.run("diff", *dates, "--format", "json")
    o3 = [
        row
        for row in json.loads(out)["rows"]
        if (row["provider"], row["model"]) == ("openai", "o3")
    ]
    assert code == 0
    assert [(row["meter"], row["before"], row["after"], row["change"]) for row in o3] == [
        ("input", "10", "2", "-80.0%"),
        ("output", "40", "8", "-80.0%"),
    ]
    code, _, err = terminal.run("diff", "--from", "2026-02-01", "--to", "2026-01-01")
    assert (code, "--from 2026-02-01 is not before 2026-01-01" in err) == (2, True)


def test_what_our_prices_change_in_the_catalogue_is_told(terminal: Terminal) -> None:
    code, out, _ = terminal.run("diff", "--to", "2026-08-11", "--format", "json")
    changed = {row["model"] for row in json.loads(out)["rows"]}
    assert code == 0
    assert changed == {"deepseek-chat", "deepseek-reasoner"}


def test_alarms_are_listed_and_only_errors_fail(terminal: Terminal, tmp_path: Path) -> None:
    code, out, _ = terminal.run("lint", "--format", "csv")
    assert code == 0
    assert "notice,rate_rounded,genai-prices-0.2.3:" in out
    assert out.index("\nwarning,") < out.index("\nnotice,")
    _, table, _ = terminal.run("lint", "--provider", "anthropic")
    assert "0 errors, 1 warning, 0 notices." in table
    contract = tmp_path / "mine.toml"
    contract.write_text(
        '[[model]]\nprovider = "house"\nid = "m"\nsource = "s"\n[[model.price]]\nsource = "s"\n'
        'rates = { input = "1", cache_read = "2", output = "3" }\n'
    )
    code, out, _ = terminal.run("lint", "--provider", "house", "--contract", str(contract))
    assert code == 1
    assert "cache_read 2 is above input 1" in out


def test_a_table_can_be_written_to_a_file(terminal: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "prices.parquet"
    told = ("show", "--provider", "local", "--format", "parquet", "--output", str(path))
    code, out, _ = terminal.run(*told)
    assert (code, out) == (0, "")
    assert pq.read_table(path).column("input").to_pylist() == ["0.11", "0.11"]  # pyright: ignore[reportUnknownMemberType]
    assert [each.name for each in tmp_path.iterdir()] == ["prices.parquet"]
    code, _, err = terminal.run(*told[:-1], str(tmp_path / "none" / "prices.parquet"))
    assert (code, "cannot be written" in err) == (1, True)


def test_the_group_of_commands_is_named_prices() -> None:
    assert app.name == ("prices",)
