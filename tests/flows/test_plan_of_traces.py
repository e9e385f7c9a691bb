"""Plans of real traffic: a measured mix is the bill, and forecasts say how wrong they are."""

import json
import os
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

pytestmark = pytest.mark.skipif(
    not all(path.exists() for path in TRACES.values()), reason="the traces are not here"
)


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


@pytest.mark.parametrize("name", sorted(TRACES))
def test_calls_from_all_of_an_hour_tell_what_the_others_cost(name: str, tmp_path: Path) -> None:
    a_thousand, *more = forecast(name, tmp_path, "--spread")
    assert abs(float(a_thousand["error"])) < 0.09
    assert [row["held"] for row in more] == ["inside"] * len(more)
    assert all(abs(float(row["error"])) < 0.06 for row in more)


def test_the_first_calls_of_an_hour_are_not_the_hour_and_the_back_test_says_so(
    tmp_path: Path,
) -> None:
    rows = forecast("mooncake", tmp_path)
    assert [row["held"] for row in rows] == ["outside"] * 3
    assert all(0.1 < float(row["error"]) < 0.2 for row in rows)
