"""A month of a scenario: its tokens, its other costs, its money that comes in."""

from fractions import Fraction

import pytest
from scenarios import chat, plan_of

from tokonomi.errors import BadPlan, WrongUsage
from tokonomi.money import Money
from tokonomi.plan.evaluate import Month
from tokonomi.plan.simulate import simulate
from tokonomi.plans import Plan, compare


def dollars(text: str) -> Money:
    return Money.parse(text, "USD")


def tokens(month: Month, component: str) -> Fraction:
    found = [line.tokens for line in month.lines if line.component == component]
    return sum((each for each in found if each is not None), Fraction())


SESSION = Fraction("0.00425")
"""200 input tokens at $1.25 and 400 output tokens at $10 a million."""


def test_a_conversation_resends_its_whole_history_with_each_turn() -> None:
    month = chat("turns = 5\nsystem_tokens = 1500").month
    assert tokens(month, "system prompt") == 1000 * 5 * 1500
    assert tokens(month, "message") == 1000 * 5 * 200
    assert tokens(month, "history") == 1000 * (200 + 400) * (1 + 2 + 3 + 4)


def test_a_window_resends_only_the_last_turns() -> None:
    month = chat('turns = 5\nhistory = "window"\nwindow_turns = 2').month
    assert tokens(month, "history") == 1000 * 600 * (1 + 2 + 2 + 2)


def test_a_summary_is_sent_instead_of_history_and_costs_calls_of_its_own() -> None:
    month = chat('turns = 4\nhistory = "summary"\nsummary_tokens = 50').month
    assert tokens(month, "history") == 1000 * 3 * 50
    assert tokens(month, "summaries") == 1000 * 3 * (600 + 50 + 50)


def test_turns_that_do_not_build_on_each_other_resend_nothing() -> None:
    assert tokens(chat('turns = 5\nhistory = "none"').month, "history") == 0


def test_half_a_turn_is_half_a_call() -> None:
    assert tokens(chat("turns = 1.5").month, "history") == 1000 * Fraction(1, 2) * 600


def test_retrieved_chunks_and_tool_results_are_input_of_each_turn() -> None:
    month = chat("turns = 2\nrag_chunks = 4\nchunk_tokens = 300\ntool_tokens = 70").month
    assert tokens(month, "retrieved text") == 2 * 1000 * 1200
    assert tokens(month, "tool results") == 2 * 1000 * 70


def test_every_attempt_of_an_accepted_answer_is_billed() -> None:
    assert chat("attempts = 1.2").month.cost.fraction() == 1000 * SESSION * Fraction(6, 5)


def test_a_fallback_answers_its_share_at_its_own_price() -> None:
    month = chat('fallback = "seed-001/gpt-4o"\nfallback_share = "10%"').month
    stand_in = Fraction("0.0005") + Fraction("0.004")
    assert month.cost.fraction() == 900 * SESSION + 100 * stand_in
    assert [line.role for line in month.lines][-1] == "fallback"


@pytest.mark.parametrize(("share", "cost"), [("0%", "4.25"), ("100%", "2.125"), ("50%", "3.1875")])
def test_a_batch_is_charged_at_its_multiplier_of_the_price(share: str, cost: str) -> None:
    month = chat(f'batch_share = "{share}"\nbatch_multiplier = "50%"').month
    assert month.cost == dollars(cost)


def test_a_batch_is_charged_at_the_price_that_the_book_has_for_batches() -> None:
    text = """
[plan]
name = "t"
at = 2026-11-01
[volume]
sessions_per_month = 1000000
[[feature]]
name = "f"
input_tokens = 1
batch_share = "100%"
models = [{ model = "anthropic/claude-haiku-4-5" }]
"""
    assert plan_of(text).month.cost == dollars("0.50")


def test_a_cache_is_read_and_written_at_prices_of_its_own() -> None:
    text = """
[volume]
sessions_per_month = 1000
[[feature]]
name = "f"
system_tokens = 1000
cached_share = "50%"
cache_write_share = "50%"
models = [{ model = "anthropic/claude-sonnet-4-5" }]
"""
    cost = plan_of(text).month.cost.fraction()
    assert cost == Fraction(1, 2) * (Fraction("0.30") + Fraction("3.75"))


def test_a_fine_tuned_model_has_another_price_and_another_prompt() -> None:
    text = """
[volume]
sessions_per_month = 1000
[[feature]]
name = "f"
system_tokens = 1000
models = [{ model = "seed-001/gpt-5.1", price_multiplier = 1.5, system_tokens = 400 }]
[[cost]]
name = "Training"
category = "training"
amount = 1200
per = "once"
"""
    month = plan_of(text).month
    assert month.token_cost.fraction() == 400 * 1000 * Fraction("1.25") / 10**6 * Fraction(3, 2)
    assert month.by(lambda line: line.feature)["Training"] == dollars("100")


LUMP = """
[plan]
name = "t"
at = 2026-01-30
buffer = "10%"
[volume]
sessions_per_month = 1000
[[cost]]
name = "API"
category = "llm"
amount = 1500
[[cost]]
name = "fee"
percent = "2%"
of = ["llm"]
"""


def test_a_lump_sum_for_tokens_counts_for_percentages_the_buffer_and_tokens_alone() -> None:
    plan = plan_of(LUMP)
    by_name = plan.month.by(lambda line: line.feature)
    assert (by_name["buffer"], by_name["fee"]) == (dollars("150"), dollars("30"))
    assert plan.month.llm_cost == dollars("1500")
    assert [row[3] for row in plan.sections()["summary"].rows] == [1500, Fraction(3, 2)]
    assert plan.simulated(draws=2).costs.tolist() == [1680, 1680]


def test_a_lump_sum_stands_beside_priced_tokens() -> None:
    plan = chat('[[cost]]\nname = "API"\ncategory = "llm"\namount = 1500')
    assert plan.month.llm_cost == dollars("1500") + plan.month.token_cost


def test_tokens_of_which_nothing_is_stated_cost_no_zero() -> None:
    plan = plan_of(LUMP.replace('category = "llm"', "").replace('of = ["llm"]', 'of = ["API"]'))
    assert plan.month.llm_cost is None
    assert [row[3] for row in plan.sections()["summary"].rows] == [None, None]
    assert [row[4] for row in compare([plan, plan_of(LUMP)])["comparison"].rows] == [None, 1500]


def test_costs_count_months_days_users_sessions_calls_and_hours() -> None:
    costs = "".join(
        f'[[cost]]\nname = "{per}"\namount = 1\nper = "{per}"\nshare = "50%"\n'
        for per in ("month", "day", "user", "session", "call")
    )
    text = f"""
[volume]
users = 10
sessions_per_user = 20
days_per_month = 31
[[feature]]
name = "f"
turns = 3
models = [{{ model = "seed-001/gpt-5.1" }}]
{costs}
[[cost]]
name = "work"
hours = 3
wage = 40
[[cost]]
name = "overhead"
percent = "10%"
of = ["work", "llm"]
"""
    by_name = plan_of(text).month.by(lambda line: line.feature)
    assert {name: cost.decimal() for name, cost in by_name.items()} == {
        "month": "0.5",
        "day": "15.5",
        "user": "5",
        "session": "100",
        "call": "300",
        "work": "120",
        "overhead": "12",
    }


def test_a_buffer_is_added_to_the_cost_of_tokens_alone() -> None:
    head = 'buffer = "30%"\n'
    month = chat('[[cost]]\nname = "c"\namount = 100', head=head).month
    assert month.cost.fraction() == 1000 * SESSION * Fraction(13, 10) + 100


def test_revenue_less_cost_is_the_profit_and_its_part_the_margin() -> None:
    month = chat('[[revenue]]\nname = "r"\nprice = 0.01\nper = "session"\nshare = "50%"').month
    assert (month.revenue, month.cost) == (dollars("5"), dollars("4.25"))
    assert (month.profit, month.margin) == (dollars("0.75"), Fraction(3, 20))


def test_amounts_are_converted_in_both_directions_of_a_stated_rate() -> None:
    exchange = """
[[exchange]]
base = "USD"
quote = "IDR"
rate = 16_000
on = 2026-01-30
source = "s"
[[revenue]]
name = "r"
price = 32_000
per = "month"
currency = "IDR"
"""
    assert chat(exchange).month.revenue == dollars("2")
    rupiah = chat(exchange, head='currency = "IDR"\n').month
    assert rupiah.cost == Money.parse("68000", "IDR")


def test_growth_and_seasons_multiply_the_volume_of_later_months() -> None:
    text = """
[plan]
name = "t"
at = 2026-01-30
months = 3
[volume]
sessions_per_month = 100
growth_per_month = "10%"
season = [1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
[[cost]]
name = "c"
amount = 1
per = "session"
"""
    months = plan_of(text).months
    assert [month.cost.decimal() for month in months] == ["100", "220", "121"]


def test_calls_that_the_volume_alone_states_are_counted() -> None:
    text = """
[volume]
calls_per_day = 500
days_per_month = 20
[[cost]]
name = "screening"
amount = 0.05
per = "call"
[[revenue]]
name = "answers"
price = 0.10
per = "call"
"""
    month = plan_of(text).month
    assert (month.cost, month.revenue, month.scale.calls) == (
        dollars("500"),
        dollars("1000"),
        10_000,
    )


def test_calls_of_features_and_measured_ones_go_before_those_of_the_volume() -> None:
    volume = "[volume]\ncalls_per_day = 500\n"
    measured = '[[measured]]\nmodel = "seed-001/gpt-5.1"\ncalls = 3\noutput = 3\n'
    assert plan_of(volume + measured).month.scale.calls == 3
    feature = chat("turns = 5").month.scale
    assert feature.calls == 5 * 1000


ONCE = """
[plan]
name = "t"
at = 2026-01-30
months = 6
[[cost]]
name = "setup"
amount = 90
per = "once"
spread_months = 3
"""


def test_a_cost_that_is_paid_once_is_over_after_its_months() -> None:
    plan = plan_of(ONCE)
    assert plan.month.cost == dollars("30")
    assert [month.cost.decimal() for month in plan.months] == ["30", "30", "30", "0", "0", "0"]
    drawn = [simulate(plan.scenario, plan.prices, draws=2, month=at).costs[0] for at in (2, 3)]
    assert drawn == [30.0, 0.0]


def test_measured_calls_cost_what_their_counts_are_charged() -> None:
    text = """
[[measured]]
model = "seed-001/gpt-5.1"
calls = 3
uncached_input = 600
output = 1200
"""
    month = plan_of(text).month
    assert month.cost.fraction() == 3 * SESSION
    assert month.scale.calls == 3


def test_the_ends_of_a_cost_are_those_of_its_numbers() -> None:
    sections = Plan.template("voice-agent").sections()
    (_, low, mean, high), (_, low_call, _, high_call) = sections["ends"].rows
    assert (low, mean, high) == (9_500, 11_000, 12_500)
    assert (low_call, high_call) == (Fraction("0.633333333333"), Fraction("0.833333333333"))


def test_scenarios_are_compared_with_the_first() -> None:
    one, twice = chat(), chat().with_values({"volume.sessions_per_month": "2000"})
    rows = compare([one, twice])["comparison"].rows
    assert [row[0] for row in rows] == ["t", "t (2)"]
    assert rows[0][-2:] == (None, None)
    assert rows[1][-2:] == (Fraction("4.25"), Fraction(1))


def test_the_columns_of_compared_components_are_the_scenarios() -> None:
    table = compare([chat(), Plan.template("voice-agent")])["components"]
    assert [column.title for column in table.columns] == ["component", "t", "Voice agent"]
    assert table.totals == ("", Fraction("4.25"), Fraction(11_000))


@pytest.mark.parametrize("number", [1, 9])
def test_only_two_to_eight_scenarios_are_compared(number: int) -> None:
    with pytest.raises(WrongUsage, match=f"{number} scenarios are compared"):
        compare([chat()] * number)


def test_scenarios_of_two_currencies_are_not_compared() -> None:
    with pytest.raises(BadPlan, match="in USD and IDR, which do not compare"):
        compare([chat(), Plan.template("paper-credits")])
