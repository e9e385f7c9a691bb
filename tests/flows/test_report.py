"""`tokonomi report`, `explain` and `lake` as a person runs them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tokonomi.cli import main

FINE, FAILED, WRONG_USAGE = 0, 1, 2
ROWS = (
    '{"id":"a.1","at":"2026-01-30T09:00:00Z","provider":"openai","model":"gpt-4o",'
    '"uncached_input":1000,"output":100,"feature":"chat","tags":{"team":"x"}}\n'
    '{"id":"a.2","at":"2026-01-31T09:00:00Z","provider":"openai","model":"gpt-4o",'
    '"output":500,"source":"estimated"}\n'
    '{"id":"b.1","at":"2026-01-31T10:00:00Z","provider":"nobody","model":"mystery","output":7}\n'
    '{"id":"c.1","at":"2026-01-31T11:00:00Z","provider":"openai","model":"gpt-4o",'
    '"quarantined":"cache above input","raw_usage":"{}"}\n'
)


def tokonomi(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tokonomi", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    (folder / "calls.jsonl").write_text(ROWS)
    done = tokonomi("import", folder / "calls.jsonl", "--allow-unpriced", "--data", folder)
    assert done.returncode == FINE, done.stderr
    return folder


def asked(data: Path, *arguments: str) -> dict[str, Any]:
    """The answer of a report, asked in this process, which saves a second each time."""
    file = data / "answer.json"
    output = ("--format", "json", "--output", str(file))
    with pytest.raises(SystemExit) as done:
        main(["report", "--data", str(data), *output, *arguments])
    assert done.value.code == FINE
    answer: dict[str, Any] = json.loads(file.read_text())
    return answer


def test_a_report_keeps_priced_unpriced_estimated_and_quarantined_apart(data: Path) -> None:
    done = tokonomi("report", "--by", "provider,model", "--data", data)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-3:] == [
        "Without a price, and not in the cost: 1 of the calls; tokens: 7.",
        "With impossible usage, and not in the cost: 1 of the calls.",
        "Counted by estimate, not by the provider: 1 of 4 calls (25.0%).",
    ]
    answer = asked(data, "--by", "provider")
    assert [
        (row["provider"], row["calls"], row["cost_usd"], row["unpriced"], row["quarantined"])
        for row in answer["rows"]
    ] == [
        ("openai", 3, {"amount": "0.0085", "currency": "USD"}, 0, 1),
        ("nobody", 1, None, 1, 0),
    ]


def test_filters_periods_and_tags_choose_the_calls(data: Path) -> None:
    def calls(*arguments: str) -> int:
        return asked(data, "--by", "day", *arguments)["totals"]["calls"]

    assert calls() == 4
    assert calls("--where", "model=gpt-4o") == 3
    assert calls("--where", "model=gpt-4o", "--where", "model=mystery") == 4
    assert calls("--where", "model=gpt-4o", "--where", "source=estimated") == 1
    assert calls("--where", "tag:team=x") == 1
    assert calls("--since", "2026-01-31") == 3
    assert calls("--until", "2026-01-30") == 1
    assert calls("--until", "2026-01-31T10:00") == 2
    assert calls("--last", "1d") == 0


def test_days_read_in_their_order_and_the_rest_is_one_row(data: Path) -> None:
    days = asked(data, "--by", "day")
    assert [row["day"] for row in days["rows"]] == ["2026-01-30", "2026-01-31"]
    models = asked(data, "--by", "model", "--top", "1")
    assert models["other"]["groups"] == 1
    assert models["other"]["calls"] + models["rows"][0]["calls"] == models["totals"]["calls"]


def test_a_report_in_another_currency_names_its_rate(data: Path) -> None:
    rate = ("--currency", "IDR", "--rate", "16000", "--rate-date", "2026-01-30")
    done = tokonomi("report", "--data", data, "--locale", "id", *rate)
    assert "Rp 136" in done.stdout
    assert "1 USD = 16.000 IDR pada 2026-01-30 (--rate)." in done.stdout


def test_a_report_is_written_to_a_file_whole(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "report.csv"
    done = tokonomi("report", "--data", data, "--format", "csv", "--output", file)
    assert (done.returncode, done.stdout) == (FINE, "")
    assert file.read_text().splitlines()[1].startswith("gpt-4o,3,")
    assert [each.name for each in tmp_path.iterdir()] == ["report.csv"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--by", "modle"], 'there is no dimension "modle". Did you mean "model"?'),
        (["--by", "day,day"], "a dimension stands twice in day,day."),
        (["--where", "openai"], "Write it like --where provider=openai."),
        (["--where", "meter=input"], "Group by meter instead: --by meter."),
        (["--last", "7d", "--since", "2026-01-01"], "--last stands alone"),
        (["--rate", "16000"], "a conversion needs a currency and a rate"),
        (["--currency", "IDR", "--rate", "x"], '"x" is not a rate'),
        (["--top", "0"], "are no rows"),
        (["--top", "100001"], "at most 100000 rows fit a report"),
        (["--format", "xml"], "xml"),
    ],
)
def test_wrong_usage_of_a_report_says_what_to_write(
    data: Path, arguments: list[str], said: str
) -> None:
    done = tokonomi("report", "--data", data, *arguments)
    assert done.returncode == WRONG_USAGE
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_empty_store_tells_what_to_do_and_is_not_made(tmp_path: Path) -> None:
    done = tokonomi("report", "--data", tmp_path / "none")
    assert done.returncode == FINE
    assert done.stdout.startswith("No calls yet in ")
    assert "tokonomi import FILE" in done.stdout
    assert not (tmp_path / "none").exists()


def test_a_report_without_matching_calls_says_what_did_not_match(data: Path) -> None:
    done = tokonomi("report", "--data", data, "--where", "model=other")
    assert done.stdout == "No calls match --where model=other.\n"


def test_explain_opens_each_line_of_a_call_and_the_source_of_its_price(data: Path) -> None:
    lines = tokonomi("explain", "a.1", "--data", data).stdout.splitlines()
    assert lines[:8] == [
        "Call a.1 at 2026-01-30T09:00:00Z",
        "openai gpt-4o, imported, usage reported",
        "feature chat, team x",
        "",
        "  input   1,000 x $2.50 a million  = 0.0025 USD",
        "  output    100 x $10.00 a million =  0.001 USD",
        "  total                              0.0035 USD",
        "Shown as $0.0035: rounded half-up, once. The store keeps every digit.",
    ]
    assert lines[9].endswith("openai/gpt-4o")
    assert lines[10].startswith("  source: genai-prices")


def test_explain_shows_every_attempt_of_a_request_and_why_a_call_has_no_cost(data: Path) -> None:
    both = tokonomi("explain", "a", "--data", data).stdout
    assert both.count("\nPrice row") == 2
    assert "No cost: no price source knows" in tokonomi("explain", "b.1", "--data", data).stdout
    impossible = tokonomi("explain", "c.1", "--data", data).stdout
    assert "No cost: the reported usage cannot be true: cache above input" in impossible
    missing = tokonomi("explain", "nope", "--data", data)
    assert missing.returncode == FAILED
    assert missing.stderr.startswith("not_found: there is no call nope.")


def test_the_lake_is_filled_merged_and_thinned_out_by_hand(tmp_path: Path) -> None:
    (tmp_path / "calls.jsonl").write_text(ROWS)
    here = ("--data", tmp_path)
    tokonomi("import", tmp_path / "calls.jsonl", "--allow-unpriced", *here)
    before = asked(tmp_path, "--by", "day,model")
    assert tokonomi("lake", "export", *here).stdout.startswith("exported 4 calls to 2 files in ")
    assert tokonomi("lake", "compact", *here).stdout == (
        "merged 0 files into 0; removed 0 from the disk\n"
    )
    assert "0 calls wait to be exported" in tokonomi("lake", "status", *here).stdout
    assert asked(tmp_path, "--by", "day,model") == before
    thin = tokonomi("lake", "retain", "--keep-days-in-store", "1", *here)
    assert thin.stdout.startswith("removed 4 exported calls before ")
    assert asked(tmp_path, "--by", "day,model") == before
    dropped = tokonomi("lake", "retain", "--keep-days", "1", *here)
    assert dropped.stdout.startswith("dropped 4 calls before ")
    assert asked(tmp_path)["rows"] == []
    assert tokonomi("lake", "retain", *here).returncode == WRONG_USAGE
