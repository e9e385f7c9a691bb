"""Plans of real traffic: a measured mix is the bill, and forecasts say how wrong they are."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tokonomi.cli import main
from tokonomi.cli.plan_predict import Sampling, read_calls
from tokonomi.plan.evaluate import month_of
from tokonomi.plan.measure import measured_mix
from tokonomi.plan.scenario import Scenario
from tokonomi.plans import Plan
from tokonomi.pricing.charge import Charge, charge

DATA = Path(os.environ.get("TOKONOMI_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
TRACES = {
    "azure": DATA / "traces" / "azure_llm_2023_conv.csv",
    "mooncake": DATA / "traces" / "mooncake_conversation.jsonl",
}
PLAN = Plan.template("chat-assistant")
MODEL = "google/gemini-2.5-pro"

with_traces = pytest.mark.skipif(
    not all(path.exists() for path in TRACES.values()), reason="the traces are not here"
)


@with_traces
@pytest.mark.parametrize("name", sorted(TRACES))
def test_a_plan_of_a_real_trace_costs_what_its_bill_says(name: str) -> None:
    sampling = Sampling(model=MODEL, assume_prefix_cache=True)
    calls = read_calls(TRACES[name], sampling)
    billed = 0
    for call in calls:
        charged = charge(call.usage, PLAN.prices.row(MODEL))
        assert isinstance(charged, Charge)
        billed += charged.sub_units
    scenario = Scenario(plan=PLAN.scenario.plan, measured=measured_mix(calls, PLAN.prices))
    month = month_of(scenario, PLAN.prices)
    tokens = month.token_cost.sub_units
    assert len(calls) > 12_000
    assert tokens == billed


def forecast(name: str, folder: Path, *words: str) -> list[dict[str, str]]:
    path = folder / "answer.json"
    with pytest.raises(SystemExit) as ended:
        main(
            [
                *("plan", "predict", str(TRACES[name]), "--as", "openai/gpt-4o"),
                *("--calls-per-day", "10000", "--at", "2026-11-01", "--format", "json"),
                *("--output", str(path), *words),
            ]
        )
    assert ended.value.code == 0
    return json.loads(path.read_text("utf-8"))["sections"]["back_test"]["rows"]


@with_traces
@pytest.mark.parametrize("name", sorted(TRACES))
def test_calls_from_all_of_an_hour_tell_what_the_others_cost(name: str, tmp_path: Path) -> None:
    a_thousand, *more = forecast(name, tmp_path, "--spread")
    assert abs(float(a_thousand["error"])) < 0.09
    assert [row["held"] for row in more] == ["inside"] * len(more)
    assert all(abs(float(row["error"])) < 0.06 for row in more)


@with_traces
def test_the_first_calls_of_an_hour_are_not_the_hour_and_the_back_test_says_so(
    tmp_path: Path,
) -> None:
    rows = forecast("mooncake", tmp_path)
    assert [row["held"] for row in rows] == ["outside"] * 3
    assert all(0.1 < float(row["error"]) < 0.2 for row in rows)


def typed(*words: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_recorded_calls_are_exported_forecast_and_planned_on(tmp_path: Path) -> None:
    trace, recorded = tmp_path / "trace.csv", tmp_path / "calls.jsonl"
    rows = [f"2026-11-01 10:00:{n % 60:02}.0000000,{100 + n},{50 + n % 7}" for n in range(80)]
    trace.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n" + "\n".join(rows))
    data = ("--data", tmp_path)
    assert typed("import", trace, "--as", "openai/gpt-4o", *data) == 0
    exported = [sys.executable, "-m", "tokonomi", "export", str(recorded), *map(str, data)]
    subprocess.run(exported, check=True, capture_output=True, timeout=120)
    answer, scenario = tmp_path / "answer.json", tmp_path / "scenario.toml"
    words = ("--calls-per-day", "1000", "--sample", "40", "--at", "2026-11-01")
    forms = ("--format", "json", "--output", answer, "--scenario", scenario)
    assert typed("plan", "predict", recorded, *words, *forms) == 0
    sections = json.loads(answer.read_text("utf-8"))["sections"]
    month = next(row for row in sections["forecast"]["rows"] if row["what"] == "month")
    planned = Plan.read(scenario).month.cost
    assert planned.format() == f"${float(month['cost']['amount']):,.2f}"
    assert len(sections["back_test"]["rows"]) == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("none.csv",), "there is no file none.csv"),
        (("trace.csv",), "a trace of kind azure names no model"),
        (("trace.csv", "--as", "openai/gpt-4o", "--buffer", "lots"), "'lots' is not a number"),
        (("trace.csv", "--as", "openai/gpt-4o"), "a sample of 1 calls says little"),
        (("trace.csv", "--as", "openai/gpt-x"), "no price source knows the model"),
    ],
)
def test_a_forecast_that_cannot_be_made_says_why(
    words: tuple[str, ...],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    line = "2026-11-01 10:00:00.0000000,100,50\n"
    rows = line * (40 if "openai/gpt-x" in words else 1) + "not,a,row\n"
    (tmp_path / "trace.csv").write_text(f"TIMESTAMP,ContextTokens,GeneratedTokens\n{rows}")
    assert typed("plan", "predict", *words, "--calls-per-day", "10") in {1, 2}
    assert says in capsys.readouterr().err
